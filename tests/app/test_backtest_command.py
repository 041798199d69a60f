"""The command that back-tests rules, as an engineer types it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner, Result

from app.cli import cli
from app.system import prepare_facility
from facility.class_files import load_classes
from facility.clock import NS_PER_S, VirtualClock
from facility.history.days import GRACE_NS
from facility.history.duckdb_history import DuckDbHistory
from facility.model import Facility
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from facility.settings import Settings
from facility.storage.database import open_database
from facility.storage.migrate import upgrade
from facility.storage.repository import load_facility
from people.model import Role
from rules.changes.model import Wanted
from rules.changes.repository import rules_named
from rules.changes.service import propose
from tests.app.backtests import END_NS, START_NS
from tests.app.processes import wait_until, watchkeeper
from tests.databases import employ
from tests.servers import free_port

SITE = """\
site: {id: house, name: House, time_zone: Asia/Shanghai}
spaces: [{id: house, kind: building}]
connections: [{id: pumps, protocol: modbus, host: 127.0.0.1, port: 9}]
assets:
  - {id: pump-1, class: pump, profile: pump-vfd-a, address: {unit: 1}}
"""
RULE = "pump-1/bearing_temperature_high"
DRAFT = f"""\
rules:
  {RULE}:
    condition: {{type: threshold, limits: {{high: {{value: 60}}}}, deadband: 1}}
"""
LABELS = f"""\
- {{rule: {RULE}, from: "2024-10-04T11:30Z", to: "2024-10-04T12:30Z", note: the bearing ran dry}}
"""
PERIOD = ["--from", "2024-10-04", "--to", "2024-10-07T00:00Z"]
START_S = 60.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with a pump whose bearing is too hot every noon."""
    file = tmp_path / "site.yaml"
    file.write_text(SITE, encoding="utf-8")
    (tmp_path / "drafts.yaml").write_text(DRAFT, encoding="utf-8")
    (tmp_path / "labels.yaml").write_text(LABELS, encoding="utf-8")
    settings = Settings(data_dir=tmp_path, site_file=file)
    database = open_database(settings.database_url)
    upgrade(database)
    facility = prepare_facility(settings, database, VirtualClock(START_NS))
    with database.begin() as connection:
        employ(connection, Role.ENGINEER)
    database.dispose()
    history = DuckDbHistory(tmp_path / "history")
    history.append(hot_noons(facility))
    history.commit()
    history.close()
    return tmp_path


def hot_noons(facility: Facility) -> SampleBatch:
    key = next(point.key for point in facility.points.values() if point.name == "bearing_temperature")
    second = np.arange(0, (END_NS - START_NS) // NS_PER_S, 10, dtype=np.int64)
    value = np.where(second % 86_400 // 3_600 == 12, 130.0, 70.0)
    at_ns = START_NS + second * NS_PER_S
    return SampleBatch(np.full(len(second), key, np.int32), at_ns, at_ns, value, np.zeros(len(second), np.uint8))


def typed(folder: Path, *arguments: str) -> Result:
    environment = {"WATCHKEEPER_DATA_DIR": str(folder), "WATCHKEEPER_PASSWORD": "secret"}
    return CliRunner().invoke(cli, ["backtest", *PERIOD, *arguments], env=environment)


def test_a_draft_is_compared_with_the_live_rule_on_a_data_folder(folder: Path) -> None:
    files = ["--draft", str(folder / "drafts.yaml"), "--label-file", str(folder / "labels.yaml")]
    done = typed(folder, *files)
    assert done.exit_code == 0, done.output
    shown = {first: cells for first, *cells in (re.split(r"\s{2,}", line) for line in done.stdout.splitlines())}
    assert shown["alarms per day"] == ["1.00", "0.33"]
    assert shown["labels caught"] == ["1 of 1", "1 of 1"]
    assert shown[RULE] == ["3", "1", "0", "0", "3", "1"]
    told = orjson.loads(typed(folder, *files, "--json").stdout)
    assert (told["live"]["alarms"], told["draft"]["alarms"], told["samples"]) == (3, 1, 25_920)
    assert not list(folder.glob("backtest-*"))


def test_all_rules_are_tested_where_none_is_named(folder: Path) -> None:
    told = orjson.loads(typed(folder, "--json").stdout)
    assert len(told["rules"]) > 5
    assert told["rules"][0]["live"]["alarms"] == 3
    assert told["draft"] is None


def test_what_stood_long_before_the_period_stands_in_it(folder: Path) -> None:
    """The seal was said to leak once, twenty hours earlier, and that day is closed."""
    database = open_database(Settings(data_dir=folder).database_url)
    with database.begin() as connection:
        facility = load_facility(connection, load_classes(), os.environ)
    database.dispose()
    leak = next(point.key for point in facility.points.values() if point.name == "seal_leak")
    told_ns = START_NS + 6 * 3_600 * NS_PER_S
    history = DuckDbHistory(folder / "history")
    history.append(SampleBatch.of([Sample(leak, told_ns, told_ns, 1.0, Quality.GOOD)]))
    history.commit()
    history.tidy(END_NS + GRACE_NS)
    history.close()
    told = orjson.loads(typed(folder, "--from", "2024-10-05T02:00Z", "--rule", "pump-1/seal_leak", "--json").stdout)
    assert told["live"]["stale"] == 1


def test_a_proposed_change_is_tested_as_it_would_go_live(folder: Path) -> None:
    """It lowers a limit, adds a rule like it, and switches another one off."""
    database = open_database(Settings(data_dir=folder).database_url)
    with database.begin() as connection:
        facility = load_facility(connection, load_classes(), os.environ)
        engineer = employ(connection, Role.SUPERVISOR)
        hot, cold = rules_named(connection, [("pump-1", "bearing_temperature_high"), ("pump-1", "seal_leak")])
        lower = {key: value for key, value in hot.definition.items() if key != "name"}
        lower["condition"] = {"type": "threshold", "limits": {"high": {"value": 60.0}}}
        wanted = [
            Wanted(rule_id=hot.rule_id, base=hot.revision, definition=lower),
            Wanted(asset_id="pump-1", name="bearing_warm", base=0, definition=lower),
            Wanted(rule_id=cold.rule_id, base=cold.revision, definition=None),
        ]
        change = propose(connection, facility, wanted, reason="they burn", actor=engineer, now_ns=0)
    database.dispose()
    told = orjson.loads(typed(folder, "--change", str(change.id), "--json").stdout)
    rules = {rule["name"]: rule for rule in told["rules"]}
    assert rules.keys() == {"bearing_temperature_high", "bearing_warm", "seal_leak"}
    assert (rules["bearing_temperature_high"]["live"]["alarms"], told["draft"]["alarms"]) == (3, 2)
    assert rules["bearing_warm"]["live"] is None
    assert rules["bearing_warm"]["draft"]["alarms"] == 1
    assert rules["seal_leak"]["draft"] is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--rule", "pump-1/bearing_temperature_hihg"], "there is no rule 'pump-1/bearing_temperature_hihg'; did you"),
        (["--rule", "bearing"], "write it as asset/rule"),
        (["--label-file", "drafts.yaml"], "write a list, each with from and to"),
        (["--draft", "labels.yaml"], "labels.yaml:1: write rules: {pump-1"),
        (["--to", "2024-10-03"], "write an earlier time"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(folder: Path, arguments: list[str], says: str) -> None:
    before = Path.cwd()
    os.chdir(folder)
    try:
        refused = typed(folder, *arguments)
    finally:
        os.chdir(before)
    assert refused.exit_code == 2
    assert says in refused.stderr


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    refused = typed(tmp_path / "nowhere")
    assert refused.exit_code == 2
    assert "Name it with WATCHKEEPER_DATA_DIR" in refused.stderr
    assert not (tmp_path / "nowhere").exists()


def test_a_running_server_does_it_and_its_data_folder_is_left_alone(folder: Path) -> None:
    port, log = free_port(), folder / "run.log"
    environment = {
        "WATCHKEEPER_DATA_DIR": str(folder),
        "WATCHKEEPER_PORT": str(port),
        "WATCHKEEPER_KEEP_TELEMETRY_DAYS": "10000",
        "WATCHKEEPER_KEEP_STATES_DAYS": "10000",
    }
    with watchkeeper("run", "--site", str(folder / "site.yaml"), environment=environment, log=log):
        wait_until(lambda: "serves" in log.read_text(), within_s=START_S, why=log.read_text)
        beside = typed(folder, "--rule", RULE)
        assert beside.exit_code == 2
        assert "test through it: --server" in beside.stderr
        server = ["--server", f"http://127.0.0.1:{port}", "--login", "engineer"]
        told = orjson.loads(typed(folder, *server, "--json").stdout)
        one = orjson.loads(typed(folder, *server, "--rule", RULE, "--json").stdout)
        wrong = typed(folder, *server, "--rule", f"{RULE}er")
    assert told["live"]["alarms"] >= 3
    assert [rule["name"] for rule in one["rules"]] == ["bearing_temperature_high"]
    assert f"there is no rule '{RULE}er'; did you" in wrong.stderr
