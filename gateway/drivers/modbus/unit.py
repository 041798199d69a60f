"""One device behind a unit number: its plan, what it has taught about itself, and its readings as columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

import numpy as np
import numpy.typing as npt

from facility.clock import Clock
from facility.quality import BAD_FROM, Quality
from facility.samples import SampleBatch
from gateway.conversion import ColumnConverter
from gateway.drivers.driver import DeviceConfig
from gateway.drivers.modbus import pdu
from gateway.drivers.modbus.codec import BitBlockCodec, BlockCodec
from gateway.drivers.modbus.commands import Commands
from gateway.drivers.modbus.line import Line, Station
from gateway.drivers.modbus.pdu import BIT_FUNCTIONS, ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, ILLEGAL_VALUE, NONSENSE
from gateway.drivers.modbus.plan import Block, Hole, bisect, hole_between, plan
from gateway.drivers.modbus.schedule import Pace
from gateway.drivers.modbus.settings import RegisterPoint, device_settings, register_points
from gateway.events import UnitStatus

RETRY_REFUSED_S: Final = 300.0
"""Wall seconds after which a point that the device refused is asked for again."""

MAX_LESSONS: Final = 8
"""Times that a plan is improved within one reading; a device that keeps changing its mind must not hold up its line."""

Answer = bytes | Quality
"""A block's data, or why there is none."""


class Layout:
    """A plan made ready to run: codecs and conversion for its blocks, in the order they are read."""

    def __init__(self, points: Sequence[RegisterPoint], blocks: Sequence[Block]) -> None:
        ordered = [points[span.column] for block in blocks for span in block.spans]
        self.blocks = [(block, pdu.read(block.function, block.start, block.count)) for block in blocks]
        self.keys = np.array([each.point.key for each in ordered], np.int32)
        self.columns = np.array([each.span.column for each in ordered], np.intp)
        self._codecs = [_codec(points, block) for block in blocks]
        self._converters = [each.converter for each in ordered]
        self._converter = ColumnConverter(self._converters)

    def convert(self, answers: Sequence[Answer]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]:
        """Return values and qualities in the order of ``keys``."""
        raw = np.full(len(self.keys), np.nan)
        refused: list[tuple[slice, Quality]] = []
        texts: list[tuple[int, str]] = []
        start = 0
        for (block, _), codec, answer in zip(self.blocks, self._codecs, answers, strict=True):
            place = slice(start, start + len(block.spans))
            start = place.stop
            if isinstance(answer, Quality):
                refused.append((place, answer))
            else:
                raw[place] = codec.decode(answer)
                texts += [(place.start + at, text) for at, text in codec.texts(answer)]
        values, quality = self._converter.convert(raw)
        for at, text in texts:
            values[at], quality[at] = self._converters[at].convert_field(text)
        for place, reason in refused:
            quality[place] = reason
        return values, quality


class PollGroup(Pace):
    """Those points of a device that are read at one pace."""

    def __init__(self, unit: Unit, points: Sequence[RegisterPoint], *, speed: float) -> None:
        super().__init__(unit=unit.number, period_s=points[0].poll_s / speed)
        self.device = unit
        self.points = tuple(points)
        self.layout = unit.planned(self.points)


class Unit:
    """Reads one device; learns which registers it refuses and keeps the last value of every point."""

    def __init__(self, device: DeviceConfig, figures: UnitStatus, *, speed: float) -> None:
        """Prepare one device; ``speed`` is the clock's facility seconds in a wall second.

        Raises:
            ConfigurationError: The profile's settings or registers have mistakes.
        """
        settings = device_settings(device)
        self.asset_id = device.asset.id
        self.number = settings.unit
        self.figures = figures
        self.lost = False
        """Its points have been reported as lost, and nothing has come since."""
        self._station = Station(unit=settings.unit, figures=figures, pause_s=settings.pause_ms / 1000)
        self._max_gap = settings.gap
        self._max_registers = settings.max_registers
        self._points = register_points(device, settings)
        self.commands = Commands(device, settings, self._points, self._station)
        self._addresses = {point.key: point.address for point in device.points}
        self._all_keys = np.array([point.key for point in device.points], np.int32)
        self._last = np.full(len(self._points), np.nan)
        self._holes: set[Hole] = set()
        self._refused: set[int] = set()
        self._refused_until_s = 0.0
        self.groups = self._grouped(speed)

    async def poll(self, group: PollGroup, line: Line, clock: Clock, now_s: float) -> SampleBatch:
        """Read every point of a group once.

        Raises:
            DeviceUnreachableError: The unit did not answer; whatever came before is dropped with it.
        """
        if self._refused and now_s >= self._refused_until_s:
            self._refused.clear()
            self._plan_anew()
        before = set(self._refused)
        answers, lessons = await self._read(line, group)
        rounds = 0
        while lessons and rounds < MAX_LESSONS:
            rounds += 1
            await self._learn(line, lessons, now_s)
            answers, lessons = await self._read(line, group)
        return self._batch(group.layout, answers, self._refused - before, clock.now_ns())

    def lose(self, now_ns: int) -> SampleBatch:
        """Return one sample per point that says the device is lost, with the value last known."""
        self.lost = True
        reasons = np.full(len(self._all_keys), Quality.BAD_COMMUNICATION, np.uint8)
        return _columns(self._all_keys, self._last.copy(), reasons, now_ns)

    @property
    def has_refused(self) -> bool:
        """Say whether the device refuses points, which are not asked for until it is time to try again."""
        return bool(self._refused)

    def troubled(self, batch: SampleBatch) -> dict[str, str]:
        """Return in people's words which points a reading brought no good value for, and why."""
        bad = {
            self._addresses[sample.point]: sample.quality.label for sample in batch.rows() if sample.quality >= BAD_FROM
        }
        refused = {self._points[column].point.address: Quality.BAD_CONFIGURATION.label for column in self._refused}
        return refused | bad

    def planned(self, points: Sequence[RegisterPoint]) -> Layout:
        """Return how to read some of the device's points, with all that it has taught so far."""
        spans = [each.span for each in points if each.span.column not in self._refused]
        refused = [self._points[column].span for column in self._refused]
        holes = self._holes | {Hole(function=span.function, start=span.start, end=span.end) for span in refused}
        blocks = plan(spans, max_gap=self._max_gap, max_registers=self._max_registers, holes=holes)
        return Layout(self._points, blocks)

    def _grouped(self, speed: float) -> list[PollGroup]:
        paces = groupby(sorted(self._points, key=_pace), key=_pace)
        return [PollGroup(self, list(points), speed=speed) for _, points in paces]

    def _plan_anew(self) -> None:
        for group in self.groups:
            group.layout = self.planned(group.points)

    async def _read(self, line: Line, group: PollGroup) -> tuple[list[Answer], list[tuple[Block, int]]]:
        """Return every block's answer, and the blocks whose refusal teaches something about the plan."""
        answers: list[Answer] = []
        lessons: list[tuple[Block, int]] = []
        for block, request in group.layout.blocks:
            answer = await line.ask(self._station, request)
            if isinstance(answer, bytes):
                answers.append(answer)
                continue
            answers.append(_refusal(answer))
            if answer in {ILLEGAL_ADDRESS, ILLEGAL_VALUE}:
                lessons.append((block, answer))
        return answers, lessons

    async def _learn(self, line: Line, lessons: Sequence[tuple[Block, int]], now_s: float) -> None:
        """Find out what a device refuses, and plan anew."""
        for block, exception in lessons:
            if exception == ILLEGAL_VALUE and bisect(block):
                self._max_registers = max(1, min(self._max_registers, block.registers // 2))
            else:
                await self._search(line, block)
        self._plan_anew()
        if self._refused:
            self._refused_until_s = now_s + RETRY_REFUSED_S

    async def _search(self, line: Line, block: Block) -> None:
        """Halve a refused block until the registers to keep out of are found."""
        halves = bisect(block)
        if halves is None:
            self._refused.update(span.column for span in block.spans)
        elif all([await self._readable(line, half) for half in halves]):
            self._holes.add(hole_between(*halves))

    async def _readable(self, line: Line, block: Block) -> bool:
        """Say whether a block can be read as a whole; learn from it if not."""
        if await line.ask(self._station, pdu.read(block.function, block.start, block.count)) != ILLEGAL_ADDRESS:
            return True
        await self._search(line, block)
        return False

    def _batch(self, layout: Layout, answers: Sequence[Answer], newly_refused: set[int], now_ns: int) -> SampleBatch:
        values, quality = layout.convert(answers)
        self._last[layout.columns] = np.where(np.isnan(values), self._last[layout.columns], values)
        read = _columns(layout.keys, values, quality, now_ns)
        if not newly_refused:
            return read
        keys = self._all_keys[sorted(newly_refused)]
        reasons = np.full(len(keys), Quality.BAD_CONFIGURATION, np.uint8)
        return SampleBatch.concatenate([read, _columns(keys, np.full(len(keys), np.nan), reasons, now_ns)])


def _pace(point: RegisterPoint) -> float:
    return point.poll_s


def _codec(points: Sequence[RegisterPoint], block: Block) -> BlockCodec | BitBlockCodec:
    fields = [points[span.column].field(block.start) for span in block.spans]
    return BitBlockCodec(fields) if block.function in BIT_FUNCTIONS else BlockCodec(fields)


def _refusal(exception: int) -> Quality:
    if exception == NONSENSE:
        return Quality.BAD_MALFORMED
    return Quality.BAD_CONFIGURATION if exception == ILLEGAL_FUNCTION else Quality.BAD_DEVICE_EXCEPTION


def _columns(
    keys: npt.NDArray[np.int32], values: npt.NDArray[np.float64], quality: npt.NDArray[np.uint8], now_ns: int
) -> SampleBatch:
    """Return a batch of one instant; Modbus devices say no time of their own."""
    times = np.full(len(keys), now_ns, np.int64)
    return SampleBatch(keys, times, times, values, quality)
