"""What every discovery and import works with: this installation's classes, profiles and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from facility.class_files import load_classes
from facility.clock import Clock
from facility.equipment import EquipmentClass
from facility.errors import NotFoundError
from facility.model import Connection
from facility.yaml_file import did_you_mean
from gateway.drivers.bacnet.discovery import FoundDevice
from gateway.onboarding.bacnet_objects import found_connection
from gateway.onboarding.draft import Draft, make_draft
from gateway.onboarding.found import FoundConnection
from gateway.onboarding.found_asset import Recognised
from gateway.onboarding.modbus_survey import Wanted, fitting, unit_asset, unit_connection
from gateway.onboarding.mqtt_topics import fitted_profiles, topic_connection, without
from gateway.onboarding.readings import LifeSafetyStates, Reader
from gateway.onboarding.recognise import Recogniser
from gateway.onboarding.register_scan import ScannedUnit
from gateway.onboarding.sparkplug_births import birth_connection, birth_topic
from gateway.onboarding.topic_survey import FoundTopic, Payload
from gateway.onboarding.vocabulary import Vocabulary, vocabulary
from gateway.profiles import DeviceProfile, load_profiles

_LIFE_SAFETY: Final = "life-safety-"
_DOTS: Final = 3
"""Of an IPv4 address; a device behind a router has another one."""


@dataclass(frozen=True)
class Workshop:
    """Recognises devices and drafts files for them."""

    classes: Mapping[str, EquipmentClass]
    shipped: Mapping[str, DeviceProfile]
    words: Vocabulary

    def recognised(self, connections: Sequence[FoundConnection], only_class: str | None = None) -> list[Recognised]:
        """Return what became of each connection's points; of one class where a person says which.

        Raises:
            NotFoundError: There is no such class, or nothing is known of its points' names.
        """
        if only_class is not None and only_class not in self.words.classes:
            raise NotFoundError(
                f"No words are known for class {only_class!r}{did_you_mean(only_class, self.words.classes)}."
            )
        reader = Reader(self.words, life_safety_states(self.shipped))
        recogniser = Recogniser(self.classes, self.words, reader, only_class)
        return [recogniser.recognise(each) for each in connections]

    def draft(self, recognised: Sequence[Recognised], source: str) -> Draft:
        """Return the files that a person reviews."""
        return make_draft(recognised, classes=self.classes, shipped=self.shipped, source=source)


def open_workshop() -> Workshop:
    """Return the workshop of the shipped classes, profiles and words.

    Raises:
        ConfigurationError: A shipped file has mistakes.
    """
    return Workshop(load_classes(), load_profiles(), vocabulary())


def life_safety_states(shipped: Mapping[str, DeviceProfile]) -> LifeSafetyStates:
    """Return what the standard's life-safety states mean for each class and point, as the shipped profiles say."""
    return {
        (profile.equipment_class, point): entry["states"]
        for profile in shipped.values()
        for point, entry in profile.points.items()
        if str(entry.get("object", "")).startswith(_LIFE_SAFETY) and "states" in entry
    }


def bacnet_connections(devices: Sequence[FoundDevice], host: str, port: int) -> list[FoundConnection]:
    """Return each device as a connection; a device alone is where it was asked for, others where they answered from."""
    connections: list[FoundConnection] = []
    for device in devices:
        at, _, at_port = device.address.rpartition(":") if len(devices) > 1 else (host, "", str(port))
        taken = [connection.id for connection in connections]
        is_reached = at.count(".") == _DOTS and at_port.isdecimal()
        notes = () if len(devices) == 1 or is_reached else (f"It answered through a router, as {device.address}.",)
        place = (at, at_port) if is_reached or len(devices) == 1 else (host, str(port))
        connections.append(found_connection(device, host=place[0], port=place[1], taken=taken, notes=notes))
    return connections


def recognised_topics(
    workshop: Workshop, topics: Sequence[FoundTopic], connection: Connection, written: Mapping[str, str]
) -> list[Recognised]:
    """Return what the topics of a broker are: devices that shipped profiles read first, then what their names say."""
    place: dict[str, Any] = {"host": connection.host, "port": str(connection.port), "options": written}
    plain = [topic for topic in topics if topic.kind is not Payload.SPARKPLUG]
    births = {topic.topic: topic.last for topic in topics if birth_topic(topic.topic)}
    recognised: list[Recognised] = []
    if plain:
        found = topic_connection(plain, **place, identity="mqtt")
        fitted = fitted_profiles(plain, workshop.shipped)
        (rest,) = workshop.recognised([without(found, fitted)])
        recognised.append(replace(rest, assets=(*(each.asset for each in fitted), *rest.assets)))
    if births:
        recognised += workshop.recognised([birth_connection(births, **place, identity="sparkplug")])
    return recognised


async def recognised_units(
    workshop: Workshop,
    units: Sequence[ScannedUnit],
    connection: Connection,
    written: Mapping[str, str],
    wanted: Wanted,
    *,
    clock: Clock,
) -> list[Recognised]:
    """Return the units of a Modbus line that a shipped profile reads, having read each once with those that could fit.

    Raises:
        ConfigurationError: The connection's options have mistakes.
    """
    tried = await fitting(
        connection, units, wanted.function, classes=workshop.classes, shipped=workshop.shipped, clock=clock
    )
    assets = [unit_asset(unit, profiles, workshop.shipped) for unit, profiles in tried if profiles]
    strangers = [
        f"Unit {unit.unit} has the registers {', '.join(map(str, unit.ranges)) or 'none of those asked for'}, and no "
        "shipped profile fits: import its register list."
        for unit, profiles in tried
        if not profiles
    ]
    line = replace(unit_connection(connection, written, "modbus"), notes=tuple(strangers))
    return [Recognised(connection=line, assets=tuple(assets), unmapped=())]
