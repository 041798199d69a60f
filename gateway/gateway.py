"""The gateway: every driver on its own, so that the fall of one is nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from facility.errors import ConfigurationError, Mistake
from facility.model import Protocol
from gateway.breaker import backoff_s, draw_jitter
from gateway.drivers.driver import Driver, DriverConfig
from gateway.events import ConnectionState, ConnectionStatus

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
            from gateway.drivers.bacnet.driver import BacnetDriver  # noqa: PLC0415  # see above

            return BacnetDriver(config)


class Gateway:
    """Runs one driver per connection until cancelled."""

    def __init__(self, configs: Sequence[DriverConfig], *, opener: OpenDriver = open_driver) -> None:
        """Prepare every driver; none connects before :meth:`run`.

        Raises:
            ConfigurationError: Connections have mistakes; lists those of all.
        """
        self._opener = opener
        self._configs = tuple(configs)
        self._drivers = _opened(self._configs, opener)
        self.statuses: Mapping[str, ConnectionStatus] = {
            config.connection.id: config.status for config in self._configs
        }
        """Live figures by connection id."""

    async def run(self) -> None:
        """Run every driver until cancelled; one that crashes is started anew, and the others do not notice."""
        async with asyncio.TaskGroup() as group:
            for config, driver in zip(self._configs, self._drivers, strict=True):
                group.create_task(self._supervise(config, driver), name=f"gateway {config.connection.id}")

    async def _supervise(self, config: DriverConfig, driver: Driver) -> None:
        crashes = 0
        while True:
            started_s = _now_s()
            reason = await _outcome(driver)
            crashes = 1 if _now_s() - started_s >= SETTLED_S else crashes + 1
            config.status.state = ConnectionState.DOWN
            config.status.detail = f"the driver stopped and starts again: {reason}"
            await asyncio.sleep(backoff_s(crashes - 1, jitter=draw_jitter()))
            driver = self._opener(config)


async def _outcome(driver: Driver) -> str:
    """Run a driver until it stops by itself, which none should; return why it did."""
    try:
        await driver.run()
    except (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the edge: some libraries' errors are no Exception (bacpypes3)
        log.exception("driver crashed; it starts again", driver=type(driver).__name__)
        return f"{type(error).__name__}: {error}"
    log.error("driver ended by itself; it starts again", driver=type(driver).__name__)
    return "it ended by itself"


def _opened(configs: Sequence[DriverConfig], opener: OpenDriver) -> list[Driver]:
    """Open every driver and collect the mistakes of all."""
    drivers: list[Driver] = []
    mistakes: list[Mistake] = []
    for config in configs:
        try:
            drivers.append(opener(config))
        except ConfigurationError as error:
            mistakes += error.mistakes
    if mistakes:
        raise ConfigurationError(mistakes)
    return drivers


def _now_s() -> float:
    return asyncio.get_running_loop().time()
