"""Sparkplug births as found points: a birth certificate names every metric of a node or device, with type and value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from facility.errors import ConfigurationError, Mistake
from facility.model import Protocol
from gateway.drivers.mqtt.sparkplug.payload import DataType, MalformedPayloadError, Metric, decode, typed
from gateway.onboarding.found import FoundConnection, FoundPoint, Shape

BIRTHS: Final = frozenset({"NBIRTH", "DBIRTH"})
SETTINGS: Final[Mapping[str, Any]] = {"group": "{group}", "node": "{node}", "device": "{device}"}

_LEVELS: Final = {"NBIRTH": 4, "DBIRTH": 5}
_OF_THE_PROTOCOL: Final = ("bdSeq", "Node Control/", "Device Control/", "Node Info/", "Properties/")
_REAL: Final = frozenset({DataType.FLOAT, DataType.DOUBLE})


class BirthTopic(NamedTuple):
    """Whose birth it is."""

    group: str
    node: str
    device: str
    """Empty for the node itself."""

    @property
    def address(self) -> dict[str, Any]:
        """Return what an asset says under ``address``."""
        device = {"device": self.device} if self.device else {}
        return {"group": self.group, "node": self.node, **device}


def birth_topic(topic: str) -> BirthTopic | None:
    """Return whose birth a topic carries; ``None`` for any other topic."""
    levels = topic.split("/")
    if levels[0] != "spBv1.0" or len(levels) < 4 or _LEVELS.get(levels[2]) != len(levels):  # noqa: PLR2004  # a node's
        return None
    return BirthTopic(levels[1], levels[3], levels[4] if levels[2] == "DBIRTH" else "")


def birth_connection(
    births: Mapping[str, bytes], *, host: str, port: str, options: Mapping[str, Any], identity: str
) -> FoundConnection:
    """Return what some births (topic to payload) tell as a connection.

    Raises:
        ConfigurationError: A topic is no birth's, or a payload no Sparkplug; lists every one.
    """
    points: list[FoundPoint] = []
    mistakes: list[Mistake] = []
    for topic, payload in births.items():
        whose = birth_topic(topic)
        if whose is None:
            message = "no topic of a birth; write spBv1.0/GROUP/NBIRTH/NODE or spBv1.0/GROUP/DBIRTH/NODE/DEVICE"
            mistakes.append(Mistake(topic, 0, message))
            continue
        try:
            points += _points(whose, decode(payload).metrics)
        except MalformedPayloadError as error:
            message = f"is no Sparkplug B payload ({error}); capture it with mosquitto_sub -N -C 1 -t TOPIC > FILE"
            mistakes.append(Mistake(topic, 0, message))
    if mistakes:
        raise ConfigurationError(mistakes)
    return FoundConnection(
        id=identity,
        protocol=Protocol.MQTT,
        host=host,
        port=port,
        options=options,
        label=identity,
        points=tuple(points),
        settings=SETTINGS,
        notes=(f"Sparkplug: the births of {', '.join(births)}",),
    )


def _points(whose: BirthTopic, metrics: Iterable[Metric]) -> Iterator[FoundPoint]:
    for metric in metrics:
        if metric.name is not None and not metric.name.startswith(_OF_THE_PROTOCOL):
            yield _point(whose, metric, metric.name)


def _point(whose: BirthTopic, metric: Metric, name: str) -> FoundPoint:
    value = typed(metric.raw, metric.datatype)
    shape, states = _shape(metric.datatype, value)
    return FoundPoint(
        name=name,
        entry={"metric": name},
        origin=f"metric of type {_type_name(metric.datatype)}, such as {value!r}",
        shape=shape,
        group="/".join(part for part in whose if part),
        states=states,
        address=whose.address,
    )


def _shape(datatype: int, value: object) -> tuple[Shape | None, dict[Any, str]]:
    if datatype == DataType.BOOLEAN:
        return Shape.CONTACT, {}
    if datatype in _REAL:
        return Shape.QUANTITY, {}
    if isinstance(value, str):
        return Shape.STATES, {value: value}
    return (None, {}) if isinstance(value, int) else (Shape.OTHER, {})


def _type_name(datatype: int) -> str:
    return DataType(datatype).name.lower() if datatype in set(DataType) else str(datatype)
