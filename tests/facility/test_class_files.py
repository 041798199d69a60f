"""The shipped equipment classes, and what a wrong class file is told."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from facility.class_files import SHIPPED, load_classes
from facility.conditions import BadQuality, Coincidence, LimitSide, NoData, State, Threshold
from facility.equipment import EquipmentClass, OrderKind, PointKind
from facility.errors import ConfigurationError
from facility.priority import Priority

CLASSES = load_classes()
DATA = Path(os.environ.get("WATCHKEEPER_DATA", Path(__file__).parents[3] / "shared/data"))


def refused(folder: Path, text: str, name: str = "pump") -> list[str]:
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as raised:
        load_classes(folder)
    return [f"{mistake.line}: {mistake.message}" for mistake in raised.value.mistakes]


def test_the_shipped_classes_load() -> None:
    assert set(CLASSES) == {
        "bench-pump", "door", "fire-panel", "lift", "lift-door", "manual-call-point", "pump", "smoke-detector",
    }  # fmt: skip


def _wire_points() -> dict[str, set[str]]:
    """Return class to points, as the tables of docs/wire.md list them."""
    found: dict[str, set[str]] = {}
    name = ""
    for line in (SHIPPED.parents[1] / "docs/wire.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        names = [part.strip(" `") for part in cells[0].split(",")]
        if line.startswith("| class `"):
            name = cells[0].split("`")[1]
        elif line.startswith("| `") and name:
            found.setdefault(name, set()).update(part for part in names if "/" not in part)
        elif not line.startswith("|"):
            name = ""
    return found


@pytest.mark.parametrize(("name", "points"), _wire_points().items())
def test_a_class_has_the_points_that_the_wire_carries(name: str, points: set[str]) -> None:
    assert set(CLASSES[name].points) == points


@pytest.mark.parametrize("equipment", CLASSES.values(), ids=list(CLASSES))
def test_people_can_read_every_text_in_both_languages(equipment: EquipmentClass) -> None:
    texts = [point.name for point in equipment.points.values()]
    for rule in equipment.rules.values():
        texts += [rule.title, rule.cause, rule.consequence, rule.corrective_action]
    for order in equipment.orders.values():
        texts += [order.title, *(step.text for step in order.checklist)]
    assert all(text.en.replace("°", "").replace("Ω", "").strip().isascii() and text.en.strip() for text in texts)
    assert all(any("\u4e00" <= letter <= "\u9fff" for letter in text.zh) for text in texts)


@pytest.mark.parametrize("equipment", CLASSES.values(), ids=list(CLASSES))
def test_life_safety_is_raised_at_once_latches_and_calls_somebody(equipment: EquipmentClass) -> None:
    for rule in equipment.rules.values():
        if rule.life_safety:
            assert isinstance(rule.condition, State | Coincidence)
            assert rule.condition.on_delay_s == 0.0
            assert rule.latched
            assert rule.acknowledge
            assert rule.priority is Priority.CRITICAL
            assert rule.order is not None
            assert equipment.orders[rule.order].kind is OrderKind.EMERGENCY


@pytest.mark.parametrize("equipment", CLASSES.values(), ids=list(CLASSES))
def test_a_lost_device_of_any_class_is_exactly_one_alarm_that_sends_somebody(equipment: EquipmentClass) -> None:
    watching = [rule for rule in equipment.rules.values() if isinstance(rule.condition, BadQuality | NoData)]
    assert [rule.name for rule in watching] == ["communication_lost"]
    assert isinstance(watching[0].condition, BadQuality)
    assert watching[0].order is not None


def test_a_lost_panel_is_not_also_an_alarm_of_each_device_behind_it() -> None:
    for name in ("smoke-detector", "manual-call-point"):
        condition = CLASSES[name].rules["communication_lost"].condition
        assert isinstance(condition, BadQuality)
        assert "bad_communication" not in condition.reasons
        assert condition.timeout_s is None


@pytest.mark.parametrize("equipment", CLASSES.values(), ids=list(CLASSES))
def test_every_number_has_a_physical_range_and_every_point_its_tags(equipment: EquipmentClass) -> None:
    for name, point in equipment.points.items():
        assert {"brick", "haystack"} <= point.tags.keys(), name
        assert (point.range is not None) == (point.kind in {PointKind.ANALOG, PointKind.COUNTER}), name
    assert any(point.overview for point in equipment.points.values())


def _recording(path: str) -> Path:
    file = DATA / path
    if not file.exists():
        pytest.skip(f"{file} is absent; WATCHKEEPER_DATA names the folder of recordings")
    return file


def test_the_recorded_lift_door_never_passes_its_limit_or_its_ranges() -> None:
    points = CLASSES["lift-door"].points
    condition = CLASSES["lift-door"].rules["vibration_high"].condition
    assert isinstance(condition, Threshold)
    columns = {"ball-bearing": "bearing_speed", "humidity": "humidity", "vibration": "vibration"}
    with _recording("lift-vibration/lift.csv").open() as file:
        for row in csv.DictReader(file):
            for column, name in columns.items():
                text = row[column]
                if text.replace(".", "", 1).isdecimal():
                    low, high = points[name].range or (0.0, 0.0)
                    assert low <= float(text) <= high
                    assert name != "vibration" or float(text) < condition.limits[LimitSide.HIGH].value


def test_the_recorded_bench_pumps_stay_inside_their_ranges() -> None:
    names = list(CLASSES["bench-pump"].points)
    for path in sorted(_recording("pump-testbed/0.csv").parent.glob("*.csv")):
        with path.open() as file:
            for row in list(csv.reader(file, delimiter=";"))[1:]:
                for name, text in zip(names, row[1:9], strict=True):
                    low, high = CLASSES["bench-pump"].points[name].range or (0.0, 0.0)
                    assert low <= float(text) <= high, (path.name, name)


WRONG = """\
title: {en: Pump, zh: 水泵}
system: pmup
points:
  flow: {kind: analog, name: {en: Flow, zh: 流量}, unti: m**3/h}
  speed: {kind: analog, name: {en: Speed}, unit: rpm}
rules:
  dry:
    point: flow
    condition: {type: treshold, limits: {low: {value: 1}}}
"""


def test_a_class_file_hears_of_every_wrong_word_with_line_and_remedy(tmp_path: Path) -> None:
    told = refused(tmp_path, WRONG)
    assert "2: 'pmup' is not known here; did you mean 'pump'?" in told
    assert "4: 'unti' is not known here; did you mean 'unit'?" in told
    assert "5: 'zh' is missing; write it as zh: …" in told
    assert "7: 'title' is missing; write it as title: …" in told
    assert "9: 'treshold' is no type of condition; did you mean 'threshold'?" in told


UNFIT = """\
title: {en: Pump, zh: 水泵}
system: pump
points:
  flow: {kind: analog, name: {en: Flow, zh: 流量}, unit: m^3, range: [0, 10]}
  heat: {kind: analog, name: {en: Heat, zh: 温度}, unit: degC, range: [90, 10]}
  hours: {kind: counter, name: {en: Hours, zh: 小时}, unit: h}
  run:
    kind: binary
    name: {en: Run, zh: 运行}
    states: {no: 0, yes: 2}
    state_names: {no: {en: N, zh: 否}, oops: {en: Y, zh: 是}}
rules:
  a: &rule
    point: folw
    title: {en: T, zh: 题}
    condition: {type: state, states: [yes]}
    consequence_class: moderate
    cause: {en: C, zh: 因}
    consequence: {en: C, zh: 果}
    corrective_action: {en: A, zh: 措}
    time_to_respond_min: 5
    order: fix
  b:
    point: run
    title: {en: T, zh: 题}
    condition: {type: state, states: [yse]}
    consequence_class: moderate
    cause: {en: C, zh: 因}
    consequence: {en: C, zh: 果}
    corrective_action: {en: A, zh: 措}
    time_to_respond_min: 5
  c:
    point: flow
    title: {en: T, zh: 题}
    condition:
      type: threshold
      limits: {low: {value: 8}, high: {value: 5}, high_high: {value: 50, consequence_class: minor}}
    consequence_class: moderate
    cause: {en: C, zh: 因}
    consequence: {en: C, zh: 果}
    corrective_action: {en: A, zh: 措}
    time_to_respond_min: 5
maintenance:
  m: {meter: flow, every: 5, order: fix, source: manual}
"""


def test_a_class_file_hears_of_everything_that_does_not_fit_together(tmp_path: Path) -> None:
    told = refused(tmp_path, UNFIT)
    assert told == [
        "4: 'm^3' is not a unit; write it as pint does, such as m**3/h, degC or mm/s",
        "5: the range [90.0, 10.0] is empty; write the smaller value first",
        "10: a binary point has exactly the codes 0 and 1; write multistate for others",
        "10: state 'yes' has no words; add state_names: {yes: {en: …, zh: …}}",
        "11: there is no state 'oops'; known are no, yes",
        "14: pump has no point 'folw'; did you mean 'flow'?",
        "22: pump has no order template 'fix'",
        "26: run has no state 'yse'; did you mean 'yes'?",
        "37: high 5 m^3 must lie above low 8 m^3",
        "37: high_high 50 m^3 lies outside the point's range 0 … 10 m^3; it can never be passed",
        "37: high_high must be at least as grave as high; give it consequence_class: moderate",
        "44: flow is analog; a plan needs a counter",
        "44: pump has no order template 'fix'",
    ]


def test_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "lift.yaml").write_text("a: [", encoding="utf-8")
    refused(tmp_path, "- 1\n")
    with pytest.raises(ConfigurationError) as raised:
        load_classes(tmp_path)
    assert [Path(mistake.file).name for mistake in raised.value.mistakes] == ["lift.yaml", "pump.yaml"]


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="has no class files"):
        load_classes(tmp_path)


def test_a_rule_on_a_quality_that_does_not_exist_is_told_what_was_meant(tmp_path: Path) -> None:
    text = (SHIPPED / "pump.yaml").read_text(encoding="utf-8").replace("[bad_communication]", "[bad_comunication]")
    (message,) = refused(tmp_path, text)
    assert "'bad_comunication' is no quality; did you mean 'bad_communication'?" in message


def test_a_condition_without_a_type_is_told_which_there_are(tmp_path: Path) -> None:
    text = (
        (SHIPPED / "pump.yaml").read_text(encoding="utf-8").replace("{type: state, states: [leak]", "{states: [leak]")
    )
    (message,) = refused(tmp_path, text)
    assert "'type' is missing; write type: and one of threshold, state, forbidden_state," in message
    assert message.endswith("forecast, baseline")
