"""What every delivery of a connection passes on its way to the engine, whichever driver made it.

In this order: devices' clocks are watched, counters that begin again grow on, and what is no news is left out. Each
does nothing for points that do not ask for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from facility.model import Point
from facility.quality import BAD_FROM, Quality
from facility.samples import SampleBatch
from gateway.conversion import PointConverter
from gateway.device_clock import DeviceClock
from gateway.drivers.driver import DriverConfig
from gateway.events import ConnectionStatus, Delivery
from gateway.reporting import Policy, Reporter
from gateway.rollover import Totals, Unroller

_WITHOUT_OWN_TIME: Final = (Quality.UNCERTAIN_RETAINED, Quality.UNCERTAIN_BUFFERED, Quality.UNCERTAIN_TIME)
"""Qualities of samples whose distance in time says nothing of their device's clock."""


class Clocks:
    """The clocks of a connection's devices."""

    def __init__(self, points: Mapping[int, Point], status: ConnectionStatus, *, speed: float) -> None:
        """Take the connection's points by key; ``speed`` is facility seconds in a wall second."""
        self._status = status
        self._assets = sorted({point.asset_id for point in points.values()})
        self._clocks = [DeviceClock(speed=speed) for _ in self._assets]
        numbers = {asset: number for number, asset in enumerate(self._assets)}
        self._asset = np.full(max(points, default=-1) + 2, -1, np.int32)  # the last place is for all unknown keys
        self._asset[list(points)] = [numbers[point.asset_id] for point in points.values()]

    def checked(self, delivery: Delivery) -> Delivery:
        """Return the delivery with the gateway's time in place of what a wrong clock says."""
        batch = delivery.batch
        if batch.source_time_ns is batch.gateway_time_ns or not len(batch):
            return delivery
        own = (batch.source_time_ns != batch.gateway_time_ns) & (batch.quality < BAD_FROM)
        own &= ~np.isin(batch.quality, _WITHOUT_OWN_TIME)
        assets = self._asset[np.minimum(batch.point, len(self._asset) - 1)]
        wrong = np.zeros(len(batch), np.bool_)
        for asset in set(assets[own].tolist()) - {-1}:
            rows = own & (assets == asset)
            if not self._believes(asset, batch, rows):
                wrong |= rows
        return _retimed(delivery, wrong) if wrong.any() else delivery

    def _believes(self, asset: int, batch: SampleBatch, rows: npt.NDArray[np.bool_]) -> bool:
        """Judge a device by the newest of its samples."""
        clock = self._clocks[asset]
        newest = int(batch.source_time_ns[rows].max())
        believes = clock.believes(newest, int(batch.gateway_time_ns[rows][-1]))
        unit = self._status.units.get(self._assets[asset])
        if unit is not None:
            unit.skew_s, unit.clock_jumps = clock.skew_s, clock.jumps
        return believes


class Outflow:
    """Takes a driver's deliveries, from any thread, and hands on what is left of them."""

    def __init__(
        self,
        *,
        status: ConnectionStatus,
        clocks: Clocks,
        unroller: Unroller,
        reporter: Reporter,
        deliver: Callable[[Delivery], None],
    ) -> None:
        self._status = status
        self._clocks = clocks
        self._unroller = unroller
        self._reporter = reporter
        self._deliver = deliver
        self._turn = threading.Lock()

    def __call__(self, delivery: Delivery) -> None:
        """Hand a delivery on; one of which nothing is left only if somebody waits for its acknowledgement."""
        with self._turn:  # and not only while it decides: two threads must not overtake each other here
            checked = self._clocks.checked(delivery)
            batch = self._unroller.unrolled(checked.batch)
            news = self._reporter.news(batch)
            if not news.all():
                self._status.suppressed += int(np.count_nonzero(~news))
                batch = batch.where(news)
            if len(batch) or checked.events or checked.acknowledge is not None:
                self._deliver(checked if batch is checked.batch else replace(checked, batch=batch))

    def report_by(self, policies: Mapping[int, Policy]) -> None:
        """Leave out by other policies from now on, as after a change of rules; safe from any thread."""
        with self._turn:
            self._reporter = self._reporter.under(policies)


def policies_of(config: DriverConfig) -> dict[int, Policy]:
    """Return when values are news, by the keys of the points that report by exception."""
    return {
        point.key: device.reports[point.name]
        for device in config.devices
        for point in device.points
        if point.name in device.reports
    }


def outflow_of(config: DriverConfig, totals: Totals) -> Outflow:
    """Return what a connection's deliveries pass, as its devices' profiles say."""
    points = {point.key: point for device in config.devices for point in device.points}
    counters: dict[int, tuple[Point, float, float]] = {}
    for device in config.devices:
        for point in device.points:
            if "rollover" in device.mapping[point.name]:
                converter = PointConverter(point, device.mapping[point.name])
                counters[point.key] = (point, converter.rollover, converter.offset)
    return Outflow(
        status=config.status,
        clocks=Clocks(points, config.status, speed=config.clock.speed),
        unroller=Unroller(counters, totals),
        reporter=Reporter(policies_of(config)),
        deliver=config.deliver,
    )


def _retimed(delivery: Delivery, wrong: npt.NDArray[np.bool_]) -> Delivery:
    batch = delivery.batch
    points = set(batch.point[wrong].tolist())
    return replace(
        delivery,
        batch=replace(
            batch,
            source_time_ns=np.where(wrong, batch.gateway_time_ns, batch.source_time_ns),
            quality=np.where(wrong, np.maximum(batch.quality, Quality.UNCERTAIN_TIME), batch.quality).astype(np.uint8),
        ),
        events=tuple(
            replace(event, source_time_ns=event.gateway_time_ns) if event.point in points else event
            for event in delivery.events
        ),
    )
