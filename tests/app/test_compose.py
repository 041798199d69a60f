"""The deployment of docker-compose.yml, with the same commands as plain processes on real servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from tests.app.compose_file import service
from tests.app.processes import addresses, wait_until, watchkeeper
from tests.servers import Mosquitto, binary, free_port, running

SECRETS = {"POSTGRES_PASSWORD": "p", "INFLUX_PASSWORD": "i", "INFLUX_TOKEN": "t"}
PASSWORD = "harbour tower at night"


def test_the_composed_services_take_a_fault_from_the_device_to_an_order(
    tmp_path: Path, mosquitto: Mosquitto, postgres_url: str
) -> None:
    influx_port, port = free_port(), free_port()
    replacements = {
        "postgresql+psycopg://watchkeeper:p@postgres/watchkeeper": postgres_url,
        "http://influxdb:8086": f"http://127.0.0.1:{influx_port}",
        "mosquitto": "127.0.0.1",
        "simulators": "127.0.0.1",
    }
    # Hosts are as the containers are told; only ports are this test's own.
    here = {
        **{name: value for name, value in addresses(mosquitto.port).items() if name.endswith("_PORT")},
        "WATCHKEEPER_BUS_URL": f"mqtt://127.0.0.1:{mosquitto.port}",
        "WATCHKEEPER_BUS_PREFIX": "compose",
        "WATCHKEEPER_PORT": str(port),
        "WATCHKEEPER_HOST": "127.0.0.1",
    }
    system, gateway, devices = (service(name, SECRETS) for name in ("engine", "gateway", "simulators"))
    system_environment = {
        **system.environment_here(replacements),
        **here,
        "WATCHKEEPER_DATA_DIR": str(tmp_path / "engine"),
    }
    gateway_environment = {
        **gateway.environment_here(replacements),
        **here,
        "WATCHKEEPER_DATA_DIR": str(tmp_path / "gateway"),
    }
    assert not {name for name in gateway_environment if "DATABASE" in name or "INFLUX" in name}
    log, devices_log = tmp_path / "watchkeeper.log", tmp_path / "devices.log"
    metrics = [binary("victoria-metrics"), f"-httpListenAddr=127.0.0.1:{influx_port}", f"-storageDataPath={tmp_path}/m"]
    with (
        running(metrics, port=influx_port, log=tmp_path / "metrics.log"),
        watchkeeper(
            *devices.command_here(),
            environment={**devices.environment_here(replacements), **here},
            log=devices_log,
        ),
        watchkeeper(*gateway.command_here(), environment=gateway_environment, log=tmp_path / "gateway.log"),
        watchkeeper(*system.command_here(), environment=system_environment, log=log),
    ):
        wait_until(lambda: "serves" in log.read_text(), within_s=60, why=log.read_text)
        add_operator(system_environment, tmp_path / "account.log")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"X-Watchkeeper": "1"}) as client:
            client.post("/api/session", json={"login": "mei", "password": PASSWORD}).raise_for_status()
            wait_until(lambda: all_up(client), within_s=30, why=lambda: str(get(client, "/api/status")))
            wait_until(lambda: has_order(client), within_s=60, why=log.read_text)
        wait_until(lambda: stored_series(influx_port) > 0, within_s=30, why=log.read_text)


def add_operator(environment: dict[str, str], log: Path) -> None:
    """Add someone who can log in, with the command that the log asks for."""
    arguments = ["account", "add", "--login", "mei", "--name", "Mei", "--role", "operator", "--password", PASSWORD]
    with watchkeeper(*arguments, environment=environment, log=log) as process:
        assert process.wait(60) == 0, log.read_text()


def get(client: httpx.Client, path: str) -> Any:  # noqa: ANN401  # JSON
    """Return the JSON of a path."""
    return client.get(path).raise_for_status().json()


def all_up(client: httpx.Client) -> bool:
    """Tell whether every connection of the gateway is up and has delivered."""
    connections = get(client, "/api/status")["connections"]
    return all(connection["state"] == "up" and connection["samples"] for connection in connections)


def has_order(client: httpx.Client) -> bool:
    """Tell whether an alarm has opened its order."""
    return any(alarm["order_id"] for alarm in get(client, "/api/alarms")["alarms"])


def stored_series(port: int) -> int:
    """Count the series in the time-series database."""
    answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/series/count").raise_for_status()
    count: int = answer.json()["data"][0]
    return count
