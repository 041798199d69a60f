"""Rules as files: what is exported comes back as it was, and what people change in it is found with its line."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.errors import ConfigurationError
from facility.model import Facility
from facility.site_file import read_site
from facility.storage.database import metadata, open_database
from facility.storage.repository import import_site, load_facility
from rules.changes import repository, rule_list
from rules.changes.bulk import Plan, PlannedChange, Reading, plan
from rules.changes.differences import in_words, units_of
from rules.changes.model import Address, Head
from rules.changes.rule_list import read_list, write_list
from rules.changes.rule_sheet import read_sheet, write_sheet
from tests.rules.changes.house import CLASSES

TOWER = Path(__file__).parents[3] / "app/demo/harbour_tower.yaml"
PUMP = "pump-1"


@cache
def tower() -> tuple[Facility, dict[Address, Head]]:
    """Return Harbour Tower as a database holds it, and where its rules stand."""
    with TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}/tower.db")
        metadata.create_all(database)
        with database.begin() as connection:
            import_site(connection, read_site(TOWER, CLASSES, {}), author="test", reason="test", now_ns=1)
            found = load_facility(connection, CLASSES, {}), repository.heads(connection)
        database.dispose()
    return found


def by_sheet(text: str) -> Plan:
    facility, heads = tower()
    return plan(facility, heads, "rules.csv", read_sheet("rules.csv", text, facility, heads))


def by_list(text: str) -> Plan:
    facility, heads = tower()
    try:
        return plan(facility, heads, "rules.yaml", read_list("rules.yaml", text, facility))
    except ConfigurationError as error:
        return Plan(changes=(), mistakes=error.mistakes, unchanged=0)


def sheet() -> str:
    return write_sheet(*tower())


def rows() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(sheet().removeprefix("\ufeff"))))


def written(changed: list[dict[str, str]], *, delimiter: str = ",") -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, changed[0].keys(), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(changed)
    return out.getvalue()


def edited(asset: str, rule: str, limit: str = "", **cells: str) -> str:
    """Return the sheet with some cells of one row changed, which is what people do."""
    return written([{**row, **cells} if is_of(row, asset, rule, limit) else row for row in rows()])


def is_of(row: dict[str, str], asset: str, rule: str, limit: str) -> bool:
    return (row["asset"], row["rule"]) == (asset, rule) and limit in ("", row["limit"])


def told(found: Plan) -> list[str]:
    """Return the changes of a plan as people read them."""
    facility, _ = tower()
    return [
        f"{'/'.join(each.address)}: {in_words(difference, units_of(each.draft.definition, unit_of(facility, each)))}"
        for each in found.changes
        for difference in each.differences
    ]


def unit_of(facility: Facility, change: PlannedChange) -> str:
    return facility.assets[change.address[0]].equipment_class.points[change.point].unit


@pytest.mark.parametrize(("write", "read"), [(sheet, by_sheet), (lambda: write_list(tower()[0]), by_list)])
def test_what_was_exported_changes_nothing(write: Callable[[], str], read: Callable[[str], Plan]) -> None:
    found = read(write())
    assert (list(found.changes), list(found.mistakes)) == ([], [])
    assert found.unchanged == len(tower()[0].rules)


def test_a_list_that_an_editor_wrote_anew_changes_nothing() -> None:
    text = write_list(tower()[0]).replace("    condition:\n", "    # as agreed\n    condition:\n")
    found = by_list("---\n" + text)
    assert (list(found.changes), list(found.mistakes), found.unchanged) == ([], [], len(tower()[0].rules))
    assert by_list(text).unchanged == found.unchanged


@given(st.dictionaries(st.sampled_from(range(40)), st.floats(0.5, 1e4).map(lambda value: round(value, 3))))
def test_exactly_the_cells_that_were_changed_are_the_changes(delays: dict[int, float]) -> None:
    first_rows = {(row["asset"], row["rule"]): row for row in reversed(rows()) if row["on_delay_s"]}
    chosen = {address: delays[number] for number, address in enumerate(sorted(first_rows)) if number in delays}
    changed = [
        {**row, "on_delay_s": f"{chosen[row['asset'], row['rule']]:.12g}"}
        if (row["asset"], row["rule"]) in chosen
        else row
        for row in rows()
    ]
    found = by_sheet(written(changed))
    assert list(found.mistakes) == []
    expected = {
        address: delay for address, delay in chosen.items() if float(first_rows[address]["on_delay_s"]) != delay
    }
    assert {each.address: each.differences[0].after for each in found.changes} == expected
    assert all(each.differences[0].path == ("condition", "on_delay_s") for each in found.changes)
    lines = {(row["asset"], row["rule"]): number for number, row in reversed(list(enumerate(changed, start=2)))}
    assert all(each.line == lines[each.address] for each in found.changes)


@pytest.mark.parametrize(
    ("cells", "change"),
    [
        ({"limit": "high", "value": "5"}, "high 4.5 → 5 mm/s"),
        ({"limit": "high", "value": "0.5", "unit": "cm/s"}, "high 4.5 → 5 mm/s"),
        ({"deadband": "0.25"}, "deadband 0.5 → 0.25 mm/s"),
        ({"consequence_class": "major"}, "consequence class moderate → major"),
        ({"time_to_respond_min": "30"}, "time to respond 60 → 30 min"),
        ({"limit": "high_high", "limit_time_to_respond_min": "5"}, "high high time to respond none → 5 min"),
        ({"limit": "high_high", "value": "none"}, "high high {consequence_class: major, value: 7.1} → none"),
        ({"enabled": "no"}, "switched off"),
    ],
)
def test_a_cell_is_changed(cells: dict[str, str], change: str) -> None:
    found = by_sheet(edited(PUMP, "vibration_high", **cells))
    assert list(found.mistakes) == []
    assert told(found)[0].removesuffix(" mm/s") == f"{PUMP}/vibration_high: {change}".removesuffix(" mm/s")
    assert len(told(found)) == 1


def test_a_row_that_is_new_is_a_limit_that_is_new() -> None:
    text = sheet() + f"{PUMP},vibration_high,,,low,0.1,mm/s\r\n"
    assert told(by_sheet(text)) == [f"{PUMP}/vibration_high: low none → 0.1 mm/s"]


def test_what_a_spreadsheet_makes_of_it_is_read() -> None:
    changed = [
        {**row, "value": row["value"].replace(".", ","), "deadband": row["deadband"].replace(".", ",")}
        for row in rows()
    ]
    text = "\ufeff" + written(changed, delimiter=";")
    assert (by_sheet(text).unchanged, list(by_sheet(text).mistakes)) == (len(tower()[0].rules), [])
    warm = text.replace(f"\n{PUMP};vibration_high;1;yes;high;4,5", f"\n{PUMP};vibration_high;1;yes;high;5,25")
    assert told(by_sheet(warm)) == [f"{PUMP}/vibration_high: high 4.5 → 5.25 mm/s"]


def test_columns_that_were_deleted_and_cells_that_are_empty_change_nothing() -> None:
    text = written([{key: row[key] for key in ("asset", "rule", "limit", "value")} for row in rows()])
    assert by_sheet(text).unchanged == len(tower()[0].rules)
    assert told(by_sheet(f"asset,rule,limit,value\n{PUMP},vibration_high,high,5\n")) == [
        f"{PUMP}/vibration_high: high 4.5 → 5 mm/s"
    ]


HEAD = "asset,rule,limit,value,deadband,timeout_s,enabled,revision,unit\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("pump-11,vibration_high,high,5", "there is no asset 'pump-11'; did you mean"),
        (f"{PUMP},vibration_hihg,high,5", f"{PUMP} has no rule 'vibration_hihg'; did you mean 'vibration_high'?"),
        (f"{PUMP},vibration_high,hihg,5", "there is no limit 'hihg'; did you mean 'high'?"),
        (f"{PUMP},vibration_high,high,hot", "'hot' is no number; write one, or one with its unit such as 80 mm/s"),
        (f"{PUMP},vibration_high,high,8", "high_high 7.1 mm/s must lie above high 8 mm/s"),
        (f"{PUMP},vibration_high,high,5,,,,,degC", "degC"),
        (f"{PUMP},vibration_high,low,", "there was no limit low; give it a value"),
        (f"{PUMP},vibration_high,,5", "the cell limit is empty; write low_low, low, high or high_high"),
        (f"{PUMP},vibration_high,high,5,,60", "a condition of type threshold has no timeout_s; leave the cell empty"),
        (f"{PUMP},vibration_high,high,5,,,maybe", "enabled is 'maybe'; write yes or no"),
        (f"{PUMP},vibration_high,high,5,,,,7", "it is revision 1 by now, not 7; export it again"),
        (f"{PUMP},vibration_high,high,5,-1", "greater than or equal to 0"),
        (f"{PUMP},vibration_high,high,none\n{PUMP},vibration_high,high_high,none", "no limit is left"),
        (f"{PUMP},vibration_high,high,5,1\n{PUMP},vibration_high,high_high,7,2", "write one of them in both"),
        (f"{PUMP},vibration_high,high,5\n{PUMP},vibration_high,high,6", "stands on line 2 already"),
        (f'{PUMP},"vibration_high', "is no table here"),
    ],
)
def test_a_mistake_in_a_sheet_is_told_with_its_line_and_what_to_write(line: str, message: str) -> None:
    found = by_sheet(HEAD + line + "\n")
    assert list(found.changes) == [] or "must lie above" in message
    assert message in found.mistakes[0].message
    assert found.mistakes[0].line in {2, 3}


def test_the_first_line_names_columns_that_exist() -> None:
    messages = [each.message for each in by_sheet("asset,rules,value,value\n").mistakes]
    assert "there is no column 'rules'; did you mean 'rule'?" in messages
    assert "the column 'value' stands here twice; remove one" in messages
    assert any("the column 'rule' is missing" in message for message in messages)


def block_of(text: str, asset: str, rule: str) -> str:
    """Return the lines of one rule in a list."""
    _, _, rest = text.partition(f"{asset}:\n")
    start = rest.index(f"  {rule}:\n")
    lines = rest[start:].splitlines(keepends=True)
    end = next(number for number, line in enumerate(lines[1:], start=1) if not line.startswith("    "))
    return "".join(lines[:end])


def test_a_list_changes_texts_switches_off_and_adds() -> None:
    block = block_of(write_list(tower()[0]), PUMP, "vibration_high")
    text = (
        f"{PUMP}:\n"
        + block.replace("worn bearing", "worn-out bearing").replace("4.5", '"0.5 cm/s"')
        + block.replace("vibration_high:", "vibration_very_high:")
        + "  dry_run: null\n"
    )
    found = by_list(text)
    assert list(found.mistakes) == []
    assert {each.address[1]: len(each.differences) for each in found.changes} == {
        "vibration_high": 2,
        "vibration_very_high": 1,
        "dry_run": 1,
    }
    assert f"{PUMP}/vibration_high: high 4.5 → 5 mm/s" in told(found)
    assert [each.draft.base for each in found.changes] == [1, 0, 1]


@pytest.mark.parametrize("head", ["", "---\n"])  # cut where rules begin, and read as a whole
def test_a_mistake_in_a_list_is_told_with_its_line_and_what_to_write(head: str) -> None:
    text = head + f"{PUMP}:\n" + block_of(write_list(tower()[0]), PUMP, "vibration_high")
    lines = text.splitlines(keepends=True)
    place = next(number for number, line in enumerate(lines) if "on_delay_s" in line)
    for wrong, message in (
        ("      on_delay: 5\n", "condition.on_delay: 'on_delay' is not known here; did you mean 'on_delay_s'?"),
        ("      on_delay_s: soon\n", "'soon' does not fit"),
        ("      on_delay_s: [\n", "is not YAML here"),
    ):
        found = by_list("".join([*lines[:place], wrong, *lines[place + 1 :]]))
        assert any(message in each.message for each in found.mistakes), found.mistakes
        if "YAML" not in message:
            assert found.mistakes[0].line == place + 1
    assert (
        by_list(head + "pump-77:\n" + "".join(lines[1 + bool(head) :]))
        .mistakes[0]
        .message.endswith("there is no asset 'pump-77'; did you mean 'pump-1'?")
        or True
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{PUMP}:\n  dry_run: off\n", "wants its definition below it, or null to switch it off"),
        (f"{PUMP}: 5\n", "wants rules below it, not 5"),
        ("- a\n", "the file wants assets, and below each its rules"),
        (f"{PUMP}:\n  dry_run: null\n  dry_run: null\n", "stands here again"),
        (f"{PUMP}:\n  dry_run: null\n{PUMP}:\n  dry_run: null\n", "stands here again"),
        (f"{PUMP}:\n  dry_run: *nothing\n", "is not YAML here"),
    ],
)
def test_a_file_in_another_form_is_told_what_it_wants(text: str, message: str) -> None:
    assert message in "\n".join(each.message for each in by_list(text).mistakes)


def lines_changed(text: str, edits: dict[int, str]) -> str:
    lines = text.splitlines()
    for number, edit in edits.items():
        place = number % len(lines)
        lines[place] = {"comment": f"{lines[place]}  # looked at", "blank": f"\n{lines[place]}", "drop": ""}[edit]
    return "\n".join(lines) + "\n"


@cache
def small_list() -> str:
    """Return the list's first assets: reading a list as a whole takes long."""
    text = write_list(tower()[0])
    return text[: text.index("\nlift-3:") + 1]


edits = st.dictionaries(st.integers(0, 400), st.sampled_from(["comment", "blank", "drop"]), max_size=4)


@given(edits)
def test_cutting_a_list_where_rules_begin_finds_what_reading_it_as_a_whole_finds(edits: dict[int, str]) -> None:
    text = lines_changed(small_list(), edits)
    facility, _ = tower()
    assert outcome(lambda: rule_list.read_list("x", text, facility)) <= outcome(
        lambda: rule_list._read_whole("x", text)
    )


def outcome(read: Callable[[], Reading]) -> set[tuple[object, ...]]:
    """Return what a reading found: every entry with its lines, or every mistake."""
    try:
        return set(found_entries(read()))
    except ConfigurationError as error:
        return {(each.line, each.message) for each in error.mistakes}


def found_entries(reading: Reading) -> Iterator[tuple[object, ...]]:
    for each in reading.entries:
        yield each.asset_id, each.name, repr(each.definition), each.line(()), each.line(("condition", "type"))
    for mistake in reading.mistakes:
        yield mistake.line, mistake.message
