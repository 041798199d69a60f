"""The gateway: every driver on its own, so that the fall of one is nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from facility.errors import ConfigurationError, Mistake, NotFoundError
from facility.model import Point, Protocol
from facility.samples import Sample
from gateway.breaker import backoff_s, draw_jitter
from gateway.drivers.driver import Driver, DriverConfig, PointWrite
from gateway.events import ConnectionState, ConnectionStatus
from gateway.outflow import Outflow, policies_of
from gateway.reporting import Policy
from gateway.rollover import Totals
from gateway.watchdog import StalledError, watched

log: Final = structlog.get_logger(__name__)

SETTLED_S: Final = 60.0
"""Wall seconds after which a driver that crashes again counts as having worked."""

OpenDriver = Callable[[DriverConfig], Driver]


def open_driver(config: DriverConfig) -> Driver:
    """Return the driver that speaks the connection's protocol; it connects once it runs.

    Raises:
        ConfigurationError: The connection's options or its devices' mappings have mistakes.
    """
    # Imported here, since a gateway that speaks one protocol need not load the libraries of the others.
    match config.connection.protocol:
        case Protocol.MODBUS:
            from gateway.drivers.modbus.driver import ModbusDriver  # noqa: PLC0415  # see above

            return ModbusDriver(config)
        case Protocol.MQTT:
            from gateway.drivers.mqtt.driver import MqttDriver  # noqa: PLC0415  # see above

            return MqttDriver(config)
        case Protocol.BACNET_IP:
            from gateway.drivers.bacnet.apart import open_bacnet_driver  # noqa: PLC0415  # see above

            return open_bacnet_driver(config)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One connection with the driver that serves it."""

    config: DriverConfig
    driver: Driver
    """The one that was made of the configuration; a supervisor replaces it when it crashes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """What a change of the configuration means for the gateway: checked, and nothing done yet."""

    connections: tuple[str, ...]
    """Every connection that there shall be, in the order of the site."""
    fresh: Mapping[str, Line]
    """Those that begin, or begin anew."""
    reports: Mapping[str, Mapping[int, Policy]]
    """How the others report by exception from now on, by point."""


class Gateway:
    """Runs one driver per connection until cancelled."""

    def __init__(
        self, configs: Sequence[DriverConfig], *, opener: OpenDriver = open_driver, totals: Totals | None = None
    ) -> None:
        """Prepare every driver; none connects before :meth:`run`.

        Args:
            configs: What each driver needs.
            opener: Makes a driver of its configuration.
            totals: What the configurations were made with; ``None``: those that forget with the process.

        Raises:
            ConfigurationError: Connections have mistakes; lists those of all.
        """
        self.totals = totals or Totals()
        """Turns of the counters that begin again, for the configurations of a later reload."""
        self._opener = opener
        self._lines = _opened(configs, opener)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.statuses: dict[str, ConnectionStatus] = {}
        """Live figures by connection id; always the same object."""
        self._show_statuses()

    async def run(self) -> None:
        """Run every driver until cancelled; one that crashes is started anew, and the others do not notice."""
        async with asyncio.TaskGroup() as group:
            self._group, self._loop = group, asyncio.get_running_loop()
            for connection_id in self._lines:
                self._start(connection_id)
            await asyncio.Event().wait()  # connections may be added later, also to none

    def prepare(self, configs: Sequence[DriverConfig]) -> Reload:
        """Check a new configuration against what runs; touches nothing, and may be called from any thread.

        Raises:
            ConfigurationError: Connections have mistakes; lists those of all.
        """
        wanted = {config.connection.id: config for config in configs}
        same = {name for name, line in self._lines.items() if name in wanted and _is_same(line.config, wanted[name])}
        fresh = _opened([config for name, config in wanted.items() if name not in same], self._opener)
        return Reload(
            connections=tuple(wanted), fresh=fresh, reports={name: policies_of(wanted[name]) for name in same}
        )

    def apply(self, change: Reload) -> None:
        """Carry out a change from a thread that runs no event loop; return when it is done."""
        if self._loop is None:
            self._take(change)
        else:
            asyncio.run_coroutine_threadsafe(self.reload(change), self._loop).result()

    async def reload(self, change: Reload) -> None:
        """Stop, start and restart what the change names, on the loop of :meth:`run`; the others do not notice."""
        untouched = set(change.connections) - change.fresh.keys()
        stopping = [self._tasks.pop(name) for name in list(self._tasks) if name not in untouched]
        for task in stopping:
            task.cancel()
        await asyncio.gather(*stopping, return_exceptions=True)
        self._take(change)
        for name in change.fresh:
            self._start(name)

    def report_by(self, policies: Mapping[int, Policy]) -> None:
        """Report these points by exception from now on, and no others; from any thread, and no connection notices."""
        for line in self._lines.values():
            points = {point.key for device in line.config.devices for point in device.points}
            _report_by(line, {key: policies[key] for key in points & policies.keys()})

    def _take(self, change: Reload) -> None:
        for name, policies in change.reports.items():
            _report_by(self._lines[name], policies)
        self._lines = {name: change.fresh.get(name) or self._lines[name] for name in change.connections}
        self._show_statuses()

    async def write(self, write: PointWrite) -> None:
        """Write to the device of a point; see :meth:`gateway.drivers.driver.Driver.write`.

        Raises:
            NotFoundError: No connection has the point's device.
            DeviceUnreachableError: No answer in time, or the connection is down.
            DeviceRefusedError: The device said no, or its driver cannot write the point.
        """
        await self._driver_of(write.point).write(write)

    async def read(self, point: Point) -> Sample:
        """Read a point anew; see :meth:`gateway.drivers.driver.Driver.read`.

        Raises:
            NotFoundError: No connection has the point's device.
            DeviceUnreachableError: No answer in time, or the connection is down.
            DeviceRefusedError: The device said no.
        """
        return await self._driver_of(point).read(point)

    def _driver_of(self, point: Point) -> Driver:
        for line in self._lines.values():
            if any(device.asset.id == point.asset_id for device in line.config.devices):
                return line.driver
        raise NotFoundError(
            f"No connection of this gateway has {point.asset_id}. Add it to the site, or look at it there."
        )

    def _show_statuses(self) -> None:
        """Bring the figures up to date in place: whoever shows them holds this very mapping."""
        for gone in self.statuses.keys() - self._lines.keys():
            del self.statuses[gone]
        self.statuses.update({name: line.config.status for name, line in self._lines.items()})

    def _start(self, connection_id: str) -> None:
        if self._group is not None:
            self._tasks[connection_id] = self._group.create_task(
                self._supervise(connection_id), name=f"gateway {connection_id}"
            )

    async def _supervise(self, connection_id: str) -> None:
        crashes = 0
        while True:
            line = self._lines[connection_id]
            started_s = _now_s()
            reason = await _outcome(line)
            crashes = 1 if _now_s() - started_s >= SETTLED_S else crashes + 1
            line.config.status.state = ConnectionState.DOWN
            line.config.status.detail = f"the driver stopped and starts again: {reason}"
            await asyncio.sleep(backoff_s(crashes - 1, jitter=draw_jitter()))
            self._lines[connection_id] = Line(config=line.config, driver=self._opener(line.config))


async def _outcome(line: Line) -> str:
    """Run a driver until it stops by itself or is stuck, which none should; return why it did."""
    driver = line.driver
    try:
        await watched(driver.run(), line.config.pulse)
    except StalledError as error:
        line.config.status.stalls += 1
        log.error("driver is stuck", connection=line.config.connection.id, reason=str(error))  # noqa: TRY400  # says all
        return str(error)
    except (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the edge: some libraries' errors are no Exception (bacpypes3)
        log.exception("driver crashed; it starts again", driver=type(driver).__name__)
        return f"{type(error).__name__}: {error}"
    log.error("driver ended by itself; it starts again", driver=type(driver).__name__)
    return "it ended by itself"


def _opened(configs: Sequence[DriverConfig], opener: OpenDriver) -> dict[str, Line]:
    """Open every driver and collect the mistakes of all."""
    lines: dict[str, Line] = {}
    mistakes: list[Mistake] = []
    for config in configs:
        try:
            lines[config.connection.id] = Line(config=config, driver=opener(config))
        except ConfigurationError as error:
            mistakes += error.mistakes
    if mistakes:
        raise ConfigurationError(mistakes)
    return lines


def _is_same(running: DriverConfig, wanted: DriverConfig) -> bool:
    """Tell whether two configurations ask the same of the wire; how an asset is called is nothing to its driver."""
    return running.connection == wanted.connection and _on_the_wire(running) == _on_the_wire(wanted)


def _on_the_wire(config: DriverConfig) -> list[object]:
    return [
        (
            device.asset.id,
            device.asset.equipment_class.system,
            device.points,
            device.settings,
            device.mapping,
            device.writes,
        )
        for device in config.devices
    ]


def _report_by(line: Line, policies: Mapping[int, Policy]) -> None:
    if isinstance(line.config.deliver, Outflow):
        line.config.deliver.report_by(policies)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
