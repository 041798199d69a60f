"""The command that puts a site file into a running Watchkeeper, as an engineer types it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select
from typer.testing import CliRunner, Result

from app.cli import cli
from facility.storage.database import open_database, reading
from facility.storage.migrate import upgrade
from facility.storage.tables import asset, configuration_change
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
SECOND = "  - {id: pump-2, class: pump, profile: pump-vfd-b, address: {unit: 2}}\n"
START_S = 60.0


def test_a_site_is_changed_by_command_refused_with_its_mistakes_and_journalled(tmp_path: Path) -> None:
    port, file, log = free_port(), tmp_path / "site.yaml", tmp_path / "run.log"
    url = f"sqlite:///{tmp_path / 'watchkeeper.db'}"
    environment = {
        "WATCHKEEPER_DATA_DIR": str(tmp_path),
        "WATCHKEEPER_PORT": str(port),
        "WATCHKEEPER_PASSWORD": "secret",
    }
    database = open_database(url)
    upgrade(database)
    with database.begin() as connection:
        employ(connection, Role.ENGINEER)
        employ(connection, Role.OPERATOR)
    file.write_text(SITE, encoding="utf-8")

    def apply(login: str) -> Result:
        options = ["--login", login, "--server", f"http://127.0.0.1:{port}", "--reason", "a second pump"]
        return CliRunner().invoke(cli, ["site", "apply", str(file), *options], env=environment)

    assert "does not answer" in apply("engineer").stderr
    with watchkeeper("run", "--site", str(file), environment=environment, log=log):
        wait_until(lambda: "serves" in log.read_text(), within_s=START_S, why=log.read_text)
        file.write_text(SITE + SECOND.replace("pump-vfd-b", "pump-vfd-d"), encoding="utf-8")
        wrong = apply("engineer")
        assert wrong.exit_code == 2
        assert "pump-2: no profile 'pump-vfd-d'" in wrong.stderr
        file.write_text(SITE + SECOND, encoding="utf-8")
        forbidden = apply("operator")
        assert forbidden.exit_code == 2
        assert "may not change site" in forbidden.stderr
        done = apply("engineer")
        assert done.exit_code == 0, done.output
    with reading(database) as connection:
        assert set(connection.scalars(select(asset.c.id))) == {"pump-1", "pump-2"}
        journal = connection.execute(
            select(configuration_change).where(configuration_change.c.entity == "pump-2")
        ).one()
    assert (journal.author, journal.reason) == ("engineer", "a second pump")
    database.dispose()
