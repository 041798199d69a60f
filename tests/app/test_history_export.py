"""The command that takes history away, from a data folder and through a running Watchkeeper."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli import cli
from app.system import open_system
from facility.clock import NS_PER_S, VirtualClock
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from facility.settings import Settings
from people.model import Role
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
NOON_NS = 1_800_000_000 * NS_PER_S
"""2027-01-15T08:00:00Z."""
START_S = 60.0
PERIOD = ["--from", "2027-01-15", "--to", "2027-01-15T16:00:02+08:00"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Three samples of a flow in a data folder that nobody holds, and an operator."""
    site = tmp_path / "site.yaml"
    site.write_text(SITE, encoding="utf-8")
    settings = Settings(data_dir=tmp_path / "data", site_file=site)
    with open_system(settings, clock=VirtualClock(NOON_NS)) as system:
        key = next(point.key for point in system.facility.points.values() if point.address == "pump-1/flow")
        rows = [Sample(key, NOON_NS + s * NS_PER_S, NOON_NS + s * NS_PER_S, s + 0.5, Quality.GOOD) for s in range(3)]
        system.services.history.append(SampleBatch.of(rows))
        system.services.history.commit()
        with system.database.begin() as connection:
            employ(connection, Role.OPERATOR)
    return {"WATCHKEEPER_DATA_DIR": str(tmp_path / "data"), "WATCHKEEPER_PASSWORD": "secret"}


def export(environment: dict[str, str], out: Path, *options: str) -> Result:
    arguments = ["history", "export", "pump-1/flow", "--out", str(out), *PERIOD, *options]
    return CliRunner().invoke(cli, arguments, env=environment)


def lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines()


EXPECTED = [
    "time,point,value,unit,quality",
    "2027-01-15T08:00:00.000000Z,pump-1/flow,0.5,m³/h,good",
    "2027-01-15T08:00:01.000000Z,pump-1/flow,1.5,m³/h,good",
]


def test_history_is_taken_from_a_data_folder_that_nobody_uses(environment: dict[str, str], tmp_path: Path) -> None:
    done = export(environment, tmp_path / "flow.csv")
    assert done.exit_code == 0, done.output
    assert lines(tmp_path / "flow.csv") == EXPECTED
    done = export(environment, tmp_path / "flow.parquet", "--format", "parquet")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "flow.parquet").read_bytes()[:4] == b"PAR1"


def test_what_is_not_there_and_what_is_no_instant_is_said(environment: dict[str, str], tmp_path: Path) -> None:
    unknown = CliRunner().invoke(
        cli, ["history", "export", "pump-7/flow", "--out", str(tmp_path / "x"), *PERIOD], env=environment
    )
    assert unknown.exit_code == 2
    assert "There is no point pump-7/flow" in unknown.stderr
    assert export(environment, tmp_path / "x", "--from", "yesterday").exit_code == 2
    backwards = export(environment, tmp_path / "x", "--from", "2027-01-16")
    assert backwards.exit_code == 2
    assert "empty" in backwards.stderr
    assert not (tmp_path / "x").exists()


def test_history_is_taken_through_a_running_watchkeeper(environment: dict[str, str], tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "run.log"
    running = {**environment, "WATCHKEEPER_PORT": str(port)}
    server = ["--server", f"http://127.0.0.1:{port}", "--login", "operator"]
    assert "does not answer" in export(environment, tmp_path / "flow.csv", *server).stderr
    with watchkeeper("run", environment=running, log=log):
        wait_until(lambda: "serves" in log.read_text(), within_s=START_S, why=log.read_text)
        held = export(environment, tmp_path / "flow.csv")
        assert held.exit_code == 2
        assert "--server" in held.stderr
        done = export(environment, tmp_path / "flow.csv", *server)
        assert done.exit_code == 0, done.output
        backwards = export(environment, tmp_path / "flow.csv", *server, "--from", "2027-01-16")
        assert "empty" in backwards.stderr
    assert lines(tmp_path / "flow.csv") == EXPECTED
