"""Brings the rules of a site file into the database: the latest decision about a rule wins.

A file decides about a rule where it says something else than it did last time. Where it says the same again, as at
every start, a rule that was changed since by review stays as it is. What the file last said therefore stands beside the
live definition while the two differ.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import ValidationError
from sqlalchemy import bindparam, insert, select, update

from facility.class_checks import check_rule
from facility.equipment import EquipmentClass, RuleDefinition
from facility.storage.configuration_journal import Change, Import, Row, write_down
from facility.storage.tables import rule

Written = dict[str, Any]
"""A rule's definition as JSON."""

_COLUMNS = ("point_key", "definition", "revision", "follows_file", "file_definition", "position", "retired_ns")
"""What an import may change of a rule that the database has."""


class RuleDecision(NamedTuple):
    """A rule that an import changed."""

    rule_id: int
    asset_id: str
    name: str
    revision: int
    """The number that it has now."""
    before: Written | None
    """``None``: it was off."""
    after: Written | None
    """``None``: it is off."""
    note: str | None
    """Why it was changed although the file says the same as before; ``None``: the file says something else."""


@dataclass(slots=True)
class _Held:
    """One rule that the database has, and what becomes of it."""

    row: Row
    wish: Row | None
    """What the file wants; ``None``: it does not have the rule."""
    live: Written | None
    follows: bool
    note: str | None = None

    @property
    def was(self) -> Written | None:
        """Return what was live before."""
        return _live(self.row)

    @property
    def says(self) -> Written | None:
        """Return what the file says now."""
        return None if self.wish is None else self.wish["definition"]

    def follow(self, note: str | None = None) -> None:
        """Let the file decide."""
        self.live, self.follows, self.note = self.says, True, note


def import_rules(
    run: Import, wanted: Sequence[Row], classes: Mapping[str, EquipmentClass], point_keys: Mapping[tuple[str, str], int]
) -> list[RuleDecision]:
    """Make the database hold the rules as a file has them, where the file has the last word.

    Args:
        run: The import.
        wanted: A row for each rule that the file has: asset, name, point, definition and position.
        classes: The class of each asset that the file has.
        point_keys: The key of each asset's point.

    Returns:
        What it changed of rules that the database had already.
    """
    wished = {(row["asset_id"], row["name"]): row for row in wanted}
    rows = [row._asdict() for row in run.connection.execute(select(rule).order_by(rule.c.id))]
    held = [_held(row, wished.pop((row["asset_id"], row["name"]), None), classes) for row in rows]
    _drop_impossible(held, classes)
    _insert(run, list(wished.values()))
    _update(run, held, point_keys)
    decisions = [_decision(each) for each in held if not is_same(each.was, each.live)]
    write_down(run, "rule", [_change(decision) for decision in decisions])
    return decisions


def is_same(one: Written | None, other: Written | None) -> bool:
    """Tell whether two definitions mean the same, also if an older version of Watchkeeper left out newer keys."""
    if one == other:
        return True
    if one is None or other is None:
        return False
    newer = _read(one), _read(other)
    return newer[0] is not None and newer[0] == newer[1]


def _read(written: Written) -> RuleDefinition | None:
    try:
        return RuleDefinition.model_validate(written)
    except ValidationError:
        return None


def _live(row: Row) -> Written | None:
    return row["definition"] if row["retired_ns"] is None else None


def _held(row: Row, wish: Row | None, classes: Mapping[str, EquipmentClass]) -> _Held:
    each = _Held(row, wish, _live(row), row["follows_file"])
    said = each.was if each.follows else row["file_definition"]
    if each.follows or row["asset_id"] not in classes or not is_same(said, each.says):
        each.follow()
    return each


def _drop_impossible(held: Iterable[_Held], classes: Mapping[str, EquipmentClass]) -> None:
    """Let the file decide about changed rules that their asset's class no longer allows."""
    rules: defaultdict[str, list[_Held]] = defaultdict(list)
    for each in held:
        rules[each.row["asset_id"]].append(each)
    for asset_id, siblings in rules.items():
        if all(each.follows or each.live is None for each in siblings):
            continue
        living = {each.row["name"]: _read(each.live) for each in siblings if each.live is not None}
        known = {name: definition for name, definition in living.items() if definition is not None}
        equipment = classes[asset_id].model_copy(update={"rules": known})
        for each in siblings:
            fault = None if each.follows or each.live is None else _fault(equipment, living[each.row["name"]])
            if fault is not None:
                each.follow(f"its class no longer allows what was live: {fault}")


def _fault(equipment: EquipmentClass, definition: RuleDefinition | None) -> str | None:
    if definition is None:
        return "this version of Watchkeeper cannot read it"
    return next((message for _, message in check_rule(equipment, definition)), None)


def _insert(run: Import, rows: Sequence[Row]) -> None:
    if rows:
        run.connection.execute(insert(rule), rows)
        write_down(run, "rule", [Change(f"{row['asset_id']}/{row['name']}", None, _meant(row)) for row in rows])


def _update(run: Import, held: Iterable[_Held], point_keys: Mapping[tuple[str, str], int]) -> None:
    updates = [(each.row, _values(each, run.now_ns, point_keys)) for each in held]
    changed = [
        {"rule_id": row["id"], **{f"new_{key}": value for key, value in values.items()}}
        for row, values in updates
        if any(row[key] != values[key] for key in values)
    ]
    if changed:
        new: dict[str, Any] = {key: bindparam(f"new_{key}") for key in _COLUMNS}
        run.connection.execute(update(rule).where(rule.c.id == bindparam("rule_id")).values(new), changed)


def _values(each: _Held, now_ns: int, point_keys: Mapping[tuple[str, str], int]) -> Row:
    row, definition = each.row, each.live or each.row["definition"]
    changed = not is_same(each.was, each.live)
    return {
        "point_key": row["point_key"] if each.live is None else point_keys[row["asset_id"], definition["point"]],
        "definition": definition,
        "revision": row["revision"] + changed,
        "follows_file": each.follows,
        "file_definition": None if each.follows else each.says,
        "position": row["position"] if each.wish is None else each.wish["position"],
        "retired_ns": None if each.live is not None else row["retired_ns"] or now_ns,
    }


def _decision(each: _Held) -> RuleDecision:
    row = each.row
    return RuleDecision(row["id"], row["asset_id"], row["name"], row["revision"] + 1, each.was, each.live, each.note)


def _change(decision: RuleDecision) -> Change:
    asset_id, name = decision.asset_id, decision.name
    before, after = (
        None if definition is None else _meant({"asset_id": asset_id, "name": name, "definition": definition})
        for definition in (decision.before, decision.after)
    )
    return Change(f"{asset_id}/{name}", before, after)


def _meant(row: Row) -> Row:
    return {key: row[key] for key in ("asset_id", "name", "definition")}
