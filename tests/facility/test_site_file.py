"""Reading and writing site.yaml."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.class_files import load_classes
from facility.conditions import BadQuality, LimitSide, State, Threshold
from facility.errors import ConfigurationError
from facility.model import SiteDescription
from facility.priority import Priority
from facility.site_export import site_text, write_site
from facility.site_file import parse_site, read_site

CLASSES = load_classes()
HARBOUR_TOWER = Path(__file__).parents[2] / "app/demo/harbour_tower.yaml"

HEAD = """\
site: {id: house, name: House, time_zone: Asia/Shanghai}
spaces: [{id: house, kind: building}]
connections: [{id: line, protocol: modbus, host: 10.0.0.7, port: 502}]
assets:
"""
PUMP = "  - {id: pump-1, class: pump, profile: pump-vfd-a, address: {unit: 1}%s}\n"


def read(text: str, **environment: str) -> SiteDescription:
    return parse_site("site.yaml", text, CLASSES, environment)


def mistakes(text: str, **environment: str) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        read(text, **environment)
    return [f"{mistake.line}: {mistake.message}" for mistake in raised.value.mistakes]


def changed(rules: str) -> SiteDescription:
    return read(HEAD + PUMP % f", rules: {{{rules}}}")


def refused(rules: str) -> list[str]:
    return mistakes(HEAD + PUMP % f", rules: {{{rules}}}")


def test_harbour_tower_stands_as_the_wire_describes_it() -> None:
    site = read_site(HARBOUR_TOWER, CLASSES, {})
    by_class: dict[str, int] = {}
    for asset in site.assets.values():
        by_class[asset.equipment_class.name] = by_class.get(asset.equipment_class.name, 0) + 1
    assert by_class == {
        "lift": 6, "pump": 4, "fire-panel": 1, "smoke-detector": 24, "manual-call-point": 4, "door": 12,
    }  # fmt: skip
    assert {name: connection.port for name, connection in site.connections.items()} == {
        "lifts": 1883, "doors": 1883, "pumps": 5020, "fire": 47809,
    }  # fmt: skip
    assert site.assets["detector-304"].space_id == "zone-3"
    assert site.assets["detector-304"].parent_id == "fire-panel-1"
    assert site.assets["pump-2"].profile == site.assets["fire-pump-1"].profile == "pump-vfd-b"
    assert site.assets["lift-3"].address == {"root": "harbour/lift-3"}
    assert len(site.spaces) == 1 + 20 + 1 + 4


def test_three_lines_add_a_lift() -> None:
    site = read(
        "site: {id: house, name: House, time_zone: UTC}\n"
        "spaces: [{id: tower, kind: building}, {id: floor-2, kind: floor, parent: tower}]\n"
        "connections: [{id: lifts, protocol: mqtt, host: broker, port: 1883}]\n"
        "assets:\n"
        "  - id: lift-7\n"
        "    class: lift\n"
        "    address: {root: house/lift-7}\n"
    )
    lift = site.assets["lift-7"]
    assert (lift.name.en, lift.name.zh) == ("Lift 7", "电梯 7")
    assert (lift.space_id, lift.connection_id, lift.profile) == ("tower", "lifts", "lift-mqtt")
    assert site.spaces["floor-2"].name.zh == "2 层"
    assert set(site.rules["lift-7"]) == set(CLASSES["lift"].rules)


def test_an_asset_changes_its_class_rules_in_its_own_units() -> None:
    site = changed(
        "bearing_temperature_high: {limits: {high: 158 degF, high_high: null}, on_delay_s: 60, "
        "consequence_class: major}, "
        "seal_leak: {states: [leak, dry], order: null}, communication_lost: {timeout_s: 30}, dry_run: {enabled: false}"
    )
    rules = site.rules["pump-1"]
    bearing, seal, silent = (rules[name] for name in ("bearing_temperature_high", "seal_leak", "communication_lost"))
    assert isinstance(bearing.condition, Threshold)
    assert bearing.condition.limits.keys() == {LimitSide.HIGH}
    assert bearing.condition.limits[LimitSide.HIGH].value == pytest.approx(70.0)
    assert bearing.condition.on_delay_s == 60
    assert bearing.priority is Priority.HIGH
    assert isinstance(seal.condition, State)
    assert seal.condition.states == ["leak", "dry"]
    assert seal.order is None
    assert isinstance(silent.condition, BadQuality)
    assert silent.condition.timeout_s == 30
    assert "dry_run" not in rules


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("dryrun: {enabled: false}", "pump has no rule 'dryrun'; did you mean 'dry_run'?"),
        ("dry_run: {enabeld: false}", "dry_run has no 'enabeld'; did you mean 'enabled'?"),
        ("vibration_high: {limits: {hihg: 3}}", "'hihg' is not known here; did you mean 'high'?"),
        ("vibration_high: {limits: {high: 9}}", "high_high 7.1 mm/s must lie above high 9 mm/s"),
        (
            "vibration_high: {limits: {high_high: 900}}",
            "high_high 900 mm/s lies outside the point's range 0 … 200 mm/s; it can never be passed",
        ),
        (
            "vibration_high: {limits: {high: 3 bar}}",
            "bar cannot become mm/s: they measure different things. Check the unit on both sides.",
        ),
        (
            "vibration_high: {limits: {high: fast}}",
            "'fast' is no number; write one, or one with its unit such as 80 mm/s",
        ),
        ("vibration_high: {limits: {high: .nan}}", "nan does not fit: input should be a finite number"),
        (
            "vibration_high: {limits: {high: null, high_high: null}}",
            "vibration_high has no limit left; write enabled: false to switch it off",
        ),
        ("vibration_high: {on_delay_s: -1}", "-1 does not fit: input should be greater than or equal to 0"),
        ("communication_lost: {timeout_s: 0}", "0 does not fit: input should be greater than 0"),
        ("seal_leak: {states: []}", "[] does not fit: list should have at least 1 item after validation, not 0"),
        ("seal_leak: {states: [leek]}", "seal_leak has no state 'leek'; did you mean 'leak'?"),
        (
            "dry_run: {time_to_respond_min: null}",
            "time_to_respond_min needs a value; remove the line to keep the class's",
        ),
        (
            "dry_run: {priority: 2}",
            "a priority is computed and not written; write consequence_class (minor, moderate, ",
        ),
        (
            "vibration_high: {limits: {high: {value: 3, priority: 2}}}",
            "a priority is computed and not written; write consequence_class (minor, moderate, major or severe)",
        ),
        ("dry_run: {order: nothing_known}", "pump has no order template 'nothing_known'"),
        (
            "communication_lost: {limits: {high: 3}}",
            "communication_lost has no 'limits'; known are acknowledge, cause, condition, consequence, ",
        ),
    ],
)
def test_a_wrong_override_is_told_with_its_line_and_remedy(rules: str, told: str) -> None:
    (mistake,) = refused(rules)
    assert mistake.startswith(f"5: {told}")


def test_everything_wrong_in_a_site_is_told_at_once() -> None:
    told = mistakes(
        "site: {id: house, name: House, time_zone: Asia/Shangai}\n"
        "spaces:\n"
        "  - {id: a, kind: floor, parent: b}\n"
        "  - {id: b, kind: floor, parent: a}\n"
        "  - {id: b, kind: floor, parent: cellar}\n"
        "connections:\n"
        "  - {id: line, protocol: modbus, host: 'a b', port: 0, options: {timout_s: 3}}\n"
        "  - {id: broker, protocol: mqtt, host: h, port: '${PORT}', options: {password: secret}}\n"
        "defaults: {pmup: {space: a}}\n"
        "assets:\n"
        "  - {id: p1, class: pmup}\n"
        "  - {id: p2, class: pump, space: attic, connection: lien, parent: p3}\n"
        "  - {id: p3, class: pump, space: a, connection: line, address: {unit: 1}, parent: p2}\n"
        "  - {id: p4, class: pump, space: a, connection: line, address: {unit: 1}, parent: p9}\n"
        "  - {id: p4, class: pump, space: a, connection: line, address: {unit: 3}}\n"
    )
    assert told == [
        "1: 'Asia/Shangai' is no IANA time zone; did you mean 'Asia/Shanghai'?",
        "5: 'b' is taken on line 4; give this one another id",
        "5: there is no space 'cellar'; known are a, b",
        "7: '0' is no port; write a number from 1 to 65535",
        "7: 'a b' is no host; write a name or an address such as 10.0.3.7",
        "7: 'timout_s' is not known here; did you mean 'timeout_s'?",
        "8: ${PORT} is not set; set this environment variable or write ${PORT:-default}",
        "8: a password may not stand here; write password: ${BROKER_PASSWORD} and set that variable",
        "9: there is no class 'pmup'; did you mean 'pump'?",
        "11: there is no class 'pmup'; did you mean 'pump'?",
        "12: p2 in p3 in p2 is a circle; remove one of these parents",
        "12: there is no connection 'lien'; did you mean 'line'?",
        "12: there is no space 'attic'; known are a, b",
        "13: p3 in p2 in p3 is a circle; remove one of these parents",
        "14: p4 has the address of p3 on line 13 (unit: 1); give each device its own",
        "15: 'p4' is taken on line 14; give this one another id",
    ]


def test_spaces_inside_each_other_are_told() -> None:
    text = HEAD.replace(
        "[{id: house, kind: building}]", "[{id: a, kind: zone, parent: b}, {id: b, kind: zone, parent: a}]"
    )
    told = mistakes(text + PUMP.replace("class", "space: a, class") % "")
    assert "2: a in b in a is a circle; remove one of these parents" in told


def test_two_detectors_with_one_number_are_told_but_a_detector_and_an_input_may_share_it() -> None:
    text = HEAD.replace("modbus", "bacnet-ip")
    detector = "  - {id: %s, class: smoke-detector, address: {instance: 11}}\n"
    button = "  - {id: button, class: manual-call-point, address: {instance: 11}}\n"
    assert len(read(text + detector % "d1" + button).assets) == 2
    assert mistakes(text + detector % "d1" + detector % "d2") == [
        "6: d2 has the address of d1 on line 5 (instance: 11); give each device its own"
    ]


@pytest.mark.parametrize("text", ["", "- 1\n", "site: house\n", "assets: 3\n", "site: {id: House}\n"])
def test_a_file_of_another_shape_is_told(text: str) -> None:
    assert all(not told.startswith("0: ") or text == "" for told in mistakes(text))


SECRETIVE = HEAD.replace("modbus, host: 10.0.0.7, port: 502", (
    "mqtt, host: '${HOST:-broker}', port: '${PORT}', options: {username: '${USER:-}', password: '${PASSWORD}'}"
)) + "  - {id: door-1, class: door, address: {root: house/door-1}}\n"  # fmt: skip


def test_references_are_resolved_and_kept_as_written() -> None:
    site = read(SECRETIVE, PORT="8883", PASSWORD="hunter2")
    connection, written = site.connections["line"], site.written_connections["line"]
    assert (connection.host, connection.port) == ("broker", 8883)
    assert connection.options == {"password": "hunter2"}
    assert (written.host, written.port) == ("${HOST:-broker}", "${PORT}")
    assert "hunter2" not in repr(site)
    assert "hunter2" not in site_text(site)


def test_a_written_site_reads_as_the_same_site(tmp_path: Path) -> None:
    site = read_site(HARBOUR_TOWER, CLASSES, {})
    write_site(tmp_path / "site.yaml", site)
    assert read_site(tmp_path / "site.yaml", CLASSES, {}) == site


@given(st.text(max_size=80))
def test_any_text_is_a_site_or_a_list_of_mistakes(text: str) -> None:
    with contextlib.suppress(ConfigurationError):
        read(HEAD + text)


def test_an_asset_allows_commands_or_takes_its_class_defaults_and_keeps_them_when_written(tmp_path: Path) -> None:
    text = HEAD.replace("assets:", "defaults: {pump: {commands: [speed_setpoint]}}\nassets:") + PUMP % ""
    text += PUMP.replace("pump-1", "pump-2").replace("unit: 1", "unit: 2") % ", commands: []"
    site = read(text)
    assert {name: asset.commands for name, asset in site.assets.items()} == {
        "pump-1": ("speed_setpoint",),
        "pump-2": (),
    }
    write_site(tmp_path / "written.yaml", site)
    assert read_site(tmp_path / "written.yaml", CLASSES, {}) == site


def test_a_command_to_no_point_or_to_fire_is_told_with_its_line() -> None:
    panel = "  - {id: panel, class: fire-panel, connection: pumps, profile: x, commands: [trouble]}\n"
    fire_pump = PUMP % ", parent: panel, commands: [speed_setpoint, sped]"
    told = mistakes(HEAD + panel + fire_pump)
    assert any("fire-panel belongs to the fire system, which is read and never operated" in each for each in told)
    assert any("pump-1 belongs to panel of the fire system" in each for each in told)
    assert any("pump has no point 'sped'; did you mean 'speed'?" in each for each in told)


MATRIX = "priority_matrix: {moderate: {prompt: 2, soon: 2}, major: {later: 2}}\n"


def test_a_site_edits_the_matrix_and_all_its_priorities_follow(tmp_path: Path) -> None:
    site = read(MATRIX + HEAD + PUMP % "")
    rules = site.rules["pump-1"]
    assert rules["bearing_temperature_high"].priority is Priority.HIGH
    assert rules["seal_leak"].priority is Priority.HIGH
    assert CLASSES["pump"].rules["seal_leak"].priority is Priority.MEDIUM
    write_site(tmp_path / "written.yaml", site)
    assert read_site(tmp_path / "written.yaml", CLASSES, {}) == site
    assert "priority_matrix" not in site_text(read(HEAD + PUMP % ""))


@pytest.mark.parametrize(
    ("matrix", "told"),
    [
        ("{moderate: {soon: 5}}", "5 is not known here; known are 1, 2, 3, 4"),
        ("{moderat: {soon: 2}}", "'moderat' is not known here; did you mean 'moderate'?"),
        ("{moderate: {sonn: 2}}", "'sonn' is not known here; did you mean 'soon'?"),
        ("{moderate: 2}", "'moderate' wants entries below it (name: value), not 2"),
        ("{moderate: {soon: 2}}", "give 'moderate: prompt' 2 or less, or 'moderate: soon' 3 or more"),
        ("{minor: {immediate: 1}}", "give 'moderate: immediate' 1 or less, or 'minor: immediate' 2 or more"),
        ("{severe: {immediate: 2}}", "give 'severe: immediate' 1 or less, or 'major: immediate' 2 or more"),
    ],
)
def test_a_wrong_matrix_is_told_with_its_line_and_remedy(matrix: str, told: str) -> None:
    first = mistakes(f"\npriority_matrix:\n  {matrix[1:-1]}\n" + HEAD + PUMP % "")[0]
    assert first.startswith("3: ")
    assert first.endswith(told)
