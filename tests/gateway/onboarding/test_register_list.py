"""Lists of registers: what is written comes back whatever its columns are called; mistakes have line and column."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.errors import ConfigurationError
from gateway.onboarding.folder import write_draft
from gateway.onboarding.given_file import parse_table
from gateway.onboarding.imports import Place, import_registers
from gateway.onboarding.register_list import parse_register_list
from gateway.onboarding.workshop import open_workshop
from gateway.site_check import check_site

names = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=15)
rows = st.fixed_dictionaries(
    {
        "name": names,
        "register": st.integers(0, 9_999),
        "type": st.sampled_from(["int16", "uint16", "uint32", "float32"]),
        "unit": st.sampled_from(["", "bar", "degC", "m**3/h"]),
        "scale": st.sampled_from([1.0, 0.1, 0.001, 10.0]),
    }
)
headers = st.sampled_from(
    [
        {"name": "Name", "register": "Register", "type": "Type", "unit": "Unit", "scale": "Scale"},
        {"name": "TAG", "register": "Modbus address", "type": "Data type", "unit": "UoM", "scale": "Factor"},
        {"name": "参数", "register": "地址", "type": "数据类型", "unit": "单位", "scale": "倍率"},
    ]
)


@given(st.lists(rows, min_size=1, max_size=8), headers, st.permutations(["name", "register", "type", "unit", "scale"]))
def test_what_a_maker_lists_is_what_is_read(
    listed: list[dict[str, Any]], header: dict[str, str], order: list[str]
) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=";")
    writer.writerow([header[column] for column in order])
    writer.writerows([[row[column] for column in order] for row in listed])
    read = parse_register_list(parse_table("pump.csv", buffer.getvalue()), unit_id=7)
    for row, point in zip(listed, read.points, strict=True):
        scale = {} if row["scale"] == 1.0 else {"scale": row["scale"]}
        assert point.entry == {"register": row["register"], "type": row["type"], **scale}
        assert (point.name, point.unit, point.address) == (row["name"], row["unit"], {"unit": 7})


@given(st.text(max_size=300))
def test_garbage_is_refused_in_words(text: str) -> None:
    try:
        parse_register_list(parse_table("x.csv", text), unit_id=1)
    except (ConfigurationError, csv.Error) as error:
        refusal = str(error)
    else:
        refusal = "none: it was read"
    assert refusal


@given(st.lists(st.text(max_size=12), min_size=13, max_size=13))
def test_a_row_of_garbage_is_told_with_its_line_or_read(cells: list[str]) -> None:
    columns = [
        "name",
        "register",
        "unit",
        "type",
        "function",
        "order",
        "scale",
        "offset",
        "bit",
        "states",
        "device",
        "unit_id",
        "description",
    ]
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=";")
    writer.writerows([columns, cells])
    try:
        read = parse_register_list(parse_table("x.csv", buffer.getvalue()), unit_id=1)
    except ConfigurationError as error:
        lines = {mistake.line for mistake in error.mistakes}
    except csv.Error:
        lines = {2}
    else:
        lines = {2 for _ in read.points}
    assert lines <= {1, 2}
    assert lines


def test_classic_numbers_are_taken_apart_and_remarked() -> None:
    table = parse_table("x.csv", "name,register\nflow,40003\nalarm,10001\nlevel,30010\n")
    read = parse_register_list(table, unit_id=1)
    assert [each.entry for each in read.points] == [
        {"register": 2, "type": "uint16"},
        {"register": 0, "function": 2},
        {"register": 9, "type": "uint16", "function": 4},
    ]
    assert len(read.remarks) == 1


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ("flow,x,,", "column 2: 'x' is no register; write a number from 0 to 65535"),
        ("flow,1,quaternion,", "column 3: 'quaternion' is not known; write one of bool, int16"),
        (",1,,", "column 1: the register has no name; write what it measures"),
        ("flow,1,,0", "column 4: '0' is no scale; write a number such as 0.1"),
    ],
)
def test_a_mistake_is_told_with_line_column_and_mend(row: str, place: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_register_list(parse_table("pump.csv", f"name,register,type,scale\n{row}\n"), unit_id=1)
    assert str(refused.value).startswith(f"pump.csv:2: {place}")


def test_a_rule_that_would_alarm_for_a_register_not_listed_is_drafted_as_switched_off(tmp_path: Path) -> None:
    (tmp_path / "pump.csv").write_text("name;register;unit\nPump flow;1;m3/h\nMotor current;2;A\n")
    workshop = open_workshop()
    connections = import_registers(tmp_path / "pump.csv", Place("10.0.3.8", 502), unit_id=1).connections
    draft = workshop.draft(workshop.recognised(connections, "pump"), "a test")
    write_draft(tmp_path / "draft", draft, classes=workshop.classes, force=False)
    site = check_site(tmp_path / "draft/site.yaml", workshop.classes, {})
    assert workshop.classes["pump"].rules.keys() - site.rules["pump-1"].keys() == {"communication_lost"}
    assert "speed was not found: map it" in (tmp_path / "draft/site.yaml").read_text()
