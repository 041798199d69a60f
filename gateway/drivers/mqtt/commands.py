"""From a value to the message that writes it: the topic, and a payload in the device's own unit and words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from facility.errors import ConfigurationError, DeviceRefusedError, Mistake
from facility.model import Point
from gateway.conversion import CONVERSION_KEYS, PointConverter
from gateway.drivers.driver import DeviceConfig
from gateway.drivers.mqtt.subscriptions import filter_mistake, is_filter
from gateway.drivers.mqtt.topics import Format, Path, path_of

OWN_CONVERSION: Final = frozenset({"scale", "offset", "unit", "states"})
"""What a ``write`` entry may say otherwise than its point's reading does."""


class Command(NamedTuple):
    """How one point is written."""

    point: Point
    converter: PointConverter
    topic: str
    format: Format
    path: Path
    has_own_words: bool
    """The profile says what the device calls its states; otherwise they are told by the class's names."""
    retain: bool
    """The broker keeps it for a device that is away, which then does it when it is back."""

    def payload(self, value: float) -> bytes:
        """Return what to publish.

        Raises:
            DeviceRefusedError: The device has no word for the value.
        """
        said = self._said(value)
        if self.format is Format.TEXT:
            return str(said).encode() if not isinstance(said, bool) else str(said).lower().encode()
        document: object = said
        for step in reversed(self.path):
            document = {step: document}
        return orjson.dumps(document)

    def _said(self, value: float) -> object:
        """Return the value in the device's unit, whole where it is whole; a state by its name rather than its code."""
        said = self.converter.to_wire(value)
        names = {float(code): name for name, code in self.point.definition.states.items()}
        if not self.has_own_words and said in names:
            return names[said]
        return int(said) if isinstance(said, float) and said.is_integer() else said


def compile_commands(devices: Sequence[DeviceConfig]) -> dict[int, Command]:
    """Return how each writable point is written, by point key.

    A point's ``write`` entry says ``topic``, and ``path`` (dotted) for JSON or ``format: text``; without a path the
    payload is the bare value. Unit, scale and states are those of reading, unless the entry has its own. ``retain``
    leaves the value with the broker.

    Raises:
        ConfigurationError: An entry lacks its topic, or has one that cannot work; lists every one.
    """
    mistakes = [mistake for device in devices for mistake in _mistakes(device)]
    if mistakes:
        raise ConfigurationError(mistakes)
    return {
        point.key: _command(device, point, device.writes[point.name])
        for device in devices
        for point in device.points
        if point.name in device.writes
    }


def refused(point: Point) -> DeviceRefusedError:
    """Return the error for a point that cannot be written."""
    return DeviceRefusedError(point.address, "its profile says no topic to write it on")


def nothing_to_take_back(point: Point) -> DeviceRefusedError:
    """Return the error for a write without a value."""
    return DeviceRefusedError(
        point.address, "MQTT cannot take a written value back, since no device keeps the one before; write that one"
    )


def _mistakes(device: DeviceConfig) -> Iterator[Mistake]:
    for point in device.points:
        entry = device.writes.get(point.name)
        for wrong in [] if entry is None else _entry_mistakes(entry):
            yield Mistake(point.address, 0, f"{wrong}; change 'write' in the profile {device.asset.profile}")


def _entry_mistakes(entry: Mapping[str, Any]) -> Iterator[str]:
    topic = entry.get("topic")
    if topic is None:
        yield "an MQTT point that is written needs 'topic'"
    elif is_filter(str(topic)):
        yield f"{topic!r} has wildcards, and nobody can publish on several topics at once"
    elif wrong := filter_mistake(str(topic)):
        yield wrong
    if entry.get("format", Format.JSON) not in list(Format):
        yield f"'format' is {entry['format']!r}; write json or text"


def _command(device: DeviceConfig, point: Point, entry: Mapping[str, Any]) -> Command:
    mapping = device.mapping[point.name]
    conversion = {key: mapping[key] for key in CONVERSION_KEYS & mapping.keys()}
    conversion |= {key: entry[key] for key in OWN_CONVERSION & entry.keys()}
    format_ = mapping.get("format", device.settings.get("format", Format.JSON))
    return Command(
        point=point,
        converter=PointConverter(point, conversion),
        topic=entry["topic"],
        format=Format(entry.get("format", format_)),
        path=path_of(entry.get("path", "")),
        has_own_words="states" in conversion,
        retain=bool(entry.get("retain", False)),
    )
