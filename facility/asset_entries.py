"""The assets of a site file: each takes its class's defaults, and its rules take its overrides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from facility.circles import circle_of
from facility.class_checks import check_rule
from facility.condition_checks import check_devices
from facility.equipment import EquipmentClass, RuleDefinition
from facility.errors import Mistake
from facility.grammar import Finding
from facility.life_safety import refusal, rules_refusal
from facility.model import Asset, Protocol
from facility.names import asset_name
from facility.overrides import Entry, asset_rule, where_written
from facility.priority import PriorityMatrix
from facility.site_grammar import AssetDefaults, AssetEntry, SiteGrammar
from facility.yaml_file import YamlFile, did_you_mean

PROFILE_SUFFIXES = {Protocol.MQTT: "mqtt", Protocol.MODBUS: "modbus", Protocol.BACNET_IP: "bacnet"}
"""What follows the class's name in the name of a profile that an asset does not say."""

Rules = dict[str, RuleDefinition]


class AssetReader:
    """One reading of one file's assets; collects mistakes on its way."""

    def __init__(
        self, file: YamlFile, classes: Mapping[str, EquipmentClass], entries: SiteGrammar, matrix: PriorityMatrix
    ) -> None:
        self.mistakes: list[Mistake] = []
        self._file = file
        self._classes = classes
        self._entries = entries
        self._matrix = matrix
        self._spaces = {space.id: space for space in entries.spaces}
        self._protocols = {connection.id: connection.protocol for connection in entries.connections}
        self._parents = {entry.id: self._given(entry, "parent") for entry in entries.assets}
        self._addresses: dict[str, int] = {}

    def read(self) -> tuple[dict[str, Asset], dict[str, Rules]]:
        """Return the assets and their rules, by asset id."""
        assets: dict[str, Asset] = {}
        rules: dict[str, Rules] = {}
        self._check_defaults()
        for number, entry in enumerate(self._entries.assets):
            equipment = self._classes.get(entry.class_name)
            if equipment is None:
                self._wrong(number, "class", f"there is no class {entry.class_name!r}{self._near(entry.class_name)}")
                continue
            assets[entry.id] = asset = self._asset(number, entry, equipment)
            rules[entry.id] = self._rules(number, entry, equipment)
            self._check_parent(number, entry)
            self._check_address(number, asset)
        self._check_commands(assets, rules)
        return assets, rules

    def _wrong(self, number: int, key: str, message: str) -> None:
        self.mistakes.append(self._file.mistake(("assets", number, key), message))

    def _near(self, class_name: str) -> str:
        return did_you_mean(class_name, self._classes)

    def _check_defaults(self) -> None:
        for name in self._entries.defaults:
            if name not in self._classes:
                message = f"there is no class {name!r}{self._near(name)}"
                self.mistakes.append(self._file.mistake(("defaults", name), message))

    def _asset(self, number: int, entry: AssetEntry, equipment: EquipmentClass) -> Asset:
        connection = self._connection(number, entry)
        return Asset(
            id=entry.id,
            name=entry.name or asset_name(entry.id, equipment),
            equipment_class=equipment,
            space_id=self._space(number, entry),
            parent_id=self._parents[entry.id],
            connection_id=connection,
            profile=self._given(entry, "profile") or self._usual_profile(entry, connection),
            address=self._address(entry),
            commands=tuple(dict.fromkeys(self._commands(entry))),
        )

    def _defaults(self, entry: AssetEntry) -> AssetDefaults:
        return self._entries.defaults.get(entry.class_name, AssetDefaults())

    def _given(self, entry: AssetEntry, key: str) -> str | None:
        own: str | None = getattr(entry, key)
        default: str | None = getattr(self._defaults(entry), key)
        return default if own is None and key not in entry.model_fields_set else own

    def _space(self, number: int, entry: AssetEntry) -> str:
        outermost = [space.id for space in self._spaces.values() if space.parent is None]
        return self._chosen(number, entry, "space", self._spaces, outermost)

    def _connection(self, number: int, entry: AssetEntry) -> str:
        return self._chosen(number, entry, "connection", self._protocols, list(self._protocols))

    def _chosen(self, number: int, entry: AssetEntry, key: str, known: Mapping[str, Any], usual: list[str]) -> str:
        """Return what the asset or its class's defaults say, or the only choice there is."""
        given = self._given(entry, key)
        if given is None and len(usual) == 1:
            return usual[0]
        if given is None:
            self._wrong(
                number, key, f"{entry.id} has no {key}; add {key}: … here or in defaults{did_you_mean('', known)}"
            )
        elif given not in known:
            self._wrong(number, key, f"there is no {key} {given!r}{did_you_mean(given, known)}")
        return given or ""

    def _usual_profile(self, entry: AssetEntry, connection: str) -> str:
        protocol = self._protocols.get(connection)
        return "" if protocol is None else f"{entry.class_name}-{PROFILE_SUFFIXES[protocol]}"

    def _address(self, entry: AssetEntry) -> dict[str, Any]:
        template = self._defaults(entry).address
        filled = {
            key: value.replace("{id}", entry.id) if isinstance(value, str) else value for key, value in template.items()
        }
        return {**filled, **entry.address}

    def _commands(self, entry: AssetEntry) -> list[str]:
        return entry.commands if "commands" in entry.model_fields_set else self._defaults(entry).commands

    def _check_commands(self, assets: Mapping[str, Asset], rules: Mapping[str, Rules]) -> None:
        """Refuse commands on points that do not exist, and on everything that is about life safety."""
        numbers = {entry.id: number for number, entry in enumerate(self._entries.assets)}
        for asset in assets.values():
            for name in asset.commands:
                points = asset.equipment_class.points
                if name not in points:
                    message = f"{asset.equipment_class.name} has no point {name!r}{did_you_mean(name, points)}"
                    self._wrong(numbers[asset.id], "commands", message)
                elif reason := refusal(assets, asset, name) or rules_refusal(rules[asset.id].values(), name):
                    self._wrong(numbers[asset.id], "commands", f"{reason}; remove {name} from 'commands'")

    def _check_parent(self, number: int, entry: AssetEntry) -> None:
        parent = self._parents[entry.id]
        if parent is None:
            return
        if parent not in self._parents:
            self._wrong(number, "parent", f"there is no asset {parent!r}{did_you_mean(parent, self._parents)}")
        elif circle := circle_of(entry.id, self._parents):
            self._wrong(number, "parent", f"{' in '.join(circle)} is a circle; remove one of these parents")

    def _check_address(self, number: int, asset: Asset) -> None:
        """Refuse one device twice; on a BACnet device objects of two profiles may share a number."""
        if asset.connection_id not in self._protocols:
            return
        profile = asset.profile if self._protocols[asset.connection_id] is Protocol.BACNET_IP else ""
        where = repr((asset.connection_id, profile, sorted(asset.address.items())))
        first = self._addresses.setdefault(where, number)
        if first != number:
            other = self._entries.assets[first].id
            line = self._file.line(("assets", first))
            said = ", ".join(f"{key}: {value}" for key, value in asset.address.items()) or "none"
            message = f"{asset.id} has the address of {other} on line {line} ({said}); give each device its own"
            self._wrong(number, "address", message)

    def _rules(self, number: int, entry: AssetEntry, equipment: EquipmentClass) -> Rules:
        rules = dict(equipment.rules)
        for name, written in entry.rules.items():
            made, findings = asset_rule(equipment, name, written)
            self._tell(number, name, written, findings)
            if made is not None:
                rules[name] = made
            elif not findings:
                rules.pop(name, None)
        if entry.rules:
            self._check_rules(number, entry, equipment.model_copy(update={"rules": rules}))
        return {name: rule.under(self._matrix) for name, rule in rules.items()}

    def _check_rules(self, number: int, entry: AssetEntry, as_it_is: EquipmentClass) -> None:
        """Check all rules of an asset with overrides: one that nobody changed may be about one that was."""
        for name, rule in as_it_is.rules.items():
            findings = [*check_rule(as_it_is, rule), *check_devices(rule, self._classes)]
            self._tell(number, name, entry.rules.get(name, {}), findings)

    def _tell(self, number: int, name: str, written: Entry, findings: Iterable[Finding]) -> None:
        place = ("assets", number, "rules", name)
        for inner, message in where_written(written, findings):
            self.mistakes.append(self._file.mistake((*place, *inner), message))
