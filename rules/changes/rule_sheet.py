"""Rules as a sheet: one row for each limit, or one for a rule without limits, for bulk work in a spreadsheet.

====================  ==============================================================================================
asset, rule           which rule; needed. Rules are neither added nor given other texts here (YAML does that)
revision              the live one when the sheet was written: a row that changes a rule which was changed since is
                      refused; empty: not looked at
enabled               ``no`` switches the rule off
limit                 ``low_low``, ``low``, ``high`` or ``high_high``; empty where the rule has no limits
value                 of the limit, in ``unit``; ``none`` takes the limit away. A new limit is a new row
unit                  may be another one than the point's: ``176`` and ``degF``
deadband … smoothing  settings of the condition; the same in all rows of a rule, or changed in one of them
consequence_class,    of the rule; ``limit_…`` those of one limit, where it has its own
time_to_respond_min
====================  ==============================================================================================

An empty cell leaves what is; so does a column that is not there. Spreadsheets' byte order marks, semicolons and decimal
commas are read.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from facility.conditions import Forecast, Limited, LimitSide, MovingThreshold, RateOfChange
from facility.errors import Mistake
from facility.model import Facility, Rule
from facility.units import display_unit
from facility.yaml_file import Place, did_you_mean
from rules.changes.bulk import Entry, Reading
from rules.changes.model import Address, Head

SETTINGS: Final = (
    "deadband",
    "on_delay_s",
    "off_delay_s",
    "timeout_s",
    "window_s",
    "window_h",
    "horizon_h",
    "for_s",
    "tolerance",
    "count",
    "percentile",
    "sample_s",
    "smoothing",
    "limit_factor",
)
"""Numbers of a condition besides its limits."""
OF_RULE: Final = ("consequence_class", "time_to_respond_min")
COLUMNS: Final = (
    "asset",
    "rule",
    "revision",
    "enabled",
    "limit",
    "value",
    "unit",
    *SETTINGS,
    *OF_RULE,
    *(f"limit_{key}" for key in OF_RULE),
)

_YES, _NO = frozenset({"yes", "true", "1", "on", "是"}), frozenset({"no", "false", "0", "off", "否"})
_NONE: Final = "none"
_DECIMAL_COMMA: Final = re.compile(r"[-+]?\d+,\d+")
_DELIMITERS: Final = ";\t,"

Cells = Mapping[str, str]
"""Column to what stands in it, without blanks around it; a column that the file has not is absent."""


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    """Counted from 1."""
    cells: Cells


def write_sheet(facility: Facility, heads: Mapping[Address, Head]) -> str:
    """Return all rules of a site that are on, for a spreadsheet: with a byte order mark, since it then reads UTF-8."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    for rule in facility.rules.values():
        writer.writerows(_cells(facility, rule, heads))
    return "\ufeff" + out.getvalue()


def read_sheet(name: str, text: str, facility: Facility, heads: Mapping[Address, Head]) -> Reading:
    """Read a sheet; see :mod:`rules.changes.rule_sheet` for its columns."""
    reader = _Reader(name, facility, heads)
    reader.read(text.removeprefix("\ufeff"))
    return Reading(entries=reader.entries, mistakes=reader.mistakes, unchanged=reader.unchanged)


def _cells(facility: Facility, rule: Rule, heads: Mapping[Address, Head]) -> list[dict[str, str]]:
    """Return the rows of a rule as it is live."""
    definition = rule.definition
    condition, settings = definition.condition, vars(definition.condition)
    head = heads.get((rule.asset_id, definition.name))
    common = {
        "asset": rule.asset_id,
        "rule": definition.name,
        "revision": "" if head is None else str(head.revision),
        "enabled": "yes",
        **{key: _shown(settings.get(key)) for key in SETTINGS},
        **{key: _shown(getattr(definition, key)) for key in OF_RULE},
    }
    unit = display_unit(facility.points[rule.point_key].definition.unit)
    if isinstance(condition, Forecast):
        return [{**common, "value": _shown(condition.limit), "unit": unit}]
    if not isinstance(condition, Limited | MovingThreshold):
        return [common]
    if isinstance(condition, RateOfChange):
        unit = f"{unit}/{condition.per}"
    return [
        {
            **common,
            "limit": side.value,
            "value": _shown(getattr(limit, _value_key(condition))),
            "unit": unit,
            **{f"limit_{key}": _shown(getattr(limit, key)) for key in OF_RULE},
        }
        for side, limit in condition.limits.items()
    ]


def _value_key(condition: object) -> str:
    return "offset" if isinstance(condition, MovingThreshold) else "value"


def _shown(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.12g}" if isinstance(value, float) else str(value)


@dataclass(slots=True)
class _Reader:
    """One reading of one sheet; collects mistakes on its way."""

    name: str
    facility: Facility
    heads: Mapping[Address, Head]
    entries: list[Entry] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    unchanged: int = 0
    decimal_comma: bool = False

    def read(self, text: str) -> None:
        groups: defaultdict[Address, list[_Row]] = defaultdict(list)
        for row in self._rows(text):
            groups[row.cells.get("asset", ""), row.cells.get("rule", "")].append(row)
        rules = {(rule.asset_id, rule.definition.name): rule for rule in self.facility.rules.values()}
        for address, rows in groups.items():
            rule = rules.get(address)
            if rule is None:
                self.wrong(rows[0], self._unknown(address, rules))
            elif self._is_as_live(rule, rows):
                self.unchanged += 1
            else:
                self._change(rule, rows)

    def wrong(self, row: _Row | None, message: str) -> None:
        self.mistakes.append(Mistake(self.name, 1 if row is None else row.line, message))

    def _rows(self, text: str) -> Iterator[_Row]:
        header = text.partition("\n")[0]
        delimiter = max(_DELIMITERS, key=header.count)
        self.decimal_comma = delimiter != ","
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            columns = [cell.strip().lower() for cell in next(reader, [])]
            if not self._knows(columns):
                return
            line = reader.line_num
            for cells in reader:
                row = _Row(line + 1, {key: cell.strip() for key, cell in zip(columns, cells, strict=False) if key})
                line = reader.line_num
                if any(row.cells.values()):
                    yield row
        except csv.Error as error:
            self.wrong(_Row(reader.line_num, {}), f"is no table here: {error}; export it as CSV again")

    def _knows(self, columns: Sequence[str]) -> bool:
        before = len(self.mistakes)
        for column in filter(None, columns):
            if column not in COLUMNS:
                self.wrong(None, f"there is no column {column!r}{did_you_mean(column, COLUMNS)}")
            elif columns.count(column) > 1:
                self.wrong(None, f"the column {column!r} stands here twice; remove one")
        for column in ("asset", "rule"):
            if column not in columns:
                self.wrong(None, f"the column {column!r} is missing; the first line names the columns")
        return len(self.mistakes) == before

    def _unknown(self, address: Address, rules: Mapping[Address, Rule]) -> str:
        asset_id, name = address
        if asset_id not in self.facility.assets:
            return f"there is no asset {asset_id!r}{did_you_mean(asset_id, self.facility.assets)}"
        if address in self.heads:
            return f"{asset_id}/{name} is switched off; roll it back, or import it as YAML"
        hint = did_you_mean(name, [known for owner, known in rules if owner == asset_id])
        return f"{asset_id} has no rule {name!r}{hint}; new rules are imported as YAML"

    def _is_as_live(self, rule: Rule, rows: Sequence[_Row]) -> bool:
        """Tell quickly whether rows say what is live: most of a sheet does."""
        live = _cells(self.facility, rule, self.heads)
        return len(live) == len(rows) and all(
            all(row.cells[key] in ("", was.get(key, "")) for key in row.cells)
            and row.cells.get("limit", "") == was.get("limit", "")
            for row, was in zip(rows, live, strict=True)
        )

    def _change(self, rule: Rule, rows: Sequence[_Row]) -> None:
        change = _Change(self, rule, rows)
        definition = change.made()
        if change.is_right:
            address = rule.asset_id, rule.definition.name
            self.entries.append(Entry(asset_id=address[0], name=address[1], definition=definition, line=change.line))

    def number(self, text: str) -> float | str:
        """Return a cell's number, or its text for whoever knows units."""
        if self.decimal_comma and _DECIMAL_COMMA.fullmatch(text):
            text = text.replace(",", ".")
        try:
            return float(text)
        except ValueError:
            return text


class _Change:
    """What the rows of one rule make of it."""

    def __init__(self, reader: _Reader, rule: Rule, rows: Sequence[_Row]) -> None:
        self._reader = reader
        self._rule = rule
        self._rows = rows
        self._before = len(reader.mistakes)
        self._lines: dict[Place, int] = {}
        self._live = _cells(reader.facility, rule, reader.heads)
        self._definition: dict[str, Any] = rule.definition.model_dump(mode="json", exclude={"name"})
        self._condition: dict[str, Any] = self._definition["condition"]

    @property
    def is_right(self) -> bool:
        """Tell whether no mistake was found."""
        return len(self._reader.mistakes) == self._before

    def line(self, place: Place) -> int:
        """Return the line that a place of the definition came from."""
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place, self._rows[0].line)

    def made(self) -> dict[str, Any] | None:
        """Return the changed definition; ``None``: it is switched off."""
        self._check_revision()
        for key in SETTINGS:
            self._set(self._condition, key, ("condition", key))
        for key in OF_RULE:
            self._set(self._definition, key, (key,))
        seen: dict[str, int] = {}
        for row in self._rows:
            side = row.cells.get("limit", "")
            if seen.setdefault(side, row.line) != row.line:
                what = f"the limit {side}" if side else "the rule without a limit"
                self._wrong(row, f"{what} stands on line {seen[side]} already; remove one of the two")
            else:
                self._take_limit(row, side)
        return self._definition if self._is_enabled() else None

    def _wrong(self, row: _Row, message: str) -> None:
        self._reader.wrong(row, f"{self._rule.asset_id}/{self._rule.definition.name}: {message}")

    def _check_revision(self) -> None:
        now = self._live[0]["revision"]
        for row in self._rows:
            said = row.cells.get("revision", "")
            if said not in ("", now):
                self._wrong(row, f"it is revision {now} by now, not {said}; export it again and change it there")
                return

    def _is_enabled(self) -> bool:
        said = [(row, row.cells["enabled"].lower()) for row in self._rows if row.cells.get("enabled")]
        for row, word in said:
            if word not in _YES | _NO:
                self._wrong(row, f"enabled is {word!r}; write yes or no")
        return not any(word in _NO for _, word in said)

    def _set(self, target: dict[str, Any], key: str, place: Place) -> None:
        """Take a number or word that all rows share, from the rows that change it."""
        was = self._live[0].get(key, "")
        changed = {text: row for row in reversed(self._rows) if (text := row.cells.get(key, "")) not in ("", was)}
        if not changed:
            return
        *others, (text, row) = changed.items()
        if others:
            other_text, other = others[-1]
            self._wrong(other, f"{key} is {other_text} here and {text} on line {row.line}; write one of them in both")
        elif key not in target:
            self._wrong(row, f"a condition of type {self._condition['type']} has no {key}; leave the cell empty")
        else:
            target[key] = self._cell(text)
            self._lines[place] = row.line

    def _cell(self, text: str) -> float | str | None:
        return None if text.lower() == _NONE else self._reader.number(text)

    def _take_limit(self, row: _Row, side: str) -> None:
        if not side:
            self._take_single(row)
            return
        limits = self._condition.get("limits")
        if limits is None:
            self._wrong(
                row, f"a condition of type {self._condition['type']} has no limits; leave limit and value empty"
            )
        elif side not in set(LimitSide):
            self._wrong(row, f"there is no limit {side!r}{did_you_mean(side, [each.value for each in LimitSide])}")
        elif row.cells.get("value", "").lower() == _NONE:
            self._remove(row, limits, side)
        else:
            self._change_limit(row, limits, side)

    def _take_single(self, row: _Row) -> None:
        """Take the value of a condition that has one limit without a side, such as a forecast."""
        value = row.cells.get("value", "")
        if "limits" in self._condition:
            self._wrong(row, "the cell limit is empty; write low_low, low, high or high_high")
        elif value and "limit" not in self._condition:
            self._wrong(row, f"a condition of type {self._condition['type']} has no limits; leave value empty")
        elif value and (value != self._live[0].get("value", "") or self._unit(row)):
            self._condition["limit"] = self._measured(row, value)
            self._lines["condition", "limit"] = row.line

    def _remove(self, row: _Row, limits: dict[str, Any], side: str) -> None:
        limits.pop(side, None)
        self._lines["condition", "limits"] = row.line
        if not limits:
            self._wrong(row, "no limit is left; write enabled no to switch the rule off")

    def _change_limit(self, row: _Row, limits: dict[str, Any], side: str) -> None:
        is_new, key = side not in limits, _value_key(self._rule.definition.condition)
        limit = dict(limits.get(side, {}))
        value = row.cells.get("value", "")
        was = next((each.get("value", "") for each in self._live if each.get("limit") == side), "")
        if is_new and (not value or key == "offset"):
            self._wrong(row, f"there was no limit {side}; give it a value (and, if it moves, its point by YAML)")
            return
        if value and (value != was or self._unit(row)):
            limit[key] = self._measured(row, value)
        for own in OF_RULE:
            text = row.cells.get(f"limit_{own}", "")
            if text and text != _shown(limit.get(own)):
                limit[own] = self._cell(text)
        limits[side] = limit
        self._lines["condition", "limits", side] = row.line

    def _unit(self, row: _Row) -> str:
        """Return the unit that a row writes, empty where it is the rule's own."""
        unit = row.cells.get("unit", "")
        return "" if unit in (self._live[0].get("unit", ""), self._own_unit()) else unit

    def _own_unit(self) -> str:
        """Return the unit of the rule's values in pint's spelling."""
        unit, condition = (
            self._reader.facility.points[self._rule.point_key].definition.unit,
            self._rule.definition.condition,
        )
        return f"{unit}/{condition.per}" if isinstance(condition, RateOfChange) else unit

    def _measured(self, row: _Row, value: str) -> float | str:
        number, unit = self._reader.number(value), self._unit(row)
        return f"{number:.17g} {unit}" if unit and isinstance(number, float) else number
