"""When each object is read and subscribed to, and what becomes of the answers and reports."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import structlog

from facility.quality import BAD_FROM, Quality
from facility.samples import Sample
from gateway.drivers.bacnet.batch import MOST_AT_ONCE
from gateway.drivers.bacnet.figures import UnitFigures
from gateway.drivers.bacnet.names import ObjectId
from gateway.drivers.bacnet.objects import WatchedObject
from gateway.drivers.bacnet.peer import Peer
from gateway.drivers.bacnet.reader import BatchReader
from gateway.drivers.bacnet.services import CovNotification
from gateway.drivers.bacnet.station import NoAnswerError, RefusedError
from gateway.drivers.bacnet.values import NO_FAULT, WATCHED, ObjectValue, object_value
from gateway.drivers.driver import DriverConfig
from gateway.phase import phase_of
from gateway.trouble import Trouble

log = structlog.get_logger(__name__)

LOST_AFTER: Final = 2
"""Readings in a row without any answer after which a device, or one object of it, counts as lost."""

RETRY_S: Final = 0.5
"""Wall time after a reading or subscription without an answer until the next."""

HELLO_EVERY_S: Final = 10.0
"""Wall time within which a device's introductions count as one; some repeat theirs whenever anybody looks."""

SUBSCRIBED_AT_A_TURN: Final = 64
"""Subscriptions that are made or renewed before the readings that are due have their turn."""

LONGEST_SLEEP_S: Final = 1.0
"""Wall time; a clock that is set forward is noticed within it."""

Deliver = Callable[[Sequence[Sample]], None]


class Watch:
    """The objects of one device; the driver brings the device and takes the samples."""

    def __init__(
        self,
        config: DriverConfig,
        objects: Mapping[ObjectId, WatchedObject],
        figures: UnitFigures,
        deliver: Deliver,
    ) -> None:
        self.objects = objects
        self.is_lost = False
        """Whether the loss of the device has been logged and delivered."""
        self._config = config
        self._figures = figures
        self._deliver = deliver
        self._cov_confirmed = bool(config.connection.options.get("cov_confirmed", False))
        self._greeted_at = -math.inf
        self._phases = _phases(tuple(objects), phase_of(config.connection.id))
        self._speed = config.clock.speed
        self._has_told_of_polling = False
        self.reader = BatchReader()
        self._troubles: defaultdict[ObjectId, Trouble] = defaultdict(Trouble)
        """By object, so that each trouble is logged once."""

    def forget(self) -> None:
        """Start anew, as after the device was lost."""
        for watched in self.objects.values():
            watched.forget()

    def make_all_due(self) -> None:
        """Read everything at the next turn."""
        for watched in self.objects.values():
            watched.read_at = 0.0

    async def read_due(self, peer: Peer) -> tuple[bool, list[Sample]]:
        """Read what is due; return whether anything of it was answered, and what is to be delivered."""
        asked_at = now_s()
        due = [object_id for object_id, watched in self.objects.items() if asked_at >= watched.read_at]
        if not due:
            return True, []
        self._count_overruns(due, asked_at)
        found = await self.reader.read(peer, due)
        said = {each: None if answers is None else object_value(each, answers) for each, answers in found.items()}
        samples = [sample for each, value in said.items() for sample in self.take_reading(each, value, asked_at)]
        return any(value is not None for value in said.values()), samples

    async def subscribe_due(self, peer: Peer) -> None:
        """Make and renew subscriptions that are due, a part of them at a turn, since readings wait meanwhile."""
        due_s = now_s()
        due = [
            watched
            for watched in self.objects.values()
            if watched.is_readable and watched.takes_cov and due_s >= watched.renew_at
        ]
        for start in range(0, min(len(due), SUBSCRIBED_AT_A_TURN), peer.in_flight):
            part = due[start : start + peer.in_flight]
            if not any(await asyncio.gather(*(self._subscribe(peer, watched) for watched in part))):
                for watched in part:
                    watched.read_at = now_s()  # a reading tells whether the device is there at all
                return

    def note_hello(self) -> None:
        """The device may have restarted and forgotten us: read and subscribe to everything again, now and then."""
        at_s = now_s()
        if at_s < self._greeted_at + HELLO_EVERY_S:
            return
        self._greeted_at = at_s
        self.make_all_due()
        for watched in self.objects.values():
            watched.renew_at = 0.0

    def note_lapses(self) -> None:
        """Mark what was known of objects whose subscription ended although we tried to renew it, and poll them."""
        at_s = now_s()
        lapsed = [each for each in self.objects.values() if not each.has_lapsed and at_s >= each.lapses_at]
        if not lapsed:
            return
        names = sorted(watched.name for watched in lapsed)
        log.warning(
            "BACnet subscriptions ended, since the device does not renew them; the objects are polled until it does",
            connection=self._config.connection.id,
            objects=names[:8],
            count=len(names),
        )
        for watched in lapsed:
            watched.has_lapsed = True
            watched.read_at = min(watched.read_at, at_s + self._interval_s(watched))
        now_ns = self._config.clock.now_ns()
        self._deliver([each for watched in lapsed for each in _stale(watched, now_ns)])

    def on_change(self, change: CovNotification) -> None:
        """Deliver a reported change at once."""
        watched = self.objects.get(change.object_id)
        if watched is None:
            return
        found = {ref: change.found[ref.name] for ref in WATCHED if ref.name in change.found}
        said = object_value(change.object_id, found)
        if said.fault and said.reliability == NO_FAULT and watched.known:
            said = replace(said, reliability=watched.known.reliability)  # a report has the flag, and not its reason
        self.take_change(watched, said)

    def take_change(self, watched: WatchedObject, said: ObjectValue) -> list[Sample]:
        """Note what an object's own report or a reading of its own said, deliver it, and return it."""
        watched.changed_at = now_s()
        watched.known = said
        samples = watched.samples(said, self._config.clock.now_ns())
        self._log_trouble(watched, said, samples)
        self._deliver(samples)
        return samples

    def pause_s(self) -> float:
        """Return the wall seconds until something is due."""
        due = [watched.read_at for watched in self.objects.values()]
        due += [each.renew_at for each in self.objects.values() if each.is_readable and each.takes_cov]
        return min(max(min(due, default=0.0) - now_s(), 0.0), LONGEST_SLEEP_S)

    def without_value(self, quality: Quality) -> list[Sample]:
        """Return a sample without a value for each point that has not been delivered as lost already."""
        now_ns = self._config.clock.now_ns()
        return [
            sample
            for watched in self.objects.values()
            if watched.misses < LOST_AFTER
            for sample in watched.without_value(quality, now_ns)
        ]

    def take_reading(self, object_id: ObjectId, said: ObjectValue | None, asked_at: float) -> Sequence[Sample]:
        """Note what a reading said of one object, and return its samples; ``None`` for no answer."""
        watched = self.objects[object_id]
        now_ns = self._config.clock.now_ns()
        if said is None:
            watched.misses += 1
            watched.read_at = asked_at + (RETRY_S if watched.misses < LOST_AFTER else self._interval_s(watched))
            lost = watched.misses == LOST_AFTER and not self.is_lost
            return watched.without_value(Quality.BAD_COMMUNICATION, now_ns) if lost else ()
        watched.misses = 0
        watched.read_at = _next_reading(watched.read_at, asked_at, self._interval_s(watched), self._phases[object_id])
        watched.is_readable = not said.error
        if said.error:
            self._figures.refused([object_id])
        samples = watched.samples(said, now_ns)
        self._log_trouble(watched, said, samples)
        if watched.changed_at >= asked_at:
            return ()  # a report came while the reading was under way, and is the newer of the two
        known, watched.known = watched.known, said
        if watched.is_state and watched.takes_cov and known is not None and known.value != said.value:
            self._suspect(watched)
        return samples

    def _suspect(self, watched: WatchedObject) -> None:
        """A change was never reported: the device may have restarted, so subscribe to everything again."""
        log.info(
            "BACnet change was not reported; subscribing to everything again",
            connection=self._config.connection.id,
            object=watched.name,
        )
        for each in self.objects.values():
            each.renew_at = 0.0

    async def _subscribe(self, peer: Peer, watched: WatchedObject) -> bool:
        """Make or renew one subscription; return whether the device answered."""
        lifetime_s, asked_at = watched.schedule.cov_lifetime_s, now_s()
        watched.renew_at = math.inf
        try:
            await peer.subscribe(watched.id, lifetime_s, confirmed=self._cov_confirmed)
        except NoAnswerError:
            watched.renew_at = now_s() + RETRY_S
            return False
        except RefusedError as error:
            watched.takes_cov, watched.lapses_at = False, math.inf
            watched.read_at = min(watched.read_at, now_s() + self._interval_s(watched))
            self._tell_of_polling(watched, str(error))
        else:
            # The device may have said hello in between: then it forgot this one too, and the renewal stays due.
            watched.renew_at = min(watched.renew_at, now_s() + lifetime_s / 2)
            watched.lapses_at, watched.has_lapsed = asked_at + lifetime_s, False
        return True

    def _tell_of_polling(self, watched: WatchedObject, reason: str) -> None:
        """Log once that objects are polled; a device without subscriptions has hundreds of them."""
        if not self._has_told_of_polling:
            self._has_told_of_polling = True
            log.info(
                "BACnet device takes no subscription, at least for this object; whatever takes none is polled",
                connection=self._config.connection.id,
                object=watched.name,
                reason=reason,
            )

    def _count_overruns(self, due: Sequence[ObjectId], asked_at: float) -> None:
        late = [
            each
            for each in due
            if 0.0 < self.objects[each].read_at < asked_at - self._interval_s(self.objects[each])
            and not self.objects[each].misses
        ]
        self._figures.overrun(late)

    def _log_trouble(self, watched: WatchedObject, said: ObjectValue, samples: Sequence[Sample]) -> None:
        """Log once when an object's values turn bad and once when they are good again."""
        connection, trouble, at_s = self._config.connection.id, self._troubles[watched.id], now_s()
        bad = [sample.quality for sample in samples if sample.quality >= BAD_FROM]
        if bad and trouble.bad(at_s):
            log.warning(
                "BACnet object has a bad value; compare the panel's object list with the profile",
                connection=connection,
                object=watched.name,
                points=[mapped.point.address for mapped in watched.points],
                reason=said.error or max(bad).label,
            )
        elif not bad and trouble.good(at_s):
            log.info("BACnet object has a good value again", connection=connection, object=watched.name)

    def _interval_s(self, watched: WatchedObject) -> float:
        return watched.interval_s(self._speed)


def now_s() -> float:
    """Return the event loop's time."""
    return asyncio.get_running_loop().time()


def _phases(objects: Sequence[ObjectId], shift: float) -> dict[ObjectId, float]:
    """Return how far into its interval each object is read the second time, so that the load is even from then on.

    Neighbours stay together, a batch of them; ``shift`` (0 to 1) keeps connections apart that started together.
    """
    batches = -(-len(objects) // MOST_AT_ONCE)
    return {each: (place // MOST_AT_ONCE + shift) / batches for place, each in enumerate(objects)}


def _next_reading(due_at: float, asked_at: float, interval_s: float, phase: float) -> float:
    """Return when to read again: on the grid of the readings before, or from now on where one was left out.

    The first reading comes at once and the second within an interval, at the object's own phase.
    """
    if not due_at:
        return asked_at + interval_s * phase
    return due_at + interval_s if due_at + interval_s > asked_at else asked_at + interval_s


def _stale(watched: WatchedObject, now_ns: int) -> list[Sample]:
    """Return what was last known of an object, as something that may have changed without a word."""
    if watched.known is None:
        return []
    samples = watched.samples(watched.known, now_ns)
    return [sample._replace(quality=max(sample.quality, Quality.UNCERTAIN_STALE)) for sample in samples]
