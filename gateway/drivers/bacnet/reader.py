"""Reads many objects in as few requests as the device can stand, and learns how few that is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from gateway.drivers.bacnet.stack import (
    NoAnswerError,
    ObjectId,
    ObjectValue,
    Peer,
    RefusedError,
    TooLargeError,
    UnknownServiceError,
)

FIRST_BATCH: Final = 8
"""Objects in one ReadPropertyMultiple: decoding takes about a millisecond an object, and alarms wait for it."""

Found = dict[ObjectId, ObjectValue | None]
"""What was read; ``None`` for an object whose request had no answer."""


class BatchReader:
    """Remembers for one device what it can answer at once; outlives a loss of the device."""

    def __init__(self) -> None:
        self.batch = FIRST_BATCH
        """Objects per request; halved each time that an answer does not fit."""
        self._has_multiple = True
        self._alone: set[ObjectId] = set()
        """Objects that made the device refuse a whole request, and are asked alone from then on."""

    async def read(self, peer: Peer, objects: Sequence[ObjectId]) -> Found:
        """Read objects, a few requests at a time; never raises for what the device says."""
        parts = await asyncio.gather(*(self._read_part(peer, part) for part in self._parts(objects)))
        return {object_id: value for part in parts for object_id, value in part.items()}

    def _parts(self, objects: Sequence[ObjectId]) -> Iterator[Sequence[ObjectId]]:
        together = [each for each in objects if each not in self._alone]
        for start in range(0, len(together), self.batch):
            yield together[start : start + self.batch]
        for each in objects:
            if each in self._alone:
                yield [each]

    async def _read_part(self, peer: Peer, part: Sequence[ObjectId]) -> Found:
        try:
            if self._has_multiple:
                return _complete(part, await peer.read_many(part))
        except NoAnswerError:
            return dict.fromkeys(part)
        except UnknownServiceError:
            self._has_multiple = False
        except TooLargeError:
            if len(part) > 1:
                self.batch = min(self.batch, max(1, len(part) // 2))
                return await self._halved(peer, part)
        except RefusedError:
            if len(part) > 1:
                return await self._halved(peer, part)
            self._alone.update(part)
        return await self._read_singly(peer, part)

    async def _halved(self, peer: Peer, part: Sequence[ObjectId]) -> Found:
        middle = len(part) // 2
        return await self._read_part(peer, part[:middle]) | await self._read_part(peer, part[middle:])

    @staticmethod
    async def _read_singly(peer: Peer, part: Sequence[ObjectId]) -> Found:
        found: Found = {}
        for object_id in part:
            try:
                found[object_id] = await peer.read_one(object_id)
            except NoAnswerError:
                return dict.fromkeys(part) | found  # the rest would only wait as long again
        return found


def _complete(part: Sequence[ObjectId], found: Mapping[ObjectId, ObjectValue]) -> Found:
    """Return a value for every object asked, also for those that the device left out of its answer."""
    return {each: found.get(each, ObjectValue(error="left out of the answer")) for each in part}
