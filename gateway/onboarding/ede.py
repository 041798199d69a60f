"""Reads EDE files, the list of objects that BACnet makers hand over (B.I.G.-EU, Engineering Data Exchange 2.x).

``X_EDE.csv`` lists the objects. Beside it, where the maker wrote them, stand ``X_StateTexts.csv`` (reference, then the
texts of states 1, 2 …; of a binary object inactive and active) and ``X_Units.csv`` (code, then name). Lines that begin
with ``#`` are titles, except the one that names the columns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from facility.errors import ConfigurationError, Mistake
from gateway.drivers.bacnet.discovery import FoundDevice, FoundObject, object_type_name, unit_name
from gateway.onboarding.given_file import Row, Table, read_table

COLUMNS: Final = (
    "keyname",
    "device obj.-instance",
    "object-name",
    "object-type",
    "object-instance",
    "description",
    "present-value-default",
    "min-present-value",
    "max-present-value",
    "settable",
    "supports COV",
    "hi-limit",
    "low-limit",
    "state-text-reference",
    "unit-code",
    "vendor-specific-addr",
    "notification-class",
)
"""Of layout 2.x, in its order."""

NEEDED: Final = ("device obj.-instance", "object-name", "object-type", "object-instance")

MAX_INSTANCE: Final = 4_194_302
MAX_TYPE: Final = 1023
_MOST_MISTAKES: Final = 50
_MOST_DIGITS: Final = 10
_SIDE_FILES: Final = ("StateTexts", "State-Texts", "Units", "Unit-Texts")


@dataclass(frozen=True, slots=True, kw_only=True)
class SideTables:
    """What stands beside an EDE file."""

    states: Mapping[str, tuple[str, ...]]
    """Reference to texts."""
    units: Mapping[str, str]
    """A maker's own unit codes to their texts; those of the standard need no file."""


NO_SIDE_TABLES: Final = SideTables(states={}, units={})


class EdeFile(NamedTuple):
    """What a file says."""

    devices: list[FoundDevice]
    remarks: list[Mistake]
    """What was strange, and did not keep the file from being read."""


def read_ede(path: Path) -> EdeFile:
    """Read an EDE file and what stands beside it.

    Raises:
        ConfigurationError: It is none, or has mistakes; lists them with their lines and columns.
    """
    return parse_ede(read_table(path), _side_tables(path))


def parse_ede(table: Table, side: SideTables = NO_SIDE_TABLES) -> EdeFile:
    """Read the rows of an EDE file; see :func:`read_ede`."""
    header = next((row for row in table.rows if _is_header(row)), None)
    if header is None:
        message = f"no line names the columns; an EDE file has one such as '# {';'.join(COLUMNS[:5])};…'"
        raise ConfigurationError([table.mistake(None, message)])
    columns = _columns(header)
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise ConfigurationError([table.mistake(header, f"the columns {', '.join(missing)} are missing")])
    reader = _Reader(table, columns, side)
    rows = [row for row in table.rows if row.line > header.line and not row.cell(0).startswith("#")]
    objects = [item for row in rows if (item := reader.item(row)) is not None]
    if reader.mistakes or not objects:
        nothing = [table.mistake(header, "no object stands below this line")]
        raise ConfigurationError(reader.mistakes[:_MOST_MISTAKES] or nothing)
    return EdeFile(list(_devices(objects)), reader.remarks)


class _Item(NamedTuple):
    device: int
    found: FoundObject


class _Reader:
    """One reading of one file's rows; collects mistakes on its way."""

    def __init__(self, table: Table, columns: Mapping[str, int], side: SideTables) -> None:
        self.mistakes: list[Mistake] = []
        self.remarks: list[Mistake] = []
        self._table = table
        self._columns = columns
        self._side = side
        self._seen: dict[tuple[int, int, int], int] = {}

    def item(self, row: Row) -> _Item | None:
        """Return the object of a row; ``None`` after adding a mistake or, for one that stands there twice, a remark."""
        device = self._number(row, "device obj.-instance", MAX_INSTANCE)
        kind = self._number(row, "object-type", MAX_TYPE)
        instance = self._number(row, "object-instance", MAX_INSTANCE)
        if device is None or kind is None or instance is None:
            return None
        first = self._seen.setdefault((device, kind, instance), row.line)
        if first != row.line:
            message = f"the object stands on line {first} already; this line is left out"
            self.remarks.append(self._table.mistake(row, message))
            return None
        return _Item(
            device,
            FoundObject(
                type=object_type_name(kind),
                instance=instance,
                name=self._text(row, "object-name") or self._text(row, "keyname"),
                description=self._text(row, "description"),
                unit=self._unit(row),
                states=self._states(row),
            ),
        )

    def _text(self, row: Row, column: str) -> str:
        return row.cell(self._columns.get(column))

    def _number(self, row: Row, column: str, largest: int) -> int | None:
        text = self._text(row, column)
        number = _whole(text)
        if number is not None and number <= largest:
            return number
        message = f"{column} is {text[:40]!r}; write a whole number from 0 to {largest}"
        self.mistakes.append(self._table.mistake(row, message, self._columns[column]))
        return None

    def _unit(self, row: Row) -> str:
        code = self._text(row, "unit-code")
        number = _whole(code)
        standard = "" if number is None else unit_name(number)
        return self._side.units.get(code, standard or code) if standard in {"", code} else standard

    def _states(self, row: Row) -> tuple[str, ...]:
        reference = self._text(row, "state-text-reference")
        if not reference or reference in {"0", "-"}:
            return ()
        if reference not in self._side.states:
            message = f"the texts {reference[:40]!r} stand in no StateTexts file beside it"
            self.remarks.append(self._table.mistake(row, message, self._columns["state-text-reference"]))
        return self._side.states.get(reference, ())


def _whole(text: str) -> int | None:
    """Return a whole number; ``None`` for anything else, and for what no field of BACnet could hold."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None


def _devices(items: Sequence[_Item]) -> Iterator[FoundDevice]:
    objects: defaultdict[int, list[FoundObject]] = defaultdict(list)
    for item in items:
        objects[item.device].append(item.found)
    for instance, found in objects.items():
        own = next((each for each in found if each.type == "device"), None)
        yield FoundDevice(
            instance=instance,
            name=own.name if own else "",
            description=own.description if own else "",
            objects=tuple(each for each in found if each is not own),
        )


def _is_header(row: Row) -> bool:
    return {"object-type", "object-instance"} <= _columns(row).keys()


def _columns(header: Row) -> dict[str, int]:
    """Return where each known column stands, whatever its capitals, blanks and remarks."""
    wanted = {_plain(name): name for name in COLUMNS}
    found: dict[str, int] = {}
    for number, cell in enumerate(header.cells):
        name = wanted.get(_plain(cell)) or wanted.get(_ALIASES.get(_plain(cell), ""))
        if name is not None:
            found.setdefault(name, number)
    return found


def _plain(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


_ALIASES: Final = {
    "deviceobjectinstance": "deviceobjinstance",
    "deviceinstance": "deviceobjinstance",
    "deviceobjinst": "deviceobjinstance",
    "objectkeyname": "keyname",
    "statetextref": "statetextreference",
    "unit": "unitcode",
    "units": "unitcode",
    "unitcodes": "unitcode",
}


def _side_tables(path: Path) -> SideTables:
    """Read what stands beside an EDE file; a file that is not there is none."""
    states: dict[str, tuple[str, ...]] = {}
    units: dict[str, str] = {}
    for name in _SIDE_FILES:
        table = _beside(path, name)
        for row in table.rows if table else ():
            key = row.cell(0)
            if key and not key.startswith("#"):
                texts = tuple(cell.strip() for cell in row.cells[1:])
                if name.startswith("State"):
                    states[key] = _without_empty_end(texts)
                else:
                    units[key] = row.cell(1)
    return SideTables(states=states, units=units)


def _beside(path: Path, name: str) -> Table | None:
    stem = path.stem
    for ending in ("_EDE", "-EDE", "EDE"):
        if stem.upper().endswith(ending):
            candidate = path.with_name(f"{stem[: -len(ending)]}{ending[:-3]}{name}{path.suffix}")
            return read_table(candidate) if candidate.is_file() else None
    candidate = path.with_name(f"{stem}_{name}{path.suffix}")
    return read_table(candidate) if candidate.is_file() else None


def _without_empty_end(texts: Sequence[str]) -> tuple[str, ...]:
    end = len(texts)
    while end and not texts[end - 1]:
        end -= 1
    return tuple(texts[:end])
