"""kill -9 at random instants: nothing acknowledged is lost, nothing is opened twice, no delay starts again."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import Engine, func, select

from alarms.tables import alarm_episode
from facility.clock import NS_PER_S
from facility.storage.database import open_database, reading
from facility.storage.tables import device_event, point, rule
from tests.app.processes import addresses, wait_until, watchkeeper
from tests.servers import Mosquitto, mosquitto_in
from workorders.tables import work_order, work_order_alarm

HERE = Path(__file__).parent
KILLS = 20
LONGEST_LIFE_S = 2.5

EXPECTED = {
    ("door-2", "held_open"),
    ("door-1", "forced"),
    ("lift-1", "passenger_trapped"),
    ("pump-1", "seal_leak"),
    ("detector-101", "fire"),
    ("door-3", "tamper"),
    ("call-point-11", "activated"),
    ("lift-2", "door_fails_to_close"),
    ("fire-panel-1", "mains_failure"),
    ("pump-2", "communication_lost"),
}
"""The rule that each fault of the scenario must raise, once."""


@contextmanager
def witness(broker: Mosquitto) -> Iterator[set[tuple[str, str]]]:
    """Note every access event that the broker took: the door's id and the event's."""
    seen: set[tuple[str, str]] = set()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="witness")

    def note(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        seen.add((message.topic.split("/")[1], str(orjson.loads(message.payload)["id"])))

    client.on_message = note
    client.connect("127.0.0.1", broker.port)
    client.subscribe("kill/+/event", qos=1)
    client.loop_start()
    yield seen
    client.disconnect()
    client.loop_stop()


def episodes(database: Engine) -> Counter[tuple[str, str]]:
    """Count episodes by asset and rule."""
    statement = select(alarm_episode.c.asset_id, rule.c.name).join(rule, rule.c.id == alarm_episode.c.rule_id)
    with reading(database) as connection:
        return Counter((row.asset_id, row.name) for row in connection.execute(statement))


def stored_events(database: Engine) -> set[tuple[str, str]]:
    """Return every access event in the database."""
    statement = select(point.c.asset_id, device_event.c.event_id).join(point, point.c.key == device_event.c.point_key)
    with reading(database) as connection:
        return {(row.asset_id, row.event_id) for row in connection.execute(statement)}


def kill_again_and_again(environment: dict[str, str], log: Path) -> None:
    """Kill the system at random instants: every second time while it starts, the others while it works."""
    chance = random.Random(20)  # noqa: S311  # any instants will do, but the same ones each time
    for life in range(KILLS):
        served = log.read_text().count("serves")
        with watchkeeper("run", environment=environment, log=log) as process:
            if life % 2:
                await_serving(log, served + 1)
            time.sleep(chance.uniform(0.1, LONGEST_LIFE_S))  # the length of a life, not a wait for a result
            assert process.poll() is None, log.read_text()[-4000:]
            process.send_signal(signal.SIGKILL)
            process.wait()


def await_serving(log: Path, times: int) -> None:
    """Return when the log says for the n-th time that the system serves."""
    wait_until(lambda: log.read_text().count("serves") >= times, within_s=60, why=log.read_text)


def test_twenty_kills_lose_nothing_and_open_nothing_twice(tmp_path: Path) -> None:
    broker, log = mosquitto_in(tmp_path), tmp_path / "watchkeeper.log"
    environment = {
        **addresses(broker.port),
        "WATCHKEEPER_DATA_DIR": str(tmp_path / "data"),
        "WATCHKEEPER_SITE_FILE": str(HERE / "kill_site.yaml"),
        "WATCHKEEPER_PORT": "0",
    }
    devices = ("simulate", "--site", str(HERE / "kill_site.yaml"), "--scenario", str(HERE / "kill_scenario.yaml"))
    database = open_database(f"sqlite:///{tmp_path / 'data' / 'watchkeeper.db'}")
    with broker.running(), witness(broker) as published:
        with watchkeeper("run", environment=environment, log=log):
            # From its first life on the broker knows the session, and keeps what nobody takes.
            wait_until(lambda: "as watchkeeper-mqtt" in broker_log(tmp_path), within_s=60, why=log.read_text)
        with watchkeeper(*devices, environment=environment, log=tmp_path / "devices.log"):
            kill_again_and_again(environment, log)
            with watchkeeper("run", environment=environment, log=log):
                wait_until(
                    lambda: set(episodes(database)) >= EXPECTED and stored_events(database) >= published,
                    within_s=90,
                    why=lambda: (
                        f"missing {EXPECTED - set(episodes(database))}, "
                        f"{published - stored_events(database)}; {log.read_text()[-4000:]}"
                    ),
                )
    check_outcome(database)
    assert published, "the doors were silent, so nothing was shown"
    database.dispose()


def broker_log(folder: Path) -> str:
    """Return what the broker says of its clients."""
    return (folder / "mosquitto.log").read_text()


def check_outcome(database: Engine) -> None:
    """Hold the database against what truly happened."""
    found = episodes(database)
    assert {key: n for key, n in found.items() if key in EXPECTED and n != 1} == {}
    orders = select(work_order_alarm.c.alarm_id, func.count()).group_by(work_order_alarm.c.alarm_id)
    open_orders = select(work_order.c.correlation_key, func.count()).group_by(work_order.c.correlation_key)
    held_open = (
        select(alarm_episode.c.raised_at_ns - alarm_episode.c.since_ns)
        .join(rule, rule.c.id == alarm_episode.c.rule_id)
        .where(rule.c.name == "held_open")
    )
    with reading(database) as connection:
        assert all(n == 1 for _, n in connection.execute(orders))
        assert all(n == 1 for _, n in connection.execute(open_orders))
        assert connection.scalars(select(func.count()).select_from(work_order)).one() >= len(EXPECTED)
        # Every life was shorter than this delay: had it begun anew once, the alarm would have come later, or never.
        assert connection.scalar(held_open) == 30 * NS_PER_S
