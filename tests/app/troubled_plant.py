"""A whole running system on three real wires, whose devices can be made to talk nonsense."""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import func, select

from alarms.tables import alarm_episode
from app.surroundings import environment
from app.system import System, flowing, open_system
from facility.clock import ScaledClock, SystemClock
from facility.quality import Quality
from facility.settings import Settings
from facility.storage.database import reading
from facility.storage.tables import rule
from tests.gateway.bacnet_device import FieldDevice
from tests.gateway.driver_site import until
from tests.gateway.modbus_server import FakeUnit, serving
from tests.servers import START_TIMEOUT_S, free_port
from workorders.tables import work_order

SITE_FILE = Path(__file__).parent / "bad_input_site.yaml"
HEARTBEAT_S = 0.1
GOOD_STATE: Mapping[str, object] = {
    "door": "closed",
    "lock": "locked",
    "tamper": "no",
    "tailgating": "no",
    "battery_v": 24.0,
}
SEAL_LEAK = 0b1011
SEAL_DRY = 0b1001


def registers_a(*, flow: float = 40.0) -> list[int]:
    """Return what drive A of a sound pump has in its registers."""
    floats = (1450.0, flow, 1.0, 4.0, 10.0, 400.0, 5.0, 60.0, 50.0, 1.0)
    image = struct.pack(">10fdIHf", *floats, 100.0, 10, SEAL_DRY, 1450.0)
    return list(struct.unpack(f">{len(image) // 2}H", image))


def registers_b(status: int = SEAL_DRY) -> list[int]:
    """Return what drive B of a sound pump has in its registers, from register 0 on."""
    return [0] * 100 + [1450, 400, 1000, 4000, 1000, 4000, 500, 600, 500, 100, 34464, 1, 10, 0, status, 1450]


@dataclass
class Plant:
    """The running system and its devices."""

    system: System
    pumps: Mapping[int, FakeUnit]
    panel: FieldDevice
    publish: Callable[[str, bytes], None]
    states: dict[str, Mapping[str, object]] = field(
        default_factory=lambda: {"door-1": dict(GOOD_STATE), "door-2": dict(GOOD_STATE)}
    )
    """What each door says all the time; a door that is absent says nothing."""
    _speech: threading.Lock = field(default_factory=threading.Lock)

    def say(self, door: str, payload: bytes) -> None:
        """Let a door say this instead of its state from now on."""
        with self._speech:
            self.states.pop(door, None)
            self.publish(f"bad-input/{door}/state", payload)

    def say_states(self) -> None:
        """Let every door that is not absent say its state."""
        for door in list(self.states):
            with self._speech:
                if door in self.states:
                    self.publish(f"bad-input/{door}/state", orjson.dumps(self.states[door]))

    def latest(self, asset: str, point: str) -> tuple[float, Quality] | None:
        """Return value and quality of a point as the console shows it; ``None`` before its first sample."""
        [key] = [each.key for each in self.system.facility.points_of(asset) if each.name == point]
        _, values = self.system.services.latest.changed_since(0)
        found = [(each.value, Quality(each.quality)) for each in values if each.point == key and each.source_time_ns]
        return found[0] if found else None

    def quality(self, asset: str, point: str) -> Quality | None:
        """Return the quality of a point's newest sample."""
        latest = self.latest(asset, point)
        return latest[1] if latest else None

    def source_time_ns(self, asset: str, point: str) -> int:
        """Return when a point's newest sample was so."""
        [key] = [each.key for each in self.system.facility.points_of(asset) if each.name == point]
        _, values = self.system.services.latest.changed_since(0)
        return max((each.source_time_ns for each in values if each.point == key), default=0)

    def alarms(self) -> list[tuple[str, str]]:
        """Return every episode so far: asset and rule."""
        statement = select(alarm_episode.c.asset_id, rule.c.name).join(rule, rule.c.id == alarm_episode.c.rule_id)
        with reading(self.system.database) as connection:
            return sorted((row.asset_id, row.name) for row in connection.execute(statement))

    def orders(self) -> int:
        """Return how many work orders there are."""
        with reading(self.system.database) as connection:
            return connection.scalars(select(func.count()).select_from(work_order)).one()

    async def keeps_flowing(self, asset: str, point: str) -> None:
        """Return when three more good samples of a point came, one after the other; fail when they do not."""
        for _ in range(3):
            before = self.source_time_ns(asset, point)
            await until(lambda before=before: self.source_time_ns(asset, point) > before)  # type: ignore[misc]  # mypy#4226
            assert self.quality(asset, point) is Quality.GOOD


@contextmanager
def publisher(port: int) -> Iterator[Callable[[str, bytes], None]]:
    """Give what publishes as the doors do, at QoS 1."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="bad-input-doors")
    connected = threading.Event()
    client.on_connect = lambda *_: connected.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert connected.wait(START_TIMEOUT_S)
    yield lambda topic, payload: client.publish(topic, payload, qos=1).wait_for_publish(START_TIMEOUT_S)
    client.disconnect()
    client.loop_stop()


async def speak(plant: Plant) -> None:
    """Let the doors say their states again and again."""
    while True:
        await asyncio.to_thread(plant.say_states)
        await asyncio.sleep(HEARTBEAT_S)


@asynccontextmanager
async def troubled_plant(mqtt_port: int, folder: Path, *, speed: float = 1.0) -> AsyncIterator[Plant]:
    """Run the plant with every device sound, until the block ends."""
    modbus_port, bacnet_port = free_port(), free_port()
    variables = {
        "WATCHKEEPER_MQTT_PORT": str(mqtt_port),
        # The broker keeps a session by its name, and with it what the test before left there.
        "WATCHKEEPER_MQTT_CLIENT": f"bad-input-{modbus_port}",
        "WATCHKEEPER_MODBUS_PORT": str(modbus_port),
        "WATCHKEEPER_BACNET_PORT": str(bacnet_port),
    }
    pumps = {1: FakeUnit(registers_a()), 2: FakeUnit(registers_b())}
    settings = Settings(data_dir=folder, site_file=SITE_FILE)
    clock = ScaledClock(start_ns=SystemClock().now_ns(), speed=speed)
    panel = FieldDevice(bacnet_port)
    try:
        with (
            environment(variables),
            publisher(mqtt_port) as publish,
            open_system(settings, clock=clock) as system,
        ):
            async with serving(modbus_port, pumps), flowing(system):
                plant = Plant(system, pumps, panel, publish)
                speaking = asyncio.create_task(speak(plant))
                try:
                    await until(lambda: is_sound(plant))
                    yield plant
                finally:
                    speaking.cancel()
                    with suppress(asyncio.CancelledError):
                        await speaking
    finally:
        panel.stop()


def is_sound(plant: Plant) -> bool:
    """Tell whether every device has been heard of."""
    points = [
        ("door-1", "battery_voltage"),
        ("door-2", "battery_voltage"),
        ("pump-1", "flow"),
        ("pump-2", "flow"),
        ("detector-101", "state"),
        ("call-point-1", "activated"),
    ]
    return all(plant.quality(*point) is Quality.GOOD for point in points)
