"""Rules changed in bulk from the command line, as two engineers type it, at a real server."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select
from typer.testing import CliRunner, Result

from app.cli import cli
from facility.storage.database import open_database, reading
from facility.storage.migrate import upgrade
from facility.storage.tables import rule
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
START_S = 60.0


def test_a_sheet_is_exported_changed_tried_imported_and_approved_by_somebody_else_and_survives_a_start(
    tmp_path: Path,
) -> None:
    port, site, log, sheet = free_port(), tmp_path / "site.yaml", tmp_path / "run.log", tmp_path / "rules.csv"
    environment = {
        "WATCHKEEPER_DATA_DIR": str(tmp_path),
        "WATCHKEEPER_PORT": str(port),
        "WATCHKEEPER_PASSWORD": "secret",
    }
    database = open_database(f"sqlite:///{tmp_path / 'watchkeeper.db'}")
    upgrade(database)
    with database.begin() as connection:
        for login in ("ada", "bo"):
            employ(connection, Role.ENGINEER, login=login)
    site.write_text(SITE, encoding="utf-8")

    def rules(*arguments: str, login: str = "ada") -> Result:
        options = ["--login", login, "--server", f"http://127.0.0.1:{port}"]
        return CliRunner().invoke(cli, ["rules", *arguments, *options], env=environment)

    def limit() -> float:
        with reading(database) as connection:
            [definition] = connection.scalars(select(rule.c.definition).where(rule.c.name == "vibration_high"))
        value: float = definition["condition"]["limits"]["high"]["value"]
        return value

    with watchkeeper("run", "--site", str(site), environment=environment, log=log):
        wait_until(lambda: "serves" in log.read_text(), within_s=START_S, why=log.read_text)
        exported = rules("export", str(sheet))
        assert exported.exit_code == 0, exported.output
        text = sheet.read_text(encoding="utf-8-sig")
        sheet.write_bytes(text.replace("vibration_high,1,yes,high,4.5", "vibration_high,1,yes,high,5").encode("cp1252"))

        tried = rules("import", str(sheet), "--dry-run")
        assert "pump-1/vibration_high: high 4.5 → 5 mm/s" in tried.output
        assert "agreed" not in rules("changes", login="bo").output

        assert "reason is missing" in rules("import", str(sheet)).stderr
        assert "Change 1 waits" in rules("import", str(sheet), "--reason", "agreed with the maker").output
        assert "agreed with the maker" in rules("changes", login="bo").output
        assert "high 4.5 → 5 mm/s" in rules("changes", "1", login="bo").output
        own = rules("approve", "1", "--comment", "mine")
        assert own.exit_code == 2
        assert "second engineer" in own.stderr
        assert limit() == 4.5
        approved = rules("approve", "1", "--comment", "compared with the trend", login="bo")
        assert approved.exit_code == 0, approved.output
        assert limit() == 5.0

        wrong = tmp_path / "wrong.csv"
        wrong.write_text("asset,rule,limit,value\npump-1,vibration_high,high,9\n", encoding="utf-8")
        refused = rules("import", str(wrong), "--dry-run")
        assert refused.exit_code == 1
        assert f"{wrong}:2: MISTAKE pump-1/vibration_high" in refused.output
        assert "ends in neither" in rules("export", str(tmp_path / "rules.xlsx")).stderr

    with watchkeeper("run", "--site", str(site), environment=environment, log=log):
        wait_until(lambda: log.read_text().count("serves") == 2, within_s=START_S, why=log.read_text)
    assert limit() == 5.0
    database.dispose()
