"""Gateway and engine as two processes: killed at random instants, they lose nothing and open nothing twice."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from facility.storage.database import open_database
from tests.app.processes import addresses, wait_until, watchkeeper
from tests.app.test_kill import EXPECTED, HERE, LONGEST_LIFE_S, check_outcome, episodes, stored_events, witness
from tests.servers import Mosquitto, mosquitto_in


@dataclass(frozen=True, kw_only=True)
class Plant:
    """Devices on one broker; gateway and engine that meet on another."""

    folder: Path
    devices: Mosquitto
    bus: Mosquitto
    environment: dict[str, str]

    @contextmanager
    def role(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run one role with data of its own until the block ends."""
        log = self.log(name)
        environment = {**self.environment, "WATCHKEEPER_DATA_DIR": str(self.folder / name)}
        if name == "engine":
            environment["WATCHKEEPER_SITE_FILE"] = str(HERE / "kill_site.yaml")
        began = log.read_text().count(READY[name]) if log.exists() else 0
        with watchkeeper("run", "--role", name, environment=environment, log=log) as process:
            wait_until(lambda: log.read_text().count(READY[name]) > began, within_s=60, why=log.read_text)
            yield process

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def words(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()[-3000:]}" for path in self.folder.glob("*.log"))


READY = {"engine": "serves", "gateway": "runs"}


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    folders = {name: tmp_path / name for name in ("devices", "bus")}
    for folder in folders.values():
        folder.mkdir()
    devices, bus = mosquitto_in(folders["devices"]), mosquitto_in(folders["bus"])
    environment = {
        **addresses(devices.port),
        "WATCHKEEPER_BUS_URL": f"mqtt://127.0.0.1:{bus.port}",
        "WATCHKEEPER_PORT": "0",
    }
    return Plant(folder=tmp_path, devices=devices, bus=bus, environment=environment)


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_kills_of_gateway_engine_and_bus_lose_nothing_and_open_nothing_twice(plant: Plant) -> None:
    site, scenario = str(HERE / "kill_site.yaml"), str(HERE / "kill_scenario.yaml")
    database = open_database(f"sqlite:///{plant.folder / 'engine' / 'watchkeeper.db'}")
    chance = random.Random(3)  # noqa: S311  # any instants will do, but the same ones each time
    with ExitStack() as stack:
        stack.enter_context(plant.devices.running())
        published = stack.enter_context(witness(plant.devices))
        with plant.bus.running() as broker, plant.role("gateway"), plant.role("engine"):
            # The gateway has its configuration, and the broker of the devices its session, from now on.
            wait_until((plant.folder / "gateway" / "gateway-site.json").exists, within_s=60, why=plant.words)
            wait_until(lambda: "as watchkeeper-mqtt" in log_of(plant.devices), within_s=60, why=plant.words)
            kill(broker)
        stack.enter_context(
            watchkeeper(
                "simulate",
                "--site",
                site,
                "--scenario",
                scenario,
                environment=plant.environment,
                log=plant.log("simulators"),
            )
        )
        with plant.role("gateway") as gateway:  # without bus and engine
            wait_until(lambda: len(published) > 0, within_s=60, why=plant.words)
            kill(gateway)
        stack.enter_context(plant.bus.running())
        for first, second in (("engine", "gateway"), ("gateway", "engine")):
            with plant.role(first) as one, plant.role(second) as other:
                time.sleep(chance.uniform(0.1, LONGEST_LIFE_S))  # the length of a life, not a wait for a result
                kill(one)
                kill(other)
        stack.enter_context(plant.role("engine"))
        stack.enter_context(plant.role("gateway"))
        wait_until(
            lambda: set(episodes(database)) >= EXPECTED and stored_events(database) >= published,
            within_s=90,
            why=lambda: f"missing {EXPECTED - set(episodes(database))}, {plant.words()}",
        )
    check_outcome(database)
    assert published, "the doors were silent, so nothing was shown"
    database.dispose()


def log_of(broker: Mosquitto) -> str:
    """Return what a broker says of its clients."""
    return (broker.folder / "mosquitto.log").read_text()
