"""Reads many objects in as few requests as the device can stand, and learns how few that is."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from gateway.drivers.bacnet import services
from gateway.drivers.bacnet.batch import BatchSize
from gateway.drivers.bacnet.names import ObjectId
from gateway.drivers.bacnet.peer import Peer
from gateway.drivers.bacnet.services import Answer, PropertyRef, Refusal
from gateway.drivers.bacnet.station import NoAnswerError, RefusedError, TooLargeError, UnknownServiceError
from gateway.drivers.bacnet.values import VALUE, WATCHED

SILENT_AFTER: Final = 4
"""Requests in a row without an answer after which the rest of a reading is left out."""

_HEADER: Final = 4
"""Octets of a request before its parameters."""

Found = dict[ObjectId, dict[PropertyRef, Answer] | None]
"""What was read; ``None`` for an object whose request had no answer."""

LEFT_OUT: Final = Refusal("left out of the answer")


@dataclass(slots=True)
class _Silences:
    """Requests without an answer since the last one that had one, over all workers of a reading."""

    in_a_row: int = 0


class BatchReader:
    """Remembers for one device what it can answer at once; outlives a loss of the device."""

    def __init__(self, refs: Sequence[PropertyRef] = WATCHED) -> None:
        """Read these properties of every object; a device that refuses one still gives the others."""
        self._refs = tuple(refs)
        self.batch = BatchSize()
        """Objects per request."""
        self._has_multiple = True
        self._alone: set[ObjectId] = set()
        """Objects that made the device refuse a whole request, and are asked alone from then on."""

    async def read(self, peer: Peer, objects: Sequence[ObjectId]) -> Found:
        """Read objects, a few requests at a time; never raises for what the device says."""
        found: Found = dict.fromkeys(objects)
        waiting, silences = deque(sorted(objects, key=self._alone.__contains__)), _Silences()
        await asyncio.gather(*(self._work(peer, waiting, silences, found) for _ in range(peer.in_flight)))
        return found

    async def _work(self, peer: Peer, waiting: deque[ObjectId], silences: _Silences, found: Found) -> None:
        """Read part after part; when the device has gone silent the rest would only wait as long again."""
        most = self._most_in_request(peer, waiting)
        while waiting and silences.in_a_row < SILENT_AFTER:
            answers = await self._read_part(peer, self._next_part(waiting, min(self.batch.size, most)))
            found.update(answers)
            is_silent = all(answer is None for answer in answers.values())
            silences.in_a_row = silences.in_a_row + 1 if is_silent else 0

    def _next_part(self, waiting: deque[ObjectId], count: int) -> Sequence[ObjectId]:
        """Take the next objects; those that are asked alone wait at the end."""
        part = [waiting.popleft()]
        while waiting and len(part) < count and waiting[0] not in self._alone:
            part.append(waiting.popleft())
        return part

    def _most_in_request(self, peer: Peer, objects: Collection[ObjectId]) -> int:
        """Return how many objects fit into the largest request that the device takes."""
        each = len(services.read_multiple(islice(objects, 1), self._refs))
        return max(1, (peer.max_apdu - _HEADER) // each) if each else 1

    async def _read_part(self, peer: Peer, part: Sequence[ObjectId]) -> Found:
        try:
            if self._has_multiple:
                found = await peer.read_many(part, self._refs)
                self.batch.fitted(len(part))
                return self._complete(part, found)
        except NoAnswerError:
            self.batch.silent(len(part))
            return dict.fromkeys(part)
        except UnknownServiceError:
            self._has_multiple = False
        except TooLargeError:
            if len(part) > 1:
                self.batch.too_large(len(part))
                return await self._halved(peer, part)
        except RefusedError:
            if len(part) > 1:
                return await self._halved(peer, part)
            self._alone.update(part)
        return await self._read_singly(peer, part)

    async def _halved(self, peer: Peer, part: Sequence[ObjectId]) -> Found:
        middle = len(part) // 2
        return await self._read_part(peer, part[:middle]) | await self._read_part(peer, part[middle:])

    async def _read_singly(self, peer: Peer, part: Sequence[ObjectId]) -> Found:
        found: Found = {}
        for object_id in part:
            try:
                found[object_id] = await peer.read_one(object_id, self._refs)
            except NoAnswerError:
                return dict.fromkeys(part) | found  # the rest would only wait as long again
        return found

    def _complete(self, part: Sequence[ObjectId], found: Mapping[ObjectId, dict[PropertyRef, Answer]]) -> Found:
        """Return an answer for every object asked, also for those that the device left out of its own."""
        missing: dict[PropertyRef, Answer] = dict.fromkeys(self._refs, LEFT_OUT) or {VALUE: LEFT_OUT}
        return {each: found.get(each) or dict(missing) for each in part}
