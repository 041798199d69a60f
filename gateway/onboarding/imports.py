"""From given files to connections whose points can be recognised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from facility.errors import Mistake
from facility.model import Protocol
from gateway.onboarding.bacnet_objects import found_connection
from gateway.onboarding.ede import read_ede
from gateway.onboarding.found import FoundConnection
from gateway.onboarding.given_file import read_bytes
from gateway.onboarding.names import asset_id
from gateway.onboarding.register_list import read_register_list
from gateway.onboarding.sparkplug_births import birth_connection

MODBUS_SETTINGS: Final[dict[str, Any]] = {"unit": "{unit}", "poll_s": 1.0}


class Place(NamedTuple):
    """Where the device of a file is reached; the file itself does not say."""

    host: str
    """Empty: a reference to the environment is drafted, with this machine as its default."""
    port: int


class Imported(NamedTuple):
    """What a file gave."""

    connections: list[FoundConnection]
    remarks: list[Mistake]


def import_ede(path: Path, place: Place) -> Imported:
    """Return each device of an EDE file as a connection.

    Raises:
        ConfigurationError: The file has mistakes.
    """
    devices, remarks = read_ede(path)
    connections: list[FoundConnection] = []
    for device in devices:
        taken = [connection.id for connection in connections]
        host, notes = _host(place, f"DEVICE_{device.instance}_HOST")
        connections.append(found_connection(device, host=host, port=str(place.port), taken=taken, notes=notes))
    return Imported(connections, remarks)


def import_registers(path: Path, place: Place, *, unit_id: int) -> Imported:
    """Return a list of registers as one connection.

    Raises:
        ConfigurationError: The file has mistakes.
    """
    points, remarks = read_register_list(path, unit_id=unit_id)
    identity = asset_id(f"modbus-{path.stem}", "modbus", ())
    host, notes = _host(place, f"{identity.upper().replace('-', '_')}_HOST")
    connection = FoundConnection(
        id=identity,
        protocol=Protocol.MODBUS,
        host=host,
        port=str(place.port),
        label=path.stem,
        points=tuple(points),
        settings=MODBUS_SETTINGS,
        notes=(f"Modbus registers of {path.name}", *notes),
    )
    return Imported([connection], remarks)


def import_birth(path: Path, place: Place, topic: str) -> Imported:
    """Return a captured Sparkplug birth as a connection.

    Raises:
        ConfigurationError: The file is none, or the topic no birth's.
    """
    host, notes = _host(place, "SPARKPLUG_BROKER_HOST")
    births = {topic: read_bytes(path)}
    connection = birth_connection(births, host=host, port=str(place.port), options={}, identity="sparkplug")
    return Imported([replace(connection, notes=(*connection.notes, *notes))], [])


def _host(place: Place, variable: str) -> tuple[str, Sequence[str]]:
    """Return where the device is, and what a person must add where nobody said it."""
    if place.host:
        return place.host, ()
    return f"${{{variable}:-127.0.0.1}}", (f"The file does not say where the device is: write it, or set {variable}.",)
