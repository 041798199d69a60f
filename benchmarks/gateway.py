"""What one gateway process takes: Modbus, BACnet and MQTT together, against devices in other processes on loopback.

``uv run --group bench python -m benchmarks.gateway --json``. The load: 300 Modbus connections of 125 registers read
once a second, 1,500 BACnet objects read every 10 s, 1,000 MQTT messages a second with QoS 1 through mosquitto
(:mod:`benchmarks.gateway_field`). The gateway is the real one, this very process: its drivers, its inbox, a thread that
takes deliveries as the engine does, and the engine's own history thread, which acknowledges. Only rules, database and
the history's disk are left out.

Figures: ``samples_per_s`` that came through the inbox, by protocol too; ``polls_missed``, polls that came later than
one whole period after they were due; ``lost``, messages that were published and never delivered, samples that came
bad, and samples that the inbox dropped; ``cpu_percent_of_core`` and resident memory (MB of 10^6 bytes) of this process
and the children that the gateway itself may start; ``loop_lag_p99_ms``, how much later than asked a sleep of 10 ms
ends in the event loop. ``cpu_us_per_sample`` compares runs on a busy machine better than percentages do.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import psutil

from app.history_thread import HistoryThread
from app.logs import configure_logs
from benchmarks.gateway_plant import Load, Plant, plant
from facility.clock import NS_PER_S
from facility.history.export import Export
from facility.history.history import Buckets
from facility.model import Protocol
from facility.quality import BAD_FROM
from facility.samples import SampleBatch
from gateway.events import ConnectionState, Delivery
from gateway.gateway import Gateway
from gateway.inbox import Inbox
from tests.servers import binary, free_port, running

WARM_UP_S: Final = 15.0
"""Under full load before anything is counted: long enough for every device to be at its own pace."""
CONNECTED_WITHIN_S: Final = 120.0
DRAINED_WITHIN_S: Final = 30.0
TICK_S: Final = 0.01
PATIENCE_S: Final = 0.25
"""As the engine's."""
MAX_MESSAGES: Final = 1_000
"""Of one topic in one run, at one a second."""
MB: Final = 1e6


class NoHistory:
    """Keeps nothing, so that acknowledgements come as fast as they can."""

    def append(self, batch: SampleBatch) -> None:
        """Forget it."""

    def commit(self) -> None:
        """Nothing to keep."""

    def read(self, point: int, start_ns: int, end_ns: int, limit: int) -> SampleBatch:  # noqa: ARG002  # a History
        """Return nothing."""
        return SampleBatch.of([])

    def latest(self, since_ns: int) -> SampleBatch:  # noqa: ARG002  # a History
        """Return nothing."""
        return SampleBatch.of([])

    def samples(self, points: Collection[int], start_ns: int, end_ns: int) -> SampleBatch:
        """Refuse: nobody asks here."""
        raise NotImplementedError

    def snapshot(self, points: Collection[int], start_ns: int, end_ns: int, folder: Path) -> list[Path]:
        """Refuse, as above."""
        raise NotImplementedError

    def export(self, export: Export, file: Path) -> None:
        """Refuse, as above."""
        raise NotImplementedError

    def buckets(self, point: int, start_ns: int, end_ns: int, count: int) -> Buckets:
        """Refuse: nobody draws a trend here."""
        raise NotImplementedError

    def tidy(self, now_ns: int) -> None:
        """Nothing to tidy."""

    def close(self) -> None:
        """Nothing to let go."""


class Tally:
    """Counts what arrives; memory is taken at the start, so that what grows later is the gateway's."""

    def __init__(self, made: Plant) -> None:
        self.samples: Counter[Protocol] = Counter()
        self.missed = 0
        """Polls that came later than a whole period after they were due."""
        self._protocols = {each.id: each.protocol for each in made.connections.values()}
        self._period_ns = {
            Protocol.MODBUS: round(made.load.modbus_period_s * NS_PER_S),
            Protocol.BACNET_IP: round(made.load.bacnet_period_s * NS_PER_S),
        }
        self._last_ns: npt.NDArray[np.int64] = np.full(len(made.points) + 1, -1, np.int64)
        keys = made.keys_of(Protocol.MQTT)
        self._first_topic = keys[0]
        self._seen = np.ones((len(keys), MAX_MESSAGES), np.bool_)
        self._seen[:] = False

    @property
    def messages(self) -> int:
        """Return how many different MQTT messages arrived."""
        return int(np.count_nonzero(self._seen))

    def take(self, delivery: Delivery) -> None:
        """Count one delivery."""
        protocol, batch = self._protocols[delivery.connection_id], delivery.batch
        self.samples[protocol] += len(batch)
        if protocol is Protocol.MQTT:
            self._take_messages(batch)
        else:
            self._take_polls(batch, self._period_ns[protocol])

    def _take_messages(self, batch: SampleBatch) -> None:
        for key, value, quality in zip(batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True):
            if quality < BAD_FROM:
                self._seen[key - self._first_topic, int(value)] = True

    def _take_polls(self, batch: SampleBatch, period_ns: int) -> None:
        last, now = self._last_ns[batch.point], batch.gateway_time_ns
        periods = np.where(last >= 0, (now - last) // period_ns, 0)
        self.missed += int(np.count_nonzero(periods > 1))
        self._last_ns[batch.point] = now


class Intake:
    """Takes deliveries as the engine does and hands them to the history thread, which acknowledges them."""

    def __init__(self, inbox: Inbox, tally: Tally) -> None:
        self._inbox = inbox
        self._tally = tally
        self._history = HistoryThread(NoHistory())
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="intake")

    def __enter__(self) -> Self:
        self._history.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._inbox.wake()
        self._thread.join()
        self._history.stop()

    def _run(self) -> None:
        while not self._stopping.is_set():
            deliveries = self._inbox.take(PATIENCE_S).deliveries
            SampleBatch.concatenate(delivery.batch for delivery in deliveries)  # as the rules take them
            for delivery in deliveries:
                self._tally.take(delivery)
            self._history.put(deliveries)


@dataclass(frozen=True, slots=True)
class Moment:
    """Counters at one instant."""

    wall_s: float
    cpu_s: float
    children_cpu_s: float
    rss_mb: float
    children_rss_mb: float
    samples: Counter[Protocol]
    missed: int
    errors: int
    overruns: int


@dataclass(slots=True)
class Meter:
    """Reads this process and the children that the gateway started."""

    gateway: Gateway
    tally: Tally
    field_processes: set[int]
    """Process ids that are no part of the gateway."""
    lags_s: list[float] = field(default_factory=list)

    def moment(self) -> Moment:
        """Return the counters as they stand."""
        own = psutil.Process()
        children = [each for each in own.children(recursive=True) if each.pid not in self.field_processes]
        units = [unit for status in self.gateway.statuses.values() for unit in status.units.values()]
        return Moment(
            wall_s=time.monotonic(),
            cpu_s=_cpu_s(own),
            children_cpu_s=sum(map(_cpu_s, children)),
            rss_mb=own.memory_info().rss / MB,
            children_rss_mb=sum(child.memory_info().rss for child in children) / MB,
            samples=self.tally.samples.copy(),
            missed=self.tally.missed,
            errors=sum(status.errors for status in self.gateway.statuses.values()),
            overruns=sum(unit.overruns for unit in units),
        )

    async def tick(self) -> None:
        """Note how late a short sleep ends, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + TICK_S
            await asyncio.sleep(TICK_S)
            self.lags_s.append(loop.time() - due_s)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@contextlib.contextmanager
def field_process(kind: str, **options: object) -> Iterator[tuple[subprocess.Popen[str], dict[str, object]]]:
    """Run devices of one kind until the block ends; gives the process and what it said when it was ready."""
    arguments = [f"--{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "benchmarks.gateway_field", kind, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.stdin.close()


def ended_publisher(process: subprocess.Popen[str]) -> int:
    """Let a publisher end, and return how many messages the broker took."""
    answer, _ = process.communicate("")
    return int(json.loads(answer)["published"])


@contextlib.contextmanager
def broker(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run mosquitto as docs and compose file configure it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mosquitto.conf"
        file.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
            "max_inflight_messages 1000\nmax_queued_messages 100000\n"
        )
        with running([binary("mosquitto"), "-c", str(file)], port=port, log=Path(folder) / "log") as process:
            yield process


async def measure(made: Plant, broker_port: int, seconds: float, field_processes: set[int]) -> dict[str, object]:
    """Run the gateway under load and return its figures."""
    inbox, tally = Inbox(), Tally(made)
    gateway = Gateway(made.configs(inbox.put))
    meter = Meter(gateway, tally, field_processes)
    with Intake(inbox, tally):
        task = asyncio.create_task(gateway.run())
        try:
            if not await came_true(lambda: all_up(gateway), within_s=CONNECTED_WITHIN_S):
                raise SystemExit("Some connections did not come up; is the machine too busy?")
            options = {"port": broker_port, "topics": ",".join(made.topics), "rate": made.load.mqtt_rate}
            with field_process("mqtt", **options) as (publisher, _):
                field_processes.add(publisher.pid)
                before, after = await window(meter, seconds)
                published = await asyncio.to_thread(ended_publisher, publisher)
            await came_true(lambda: tally.messages >= published, within_s=DRAINED_WITHIN_S)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    return figures(meter, before, after, lost_messages=published - tally.messages, dropped=inbox.dropped)


async def window(meter: Meter, seconds: float) -> tuple[Moment, Moment]:
    """Warm up, then watch for so long."""
    await asyncio.sleep(WARM_UP_S)
    gc.collect()
    gc.freeze()  # as the server does once it has started
    ticker = asyncio.create_task(meter.tick())
    before = meter.moment()
    await asyncio.sleep(seconds)
    after = meter.moment()
    ticker.cancel()
    return before, after


async def came_true(condition: Callable[[], bool], *, within_s: float) -> bool:
    """Wait for a condition; return whether it came true in time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while not condition():  # noqa: ASYNC110  # what is watched lives in other threads and sets no event
                await asyncio.sleep(TICK_S)
    return condition()


def all_up(gateway: Gateway) -> bool:
    """Tell whether every connection is up."""
    return all(status.state is ConnectionState.UP for status in gateway.statuses.values())


def figures(meter: Meter, before: Moment, after: Moment, *, lost_messages: int, dropped: int) -> dict[str, object]:
    """Return what a run showed."""
    seconds = after.wall_s - before.wall_s
    by_protocol = {str(each): count - before.samples[each] for each, count in after.samples.items()}
    samples = sum(by_protocol.values())
    own_cpu_s = after.cpu_s - before.cpu_s
    cpu_s = own_cpu_s + after.children_cpu_s - before.children_cpu_s
    bad = after.errors - before.errors
    return {
        "samples_per_s": round(samples / seconds),
        "polls_missed": after.missed - before.missed,
        "cpu_percent_of_core": round(100 * cpu_s / seconds, 1),
        "loop_lag_p99_ms": round(1000 * statistics.quantiles(meter.lags_s, n=100)[-1], 1),
        "rss_mb_start": round(before.rss_mb + before.children_rss_mb, 1),
        "rss_mb_end": round(after.rss_mb + after.children_rss_mb, 1),
        "lost": lost_messages + bad + dropped,
        "lost_messages": lost_messages,
        "bad_samples": bad,
        "overruns": after.overruns - before.overruns,
        "cpu_percent_of_core_without_children": round(100 * own_cpu_s / seconds, 1),
        "cpu_us_per_sample": round(1e6 * cpu_s / max(samples, 1), 1),
        "loop_lag_max_ms": round(1000 * max(meter.lags_s), 1),
        "samples": by_protocol,
        "seconds": round(seconds, 1),
        "cores": os.cpu_count() or 1,
    }


def run(load: Load, seconds: float) -> dict[str, object]:
    """Start the field, measure, and end everything."""
    bacnet_ports, broker_port = [free_port() for _ in range(load.bacnet_devices)], free_port()
    ports = ",".join(map(str, bacnet_ports))
    with (
        broker(broker_port) as mosquitto,
        field_process("modbus", devices=load.modbus_connections) as (modbus, listening),
        field_process("bacnet", ports=ports, objects=load.bacnet_objects) as (bacnet, _),
    ):
        modbus_ports = listening["ports"]
        assert isinstance(modbus_ports, list)
        made = plant(load, modbus_ports=modbus_ports, bacnet_ports=bacnet_ports, broker_port=broker_port)
        return asyncio.run(measure(made, broker_port, seconds, {mosquitto.pid, modbus.pid, bacnet.pid}))


def main() -> None:
    """Print the figures, for people or as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to measure")
    options = parser.parse_args()
    configure_logs(logging.WARNING)
    found = run(Load(), options.seconds)
    if options.json:
        print(json.dumps(found))
        return
    for name, figure in found.items():
        print(f"{name:38} {figure}")


if __name__ == "__main__":
    main()
