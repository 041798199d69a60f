"""Reads lists of Modbus registers as makers print them into spreadsheets.

One line names the columns; their order and capitals do not matter, and neither does the delimiter:

========== =============================================================================================
name       what the register measures; needed
register   address on the wire from 0, also ``0x1F``; needed. When every number of the list is of the form
           4xxxx, 3xxxx or 1xxxx (or with six digits), the first digit is the function and counting begins at 1
unit       engineering unit, such as ``bar``
type       ``uint16`` where empty; also ``float``, ``real``, ``int``, ``dword``, ``bool``
function   1 to 4, or ``coil``, ``discrete``, ``holding``, ``input``; ``holding`` where empty
order      ``ABCD``, ``CDAB``, ``BADC``, ``DCBA``, ``big`` or ``little``
scale      what one step is worth; ``offset`` is added after it
bit        the one bit that counts, from 0
states     ``0=stopped; 1=running``
device     which of several devices on the same unit
unit id    Modbus unit (slave) number; otherwise the command says it
description, anything else: kept as a remark, or ignored
========== =============================================================================================
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from facility.errors import ConfigurationError, Mistake
from gateway.onboarding.found import FoundPoint, Shape
from gateway.onboarding.given_file import Row, Table, read_table
from gateway.onboarding.unit_names import is_none, pint_unit

_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("name", "point", "parameter", "tag", "variable", "signal", "measurement", "bezeichnung", "名称", "参数"),
    "register": ("register", "address", "addr", "reg", "registeraddress", "modbusaddress", "adresse", "地址", "寄存器"),
    "unit": ("unit", "units", "engineeringunit", "einheit", "uom", "单位"),
    "type": ("type", "datatype", "format", "datentyp", "数据类型"),
    "function": ("function", "functioncode", "fc", "registertype", "area", "objecttype", "funktion", "功能码"),
    "order": ("order", "wordorder", "byteorder", "endianness", "字序"),
    "scale": ("scale", "factor", "multiplier", "resolution", "gain", "scaling", "faktor", "倍率", "系数"),
    "offset": ("offset", "偏移"),
    "bit": ("bit", "bitnumber", "位"),
    "states": ("states", "values", "enum", "enumeration", "statetext", "zustände", "状态"),
    "device": ("device", "equipment", "asset", "gerät", "设备"),
    "unit id": ("unitid", "slave", "slaveid", "slaveaddress", "deviceid", "unitnumber", "从站", "站号"),
    "description": ("description", "comment", "remark", "remarks", "note", "beschreibung", "描述", "备注"),
}

_TYPES: Final[Mapping[str, tuple[str, ...]]] = {
    "bool": ("bool", "boolean", "bit", "coil"),
    "int16": ("int16", "s16", "short", "int", "sint16", "signed", "signed16", "i16"),
    "uint16": ("uint16", "u16", "word", "ushort", "uint", "unsigned", "unsigned16"),
    "int32": ("int32", "s32", "dint", "long", "sint32", "signed32", "i32"),
    "uint32": ("uint32", "u32", "dword", "udint", "ulong", "unsigned32"),
    "int64": ("int64", "s64", "lint", "i64"),
    "uint64": ("uint64", "u64", "lword", "ulint"),
    "float32": ("float32", "float", "real", "f32", "single", "ieee754"),
    "float64": ("float64", "double", "lreal", "f64"),
    "bcd16": ("bcd16", "bcd"),
    "bcd32": ("bcd32",),
}
_FUNCTIONS: Final[Mapping[int, tuple[str, ...]]] = {
    1: ("1", "01", "coil", "coils", "0x"),
    2: ("2", "02", "discrete", "discreteinput", "discreteinputs", "1x"),
    3: ("3", "03", "holding", "holdingregister", "holdingregisters", "4x", "hr"),
    4: ("4", "04", "input", "inputregister", "inputregisters", "3x", "ir"),
}
_ORDERS: Final = ("ABCD", "CDAB", "BADC", "DCBA", "big", "little")
_FUNCTION_OF_DIGIT: Final = {"0": 1, "1": 2, "3": 4, "4": 3}
"""First digit of a classic register number to function."""
_BIT_FUNCTIONS: Final = frozenset({1, 2})
_HOLDING: Final = 3

_CLASSIC: Final = re.compile(r"(?P<digit>[0134])(?P<number>\d{4}|\d{5})", re.ASCII)
_STATE: Final = re.compile(r"\s*(-?\d{1,9})\s*[=:]\s*(.+?)\s*")
_MOST_MISTAKES: Final = 50
_LARGEST: Final = 65_535
_LARGEST_UNIT: Final = 255
_LARGEST_BIT: Final = 63


class RegisterList(NamedTuple):
    """What a list says."""

    points: list[FoundPoint]
    remarks: list[Mistake]
    """What was read in a way that a person should know."""


def read_register_list(path: Path, *, unit_id: int) -> RegisterList:
    """Read a list of registers.

    Args:
        path: The file.
        unit_id: Of rows that say none.

    Raises:
        ConfigurationError: It is none, or has mistakes; lists them with their lines and columns.
    """
    return parse_register_list(read_table(path), unit_id=unit_id)


def parse_register_list(table: Table, *, unit_id: int) -> RegisterList:
    """Read the rows of a list of registers; see :func:`read_register_list`."""
    header = next((row for row in table.rows if {"name", "register"} <= _columns(row).keys()), None)
    if header is None:
        message = "no line names the columns; write one with at least 'name' and 'register', such as name;register;unit"
        raise ConfigurationError([table.mistake(None, message)])
    reader = _Reader(table, _columns(header), unit_id)
    rows = [row for row in table.rows if row.line > header.line and not row.cell(0).startswith("#")]
    points = reader.points(rows)
    if reader.mistakes or not points:
        nothing = [table.mistake(header, "no register stands below this line")]
        raise ConfigurationError(reader.mistakes[:_MOST_MISTAKES] or nothing)
    return RegisterList(points, reader.remarks)


class _Place(NamedTuple):
    register: int
    function: int


class _Reader:
    """One reading of one list's rows; collects mistakes on its way."""

    def __init__(self, table: Table, columns: Mapping[str, int], unit_id: int) -> None:
        self.mistakes: list[Mistake] = []
        self.remarks: list[Mistake] = []
        self._table = table
        self._columns = columns
        self._unit_id = unit_id
        self._is_classic = False

    def points(self, rows: Sequence[Row]) -> list[FoundPoint]:
        """Return the points of all rows that have no mistake."""
        numbers = [self._text(row, "register") for row in rows]
        self._is_classic = bool(numbers) and all(_CLASSIC.fullmatch(number) for number in numbers)
        if self._is_classic:
            message = "all registers have the form 40001: the first digit is taken as the function, counted from 1"
            self.remarks.append(self._table.mistake(rows[0], message, self._columns["register"]))
        return [point for row in rows if (point := self._point(row)) is not None]

    def _point(self, row: Row) -> FoundPoint | None:
        before = len(self.mistakes)
        place = self._place(row)
        unit_id = self._whole(row, "unit id", _LARGEST_UNIT, default=self._unit_id)
        entry = {} if place is None else self._entry(row, place)
        states = self._states(row)
        if not self._text(row, "name"):
            self._wrong(row, "name", "the register has no name; write what it measures")
        if len(self.mistakes) > before or place is None:
            return None
        unit = self._text(row, "unit")
        device = self._text(row, "device")
        return FoundPoint(
            name=self._text(row, "name"),
            entry=entry,
            origin=f"line {row.line}, register {place.register}",
            shape=_shape(entry, states, unit, place),
            group=device or f"{Path(self._table.name).stem} {unit_id}",
            description=self._text(row, "description"),
            unit=pint_unit(unit),
            unit_said="" if is_none(unit) else unit,
            states=states,
            address={"unit": unit_id},
        )

    def _text(self, row: Row, column: str) -> str:
        return row.cell(self._columns.get(column))

    def _wrong(self, row: Row, column: str, message: str) -> None:
        self.mistakes.append(self._table.mistake(row, message, self._columns[column]))

    def _place(self, row: Row) -> _Place | None:
        text = self._text(row, "register")
        function = self._function(row)
        if self._is_classic:
            found = _CLASSIC.fullmatch(text)
            number = int(found["number"]) - 1 if found else -1
            function = function if found is None else _FUNCTION_OF_DIGIT[found["digit"]]
        else:
            number = _register(text)
        if not 0 <= number <= _LARGEST:
            self._wrong(row, "register", f"{text[:40]!r} is no register; write a number from 0 to {_LARGEST}")
            return None
        return None if function is None else _Place(number, function)

    def _function(self, row: Row) -> int | None:
        said = _plain(self._text(row, "function"))
        found = next((number for number, names in _FUNCTIONS.items() if said in names), None) if said else _HOLDING
        if found is None:
            self._wrong(row, "function", f"{said[:40]!r} is no function; write coil, discrete, holding or input")
        return found

    def _entry(self, row: Row, place: _Place) -> dict[str, Any]:
        """Return what the profile says of a row; an empty cell is left to the driver's own default."""
        entry: dict[str, Any] = {"register": place.register}
        if place.function not in _BIT_FUNCTIONS:
            entry["type"] = self._named(row, "type", _TYPES, "uint16")
        if place.function != _HOLDING:
            entry["function"] = place.function
        order = self._text(row, "order")
        if order:
            entry["word_order"] = self._named(row, "order", {name: (name.casefold(),) for name in _ORDERS}, "")
        for column in ("scale", "offset"):
            number = self._number(row, column)
            if number is not None and number != (1.0 if column == "scale" else 0.0):
                entry[column] = number
        if self._text(row, "bit"):
            entry["bit"] = self._whole(row, "bit", _LARGEST_BIT, default=0)
        return entry

    def _named(self, row: Row, column: str, names: Mapping[str, Iterable[str]], default: str) -> str:
        said = _plain(self._text(row, column))
        found = next((name for name, aliases in names.items() if said in aliases), None) if said else default
        if found is None:
            self._wrong(row, column, f"{said[:40]!r} is not known; write one of {', '.join(names)}")
        return found or default

    def _number(self, row: Row, column: str) -> float | None:
        text = self._text(row, column)
        if not text:
            return None
        try:
            number = float(text if "." in text else text.replace(",", "."))
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or (column == "scale" and number == 0):
            self._wrong(row, column, f"{text[:40]!r} is no {column}; write a number such as 0.1")
            return None
        return number

    def _whole(self, row: Row, column: str, largest: int, *, default: int) -> int:
        text = self._text(row, column)
        if not text:
            return default
        number = _register(text)
        if not 0 <= number <= largest:
            self._wrong(row, column, f"{text[:40]!r} does not fit; write a whole number from 0 to {largest}")
        return number

    def _states(self, row: Row) -> dict[int, str]:
        text = self._text(row, "states")
        parts = [part for part in re.split(r"[;,/|\n]", text) if part.strip()]
        found = [_STATE.fullmatch(part) for part in parts]
        if any(match is None for match in found):
            self._wrong(row, "states", f"{text[:40]!r} names no states; write 0=stopped; 1=running")
        return {int(match[1]): match[2] for match in found if match is not None}


def _shape(entry: Mapping[str, Any], states: Mapping[int, str], unit: str, place: _Place) -> Shape | None:
    if place.function in _BIT_FUNCTIONS or "bit" in entry or entry.get("type") == "bool":
        return Shape.CONTACT
    if states:
        return Shape.STATES
    return Shape.QUANTITY if unit and not is_none(unit) else None


def _register(text: str) -> int:
    """Return a number, also a hexadecimal one; -1 for anything else."""
    try:
        return int(text, 16 if text[:2].casefold() == "0x" else 10) if text.isascii() and "_" not in text else -1
    except ValueError:
        return -1


def _columns(header: Row) -> dict[str, int]:
    """Return where each known column stands; a column named twice is the first."""
    found: dict[str, int] = {}
    for number, cell in enumerate(header.cells):
        said = _plain(cell)
        name = next((column for column, aliases in _ALIASES.items() if said in aliases), None)
        if name is not None:
            found.setdefault(name, number)
    return found


def _plain(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())
