"""Reads ``site.yaml``: the spaces, connections and assets of a site.

::

    site:
      {id: harbour-tower, name: {en: Harbour Tower, zh: 海港大厦}, time_zone: Asia/Shanghai, holidays: {country: CN}}

    spaces:
      - {id: tower, kind: building}
      - {id: floor-1, kind: floor, parent: tower, name: {en: Lobby, zh: 大堂}}

    connections:
      - id: lifts
        protocol: mqtt
        host: ${WATCHKEEPER_MQTT_HOST:-127.0.0.1}
        port: ${WATCHKEEPER_MQTT_PORT:-1883}
        options: {username: watchkeeper, password: "${LIFTS_PASSWORD}"}

    defaults:                                   # by class; {id} is the asset's own
      lift: {space: tower, connection: lifts, address: {root: "harbour/{id}"}}

    priority_matrix:                            # what differs from the shipped one (docs/priorities.md)
      moderate: {prompt: 2, soon: 2}

    assets:
      - id: lift-1                              # three lines add a lift
        class: lift
        space: floor-1
      - id: pump-1
        class: pump
        space: tower
        connection: pumps
        profile: pump-vfd-a
        address: {unit: 1}
        commands: [speed_setpoint]              # what people may command; without this line, nothing
        rules:
          vibration_high: {limits: {high: 3.5, high_high: 6 mm/s}, on_delay_s: 20}
          dry_run: {enabled: false}           # a name that its class does not have: a rule of its own

What an asset does not say comes from its class's ``defaults``, and then: its name from its id, its space from the one
outermost space, its connection where the site has only one, its profile as ``lift-mqtt`` from class and protocol.

A Modbus line on a serial port has no host and port; its options say all
(:class:`facility.connections.ModbusOptions`)::

      - id: basement
        protocol: modbus
        options: {transport: rtu, serial: /dev/ttyUSB0, baudrate: 9600, parity: none, stopbits: 2}

``${NAME}`` and ``${NAME:-default}`` (:mod:`facility.references`) may stand in a connection's host, port and options. A
password may stand there in no other way.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from functools import cache
from pathlib import Path
from zoneinfo import available_timezones

from facility.asset_entries import AssetReader
from facility.circles import circle_of
from facility.connections import resolved_connection, secret_findings, shared_line_findings
from facility.equipment import EquipmentClass
from facility.errors import ConfigurationError, Mistake
from facility.grammar import validate
from facility.holidays import check_holidays
from facility.model import Connection, SiteDescription, Space, WrittenConnection
from facility.names import space_name
from facility.priority import SHIPPED_MATRIX, PriorityMatrix, disorders, edited
from facility.site_grammar import ConnectionEntry, SiteGrammar, SpaceEntry
from facility.yaml_file import Place, YamlFile, did_you_mean, parse_yaml, read_yaml


def read_site(path: Path, classes: Mapping[str, EquipmentClass], environment: Mapping[str, str]) -> SiteDescription:
    """Read a site file.

    Args:
        path: The file.
        classes: What its assets can be.
        environment: Variables that its connections refer to.

    Raises:
        ConfigurationError: Lists every mistake with its line.
    """
    return _SiteReader(read_yaml(path), classes, environment).read()


def parse_site(
    name: str, text: str, classes: Mapping[str, EquipmentClass], environment: Mapping[str, str]
) -> SiteDescription:
    """Read a site file's text; see :func:`read_site`."""
    return _SiteReader(parse_yaml(name, text), classes, environment).read()


class _SiteReader:
    """One reading of one file; collects mistakes on its way."""

    def __init__(self, file: YamlFile, classes: Mapping[str, EquipmentClass], environment: Mapping[str, str]) -> None:
        self._file = file
        self._classes = classes
        self._environment = environment
        self._mistakes: list[Mistake] = []

    def read(self) -> SiteDescription:
        entries = validate(SiteGrammar, self._file, self._file.data, self._mistakes)
        if entries is None:
            raise ConfigurationError(self._mistakes)
        description = self._describe(entries)
        if self._mistakes:
            raise ConfigurationError(self._mistakes)
        return description

    def _describe(self, entries: SiteGrammar) -> SiteDescription:
        if entries.site.time_zone not in _time_zones():
            hint = did_you_mean(entries.site.time_zone, _time_zones())
            self._wrong(("site", "time_zone"), f"{entries.site.time_zone!r} is no IANA time zone{hint}")
        for place, message in check_holidays(entries.site.holidays):
            self._wrong(("site", "holidays", *place), message)
        for section in ("spaces", "connections", "assets"):
            self._unique((section,), [entry.id for entry in getattr(entries, section)])
        self._check_spaces(entries.spaces)
        connections = [self._connection(number, entry) for number, entry in enumerate(entries.connections)]
        for number, message in shared_line_findings(connections):
            self._wrong(("connections", number), message)
        matrix = self._matrix(entries)
        reader = AssetReader(self._file, self._classes, entries, matrix)
        assets, rules = reader.read()
        self._mistakes.extend(reader.mistakes)
        return SiteDescription(
            site_id=entries.site.id,
            name=entries.site.name,
            time_zone=entries.site.time_zone,
            spaces={entry.id: _space(entry) for entry in entries.spaces},
            connections={connection.id: connection for connection in connections},
            assets=assets,
            rules=rules,
            written_connections={entry.id: _written(entry) for entry in entries.connections},
            priority_matrix=matrix,
            holidays=entries.site.holidays,
        )

    def _wrong(self, place: Place, message: str) -> None:
        self._mistakes.append(self._file.mistake(place, message))

    def _unique(self, section: Place, ids: Iterable[Hashable]) -> None:
        seen: dict[Hashable, int] = {}
        for number, name in enumerate(ids):
            if name in seen:
                first = self._file.line((*section, seen[name], "id"))
                self._wrong((*section, number, "id"), f"{name!r} is taken on line {first}; give this one another id")
            seen.setdefault(name, number)

    def _check_spaces(self, spaces: list[SpaceEntry]) -> None:
        parents = {space.id: space.parent for space in spaces}
        for number, space in enumerate(spaces):
            place = ("spaces", number, "parent")
            if space.parent is not None and space.parent not in parents:
                self._wrong(place, f"there is no space {space.parent!r}{did_you_mean(space.parent, parents)}")
            elif circle := circle_of(space.id, parents):
                self._wrong(place, f"{' in '.join(circle)} is a circle; remove one of these parents")

    def _matrix(self, entries: SiteGrammar) -> PriorityMatrix:
        matrix = edited(SHIPPED_MATRIX, entries.priority_matrix)
        written = {(grave, band) for grave, row in entries.priority_matrix.items() for band in row}
        for disorder in disorders(matrix):
            grave, band = disorder.pair if disorder.pair in written else disorder.other
            self._wrong(("priority_matrix", grave.value, band.value), disorder.message)
        return matrix

    def _connection(self, number: int, entry: ConnectionEntry) -> Connection:
        place = ("connections", number)
        written = _written(entry)
        connection, findings = resolved_connection(entry.id, entry.protocol, written, self._environment)
        for inner, message in (*findings, *secret_findings(entry.id, written)):
            self._wrong((*place, *inner), message)
        return connection


_time_zones = cache(available_timezones)  # it walks a folder tree


def _space(entry: SpaceEntry) -> Space:
    return Space(id=entry.id, name=entry.name or space_name(entry.id, entry.kind), kind=entry.kind, parent=entry.parent)


def _written(entry: ConnectionEntry) -> WrittenConnection:
    return WrittenConnection(host=entry.host, port=str(entry.port), options=entry.options)
