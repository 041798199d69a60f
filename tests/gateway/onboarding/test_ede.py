"""EDE files: what is written comes back, and what is no EDE file is told with line and column."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facility.errors import ConfigurationError
from gateway.drivers.bacnet.discovery import FoundDevice, FoundObject, object_type_name, unit_name
from gateway.onboarding.ede import COLUMNS, NO_SIDE_TABLES, SideTables, parse_ede, read_ede
from gateway.onboarding.given_file import LARGEST, parse_table

TYPES = {object_type_name(number): number for number in (0, 2, 3, 5, 13, 19, 21, 22)}
UNITS = {unit_name(number): number for number in (62, 98, 135, 144)}

texts = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20).filter(
    lambda text: not text.startswith("#")
)
objects = st.builds(
    FoundObject,
    type=st.sampled_from(list(TYPES)),
    instance=st.integers(0, 4_194_302),
    name=texts,
    description=st.one_of(st.just(""), texts),
    unit=st.sampled_from(["", *UNITS]),
    states=st.one_of(st.just(()), st.lists(texts, min_size=1, max_size=4).map(tuple)),
)
devices = st.lists(
    st.builds(
        FoundDevice,
        instance=st.integers(0, 4_194_302),
        objects=st.lists(objects, min_size=1, max_size=6, unique_by=lambda each: each.id).map(tuple),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda each: each.instance,
)


def written(found: list[FoundDevice], delimiter: str) -> tuple[str, SideTables]:
    """Return devices as an EDE file, and the state texts beside it."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter)
    writer.writerows([["# made by a test"], ["VERSION_OF_LAYOUT", "2.2"], [f"# {COLUMNS[0]}", *COLUMNS[1:]]])
    states: dict[str, tuple[str, ...]] = {}
    for device in found:
        for each in device.objects:
            reference = str(len(states) + 1) if each.states else ""
            if each.states:
                states[reference] = each.states
            cells = ["key", device.instance, each.name, TYPES[each.type], each.instance, each.description]
            writer.writerow([*cells, *[""] * 7, reference, UNITS.get(each.unit, ""), "", ""])
    return buffer.getvalue(), SideTables(states=states, units={})


@given(devices, st.sampled_from(";,\t"))
@settings(max_examples=40)
def test_what_a_maker_writes_is_what_is_read(found: list[FoundDevice], delimiter: str) -> None:
    text, side = written(found, delimiter)
    read = parse_ede(parse_table("x_EDE.csv", text), side)
    assert read.devices == found
    assert read.remarks == []


@given(st.text(max_size=300))
def test_garbage_is_refused_in_words(text: str) -> None:
    try:
        parse_ede(parse_table("x_EDE.csv", text))
    except (ConfigurationError, csv.Error) as error:
        refusal = str(error)
    else:
        refusal = "none: it was read"
    assert refusal


@given(st.text(st.characters(exclude_characters="\r\n"), max_size=60), st.integers(0, 5))
def test_a_cell_of_garbage_is_told_with_its_line_or_read(cell: str, column: int) -> None:
    cells = ["key", "1", "name", "0", "5", "description"]
    cells[column] = cell
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=";")
    writer.writerows([[f"# {COLUMNS[0]}", *COLUMNS[1:]], ["k", "1", "first", "0", "1", ""], cells])
    try:
        read = parse_ede(parse_table("x_EDE.csv", buffer.getvalue()))
    except ConfigurationError as error:
        lines = {mistake.line for mistake in error.mistakes}
    except csv.Error:
        lines = {3}
    else:
        lines = {3 for device in read.devices for each in device.objects if each.name == "first"}
    assert lines == {3}


def test_a_mistake_is_told_with_line_column_and_mend(tmp_path: Path) -> None:
    path = tmp_path / "plant_EDE.csv"
    path.write_text(
        "# keyname;device obj.-instance;object-name;object-type;object-instance\nk;1;a;0;1\nk;1;b;analog;x\n"
    )
    with pytest.raises(ConfigurationError) as refused:
        read_ede(path)
    assert [str(mistake).removeprefix(str(path)) for mistake in refused.value.mistakes] == [
        ":3: column 4: object-type is 'analog'; write a whole number from 0 to 1023",
        ":3: column 5: object-instance is 'x'; write a whole number from 0 to 4194302",
    ]


def test_state_texts_and_units_stand_in_files_beside_it(tmp_path: Path) -> None:
    header = ";".join(COLUMNS)
    (tmp_path / "plant_EDE.csv").write_text(
        f"#{header}\nk;7;PLANT;8;7\nk;7;a;3;1;;;;;;;;;4;\nk;7;b;0;2;;;;;;;;;;900\n", encoding="utf-8-sig"
    )
    (tmp_path / "plant_StateTexts.csv").write_text("#no;1;2\n4;closed;open;;\n", encoding="utf-16")
    (tmp_path / "plant_Units.csv").write_text("#code;text\n900;furlongs\n")
    read = read_ede(tmp_path / "plant_EDE.csv")
    assert read.devices == [
        FoundDevice(
            instance=7,
            name="PLANT",
            objects=(
                FoundObject(type="binary-input", instance=1, name="a", states=("closed", "open")),
                FoundObject(type="analog-input", instance=2, name="b", unit="furlongs"),
            ),
        )
    ]


def test_an_object_that_stands_there_twice_is_remarked_and_read_once() -> None:
    rows = "k;1;a;0;1\nk;1;again;0;1\n"
    table = parse_table("x", f"keyname;device obj.-instance;object-name;object-type;object-instance\n{rows}")
    read = parse_ede(table, NO_SIDE_TABLES)
    assert [each.name for each in read.devices[0].objects] == ["a"]
    assert [(each.line, "line 2" in each.message) for each in read.remarks] == [(3, True)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"PK\x03\x04" + bytes(range(256)), "is no text"),
        (b"x" * (LARGEST + 1), "is it the right file?"),
        (b"", "no line names the columns"),
        (b'"never closed', "is no table"),
    ],
    ids=["a spreadsheet's own format", "too large", "empty", "an endless quote"],
)
def test_what_is_no_list_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=reason.replace("?", r"\?")):
        read_ede(path)
