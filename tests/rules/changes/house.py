"""A house with two pumps in a database, whose rules several people change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import Engine

from app.retirement import retire_what_is_gone
from facility.class_files import load_classes
from facility.equipment import EquipmentClass
from facility.model import Facility, SiteDescription
from facility.site_file import parse_site
from facility.storage.database import reading
from facility.storage.repository import import_site, load_facility
from people.model import Account, Role
from rules.changes import repository, service
from rules.changes.installed import with_rules
from rules.changes.model import Decided, LiveRule, RuleChange, Wanted
from tests.databases import employ

CLASSES = load_classes()
RULE = "vibration_high"
CLASS_LIMIT = 4.5
"""The class's limit ``high``, in mm/s; ``high_high`` is 7.1."""
OFF = "off"

HEAD = """\
site: {id: house, name: House, time_zone: Asia/Shanghai}
spaces: [{id: house, kind: building}]
connections: [{id: line, protocol: modbus, host: 127.0.0.1, port: 9}]
assets:
"""


def site_text(limits: Mapping[str, float | str | None]) -> str:
    """Return a site file; ``limits`` of the rule by pump: a number, ``off``, or ``None`` for the class's own."""
    lines = [HEAD]
    for number, (asset_id, limit) in enumerate(limits.items(), start=1):
        rules = ""
        if limit is not None:
            change = "{enabled: false}" if limit == OFF else f"{{limits: {{high: {limit}}}}}"
            rules = f", rules: {{{RULE}: {change}}}"
        lines.append(f"  - {{id: {asset_id}, class: pump, profile: pump-vfd-a, address: {{unit: {number}}}{rules}}}\n")
    return "".join(lines)


@cache
def described(text: str) -> SiteDescription:
    """Read a site file with the shipped classes."""
    return parse_site("site.yaml", text, CLASSES, {})


BOTH: Mapping[str, float | str | None] = {"pump-1": None, "pump-2": None}


@dataclass
class House:
    """The database, the site as a running process would hold it, and people."""

    database: Engine
    facility: Facility = field(init=False)
    people: dict[str, Account] = field(default_factory=dict)
    classes: Mapping[str, EquipmentClass] = field(default_factory=lambda: CLASSES)
    now_ns: int = 1_000

    def __post_init__(self) -> None:
        with self.database.begin() as connection:
            for name, role in (("ada", Role.ENGINEER), ("bo", Role.ENGINEER), ("cy", Role.SUPERVISOR)):
                self.people[name] = employ(connection, role, login=name)
        self.import_site(site_text(BOTH))

    def import_site(self, text: str, *, author: str = "ada", reason: str = "site file") -> RuleChange | None:
        self.now_ns += 1
        description = described(text) if self.classes is CLASSES else parse_site("site.yaml", text, self.classes, {})
        with self.database.begin() as connection:
            decisions = import_site(connection, description, author=author, reason=reason, now_ns=self.now_ns)
            change = service.record_site_file(
                connection, decisions, reason=reason, author=self.people[author], now_ns=self.now_ns
            )
            self.facility = load_facility(connection, self.classes, {})
            retire_what_is_gone(connection, self.facility, now_ns=self.now_ns)
        return change

    def propose(self, person: str, *wanted: Wanted, reason: str = "it shakes") -> RuleChange:
        self.now_ns += 1
        with self.database.begin() as connection:
            return service.propose(
                connection, self.facility, wanted, reason=reason, actor=self.people[person], now_ns=self.now_ns
            )

    def approve(self, person: str, change: RuleChange, *, comment: str = "looked at the trend") -> Decided:
        self.now_ns += 1
        with self.database.begin() as connection:
            decided = service.approve(
                connection,
                self.facility,
                change.id,
                version=change.version,
                comment=comment,
                actor=self.people[person],
                now_ns=self.now_ns,
            )
        return self._taken(decided)

    def reject(self, person: str, change: RuleChange) -> RuleChange:
        with self.database.begin() as connection:
            actor = self.people[person]
            return service.reject(
                connection, change.id, version=change.version, comment="too high", actor=actor, now_ns=self.now_ns
            )

    def withdraw(self, person: str, change: RuleChange) -> RuleChange:
        with self.database.begin() as connection:
            actor = self.people[person]
            return service.withdraw(
                connection, change.id, version=change.version, comment="", actor=actor, now_ns=self.now_ns
            )

    def roll_back(self, person: str, address: str, *, to: int, base: int | None = None) -> Decided:
        self.now_ns += 1
        live = self.live(address)
        with self.database.begin() as connection:
            decided = service.roll_back(
                connection,
                self.facility,
                live.rule_id,
                to=to,
                base=live.revision if base is None else base,
                reason="it was better",
                actor=self.people[person],
                now_ns=self.now_ns,
            )
        return self._taken(decided)

    def _taken(self, decided: Decided) -> Decided:
        self.facility = with_rules(self.facility, decided.rules)
        return decided

    def live(self, address: str) -> LiveRule:
        found = self.find(address)
        assert found is not None
        return found

    def find(self, address: str) -> LiveRule | None:
        asset_id, name = address.split("/")
        with reading(self.database) as connection:
            return next(iter(repository.rules_named(connection, [(asset_id, name)])), None)

    def loaded(self) -> Facility:
        """Return the site as a start of the process would load it."""
        with reading(self.database) as connection:
            return load_facility(connection, self.classes, {})

    def wanted(self, address: str, limit: float | None, *, base: int | None = None) -> Wanted:
        """Return a revision of a rule that exists or is new: another limit, or ``None`` to switch it off."""
        live = self.find(address)
        asset_id, name = address.split("/")
        revision = 0 if live is None else live.revision
        return Wanted(
            asset_id=asset_id,
            name=name,
            base=revision if base is None else base,
            definition=None if limit is None else definition(limit),
        )


def definition(limit: float = CLASS_LIMIT) -> dict[str, Any]:
    """Return the class's rule with another limit, as people write it."""
    written = CLASSES["pump"].rules[RULE].model_dump(mode="json", exclude={"name"})
    written["condition"]["limits"]["high"]["value"] = limit
    return written


def limit_of(written: Mapping[str, Any] | None) -> float | None:
    """Return the limit of a definition; ``None``: it is off."""
    value: float | None = None if written is None else written["condition"]["limits"]["high"]["value"]
    return value
