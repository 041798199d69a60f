"""Who waits for a device's next report: on MQTT a point cannot be asked for, only awaited."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable

from facility.samples import Sample


class Reports:
    """Points whose next sample somebody waits for."""

    def __init__(self) -> None:
        self._awaited: defaultdict[int, set[asyncio.Future[Sample]]] = defaultdict(set)

    async def next_of(self, point: int, timeout_s: float) -> Sample:
        """Return the next sample of a point.

        Raises:
            TimeoutError: None came within so many wall seconds.
        """
        report: asyncio.Future[Sample] = asyncio.get_running_loop().create_future()
        self._awaited[point].add(report)
        try:
            async with asyncio.timeout(timeout_s):
                return await report
        finally:
            self._awaited[point].discard(report)
            if not self._awaited[point]:
                del self._awaited[point]

    def offer(self, samples: Iterable[Sample]) -> None:
        """Give samples that just came to those who wait for their points."""
        if not self._awaited:
            return
        for sample in samples:
            for report in self._awaited.get(sample.point, ()):
                if not report.done():
                    report.set_result(sample)
