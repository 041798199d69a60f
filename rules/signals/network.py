"""All signals of a facility: their inputs as they stand, what changed, and what is due.

Time here is the gateway's and comes in *instants*: all samples of one instant are heard before anything is judged, so
that a block of registers that is read at once makes no spike. :mod:`rules.course` says when an instant is over.
"""

from __future__ import annotations

import contextlib
import heapq
import math
from collections.abc import Collection, Iterable, Iterator, Mapping

from facility.quality import BAD_FROM, Quality
from rules import kernel
from rules.signals.events import EventCounter
from rules.signals.inputs import Held
from rules.signals.junction import Junction, is_void
from rules.signals.parts import Cell, Clockwork, Feed, Given
from rules.signals.signal import Evidence, Judgement, Source, Stands


class Network:
    """Hears samples, and says what the kernel is to be given; used by one thread at a time."""

    def __init__(self, junctions: Iterable[Junction], cells: Iterable[Cell], clockworks: Iterable[Clockwork]) -> None:
        self.junctions = list(junctions)
        self.cells = list(cells)
        self.clockworks = list(clockworks)
        self.feeds: dict[int, Feed] = {}
        self.clock_ns = kernel.UNSEEN
        """The instant that is being heard, or was heard last."""
        self.isolated: dict[str, Exception] = {}
        """Owners of rules that raised an exception and are asked no more."""
        self._given: list[Given] = []
        self._values: list[float] = []
        self._slots: dict[Source, int] = {}
        self._readers: list[list[int]] = []
        """By slot, places of the junctions that read it."""
        self._timers: list[tuple[int, int]] = []
        self._armed = [kernel.NEVER] * len(self.clockworks)
        self._begins_ns = kernel.NEVER
        """When all that is timed begins at the latest; ``NEVER``: it began."""
        self._lay_out()
        self.levels = max((junction.level for junction in self.junctions), default=-1) + 1
        """How many levels of junctions there are."""
        self._dirty: list[set[int]] = [set() for _ in range(self.levels)]
        self._insisting = set(range(len(self.junctions)))
        """Junctions that give what they say even if it did not change, since the kernel does not know it yet."""
        self._is_first = True
        """Nothing new was heard since the beginning."""

    @property
    def virtual_points(self) -> set[int]:
        """Return the keys of the points that carry what is computed."""
        of_cells = {cell.point for cell in self.cells if cell.point is not None}
        return of_cells.union(*(junction.points for junction in self.junctions))

    @property
    def is_unsettled(self) -> bool:
        """Tell whether anything changed that was not judged yet."""
        return any(self._dirty)

    @property
    def next_timer_ns(self) -> int:
        """Return when something timed is due; ``NEVER``: nothing is."""
        while self._timers:
            due_ns, number = self._timers[0]
            if due_ns == self._armed[number]:
                return min(due_ns, self._begins_ns)
            heapq.heappop(self._timers)  # it is due at another time by now
        return self._begins_ns

    def hear(self, key: int, source_ns: int, gateway_ns: int, value: float, quality: int) -> None:
        """Take a sample of the present instant."""
        feed = self.feeds.get(key)
        if feed is None:
            return
        if quality >= BAD_FROM:
            if feed.held.lose(gateway_ns):
                self._set(feed.slot, math.nan)
        elif value - value == 0.0:
            self._hear_value(feed, source_ns, gateway_ns, value)

    def _hear_value(self, feed: Feed, source_ns: int, gateway_ns: int, value: float) -> None:
        held = feed.held
        if held.is_news(source_ns, value):
            if self._is_first:
                self._mark_readers_of_rules()
            held.take(source_ns, gateway_ns, value)
            for cell in feed.cells:
                self._run(cell, source_ns, gateway_ns, value)
            for number in feed.counters:
                self._count(number, gateway_ns, value)
            self._set(feed.slot, held.value)
        elif held.is_back(source_ns, gateway_ns):
            held.value = held.known
            self._set(feed.slot, held.value)

    def reach(self, at_ns: int) -> None:
        """Let what is due by an instant come to it."""
        while self.next_timer_ns <= at_ns:
            number = heapq.heappop(self._timers)[1]
            clockwork = self.clockworks[number]
            seen = [self._values[self._slots[key]] for key in clockwork.timed.inputs]
            try:
                self._set(self._slots[clockwork.source], clockwork.timed.reach(at_ns, seen))
            except Exception as error:  # noqa: BLE001  # one rule's mistake is not the others'
                self.isolate(clockwork.owner, error)
            self._arm(number)

    def begin_when_heard(self, latest_ns: int) -> None:
        """Let all that is timed begin at the first instant that comes, which may be older than the engine."""
        self._begins_ns = latest_ns

    def begin_by(self, at_ns: int) -> None:
        """Let all that is timed begin, if it waits to: an instant comes."""
        if self._begins_ns == kernel.NEVER:
            return
        first_ns, self._begins_ns = min(at_ns, self._begins_ns), kernel.NEVER
        for number in range(len(self.clockworks)):
            self.begin(number, first_ns)

    def begin(self, number: int, at_ns: int) -> None:
        """Let something timed begin at an instant."""
        clockwork = self.clockworks[number]
        self._set(self._slots[clockwork.source], clockwork.timed.begin(at_ns))
        self._arm(number)

    def tell(self, owner: str, *, stands: bool) -> None:
        """Note that a rule's condition began or ceased to stand."""
        slot = self._slots.get(Stands(owner))
        if slot is not None and owner not in self.isolated:
            self._set(slot, float(stands))

    def judge(self, level: int) -> None:
        """Judge what changed among the junctions of a level, for the kernel to be given."""
        chosen, self._dirty[level] = sorted(self._dirty[level]), set()
        for number in chosen:
            junction = self.junctions[number]
            if junction.owner in self.isolated:
                continue
            try:
                judgement = junction.judge(self._values, insists=number in self._insisting)
            except Exception as error:  # noqa: BLE001  # one rule's mistake is not the others'
                self.isolate(junction.owner, error)
            else:
                if judgement is not None:
                    self._give(number, judgement)

    def take_given(self) -> list[Given]:
        """Return what the kernel has yet to be given."""
        given, self._given = self._given, []
        return given

    def said(self, owner: str) -> Judgement | None:
        """Return what a rule's junction gave last; ``None``: nothing yet, or it has none."""
        junction = self._by_owner.get(owner)
        return None if junction is None else junction.said

    def evidence(self, owner: str, judgement: Judgement | None) -> Evidence | None:
        """Return what people are shown of a rule's judgement; ``None``: what the kernel knows says it all."""
        if judgement is None:
            return None
        junction = self._by_owner[owner]
        limits = dict(zip(junction.points, judgement.limits, strict=False))
        return Evidence(judgement.value, limits, "" if is_void(judgement) else junction.signal.explain(judgement))

    def look_backs(self, kept: Collection[str]) -> dict[int, int]:
        """Return by point how many nanoseconds of it have to be heard again; 0: its newest sample alone.

        Args:
            kept: Owners whose signals remember all already.
        """
        found = {key: 0 for key, feed in self.feeds.items() if feed.held.newest_ns == kernel.UNSEEN}
        for cell in self.cells:
            if cell.owner not in kept:
                found[cell.key] = max(found.get(cell.key, 0), cell.quantity.look_back_ns)
        for clockwork in self.clockworks:
            if clockwork.owner not in kept:
                for key in clockwork.points:
                    found[key] = max(found.get(key, 0), clockwork.timed.look_back_ns)
        return found

    def take_over(self, before: Network, unchanged: Collection[str]) -> None:
        """Go on with what ran until an edit: points as they stood, and signals of rules that are as they were."""
        self.clock_ns = before.clock_ns
        for key, feed in self.feeds.items():
            if key in before.feeds:
                feed.held = before.feeds[key].held
                self._set(feed.slot, feed.held.value)
        ran = {cell.owner: cell for cell in before.cells}
        for cell in self.cells:
            if cell.owner in unchanged and cell.owner in ran:
                cell.quantity, cell.last = ran[cell.owner].quantity, ran[cell.owner].last
                if cell.point is None:
                    self._set(self._slots[cell.source], cell.last)
        timed = {clockwork.source: clockwork.timed for clockwork in before.clockworks}
        for clockwork in self.clockworks:
            if clockwork.owner in unchanged and clockwork.source in timed:
                clockwork.timed = timed[clockwork.source]

    @contextlib.contextmanager
    def remembering(self, kept: Collection[str]) -> Iterator[None]:
        """Let only signals hear that do not remember yet, and let points afterwards be as they were, until the end."""
        feeds = [(feed, feed.cells, feed.counters, feed.held) for feed in self.feeds.values()]
        for feed, cells, counters, _ in feeds:
            feed.cells = [cell for cell in cells if cell.owner not in kept]
            feed.counters = [number for number in counters if self.clockworks[number].owner not in kept]
            feed.held = Held()
        yield
        for feed, cells, counters, held in feeds:
            gone = self.isolated.keys()
            feed.cells = [cell for cell in cells if cell.owner not in gone]
            feed.counters = [number for number in counters if self.clockworks[number].owner not in gone]
            if held.newest_ns > kernel.UNSEEN:
                feed.held = held
                self._set(feed.slot, held.value)

    def go_on(self, said: Mapping[str, Judgement | None]) -> None:
        """After an edit: let junctions of unchanged rules have said what they said last."""
        for junction in self.junctions:
            if junction.owner in said:
                junction.said = said[junction.owner]

    def judge_again(self, owners: Collection[str]) -> None:
        """After an edit that left the wires as they are: judge rules again for the kernel to decide on."""
        for number, junction in enumerate(self.junctions):
            if junction.owner in owners:
                self._insisting.add(number)
                self._dirty[junction.level].add(number)

    def forget_changes(self) -> None:
        """Leave unjudged what changed, and ungiven what was computed: it belongs to the past."""
        self._dirty = [set() for _ in self._dirty]
        self._given.clear()

    def unsettled(self) -> set[str]:
        """Return the owners of the rules that what changed concerns."""
        return {self.junctions[number].owner for dirty in self._dirty for number in dirty}

    def settle(self, unjudged: Collection[str]) -> None:
        """After a restart: note what every junction says, which the kernel has in its saved state already.

        Args:
            unjudged: Owners of which it may not have it.
        """
        for junction in self.junctions:
            try:
                junction.settle(self._values)
            except Exception as error:  # noqa: BLE001  # one rule's mistake is not the others'
                self.isolate(junction.owner, error)
        self.forget_changes()
        for number, junction in enumerate(self.junctions):
            if junction.owner in unjudged:
                self._dirty[junction.level].add(number)
        self._is_first = True

    def _mark_readers_of_rules(self) -> None:
        """Have all junctions judged that read other rules, of which no sample tells that they are known."""
        self._is_first = False
        for level, dirty in enumerate(self._dirty):
            dirty.update(number for number, each in enumerate(self.junctions) if each.level == level > 0)

    def isolate(self, owner: str, error: Exception) -> None:
        """Ask a rule's signal no more, whose condition stays as it was decided last; who reads the rule misses it."""
        self.isolated[owner] = error
        for feed in self.feeds.values():
            feed.cells = [cell for cell in feed.cells if cell.owner != owner]
            feed.counters = [number for number in feed.counters if self.clockworks[number].owner != owner]
        if Stands(owner) in self._slots:
            self._set(self._slots[Stands(owner)], math.nan)

    def _lay_out(self) -> None:
        for cell in self.cells:
            self._feed(cell.key).cells.append(cell)
        for number, clockwork in enumerate(self.clockworks):
            if clockwork.key is not None:
                self._feed(clockwork.key).counters.append(number)
            for key in clockwork.timed.inputs:
                self._feed(key)
        for number, junction in enumerate(self.junctions):
            for source in dict.fromkeys(junction.sources):
                if isinstance(source, int):
                    self._feed(source)
                self._readers[self._slot(source)].append(number)
            junction.slots = [self._slot(source) for source in junction.signal.inputs]
            junction.gate_slots = [self._slot(source) for source in junction.gate_inputs]
        self._by_owner = {junction.owner: junction for junction in self.junctions}

    def _slot(self, source: Source) -> int:
        if source not in self._slots:
            self._slots[source] = len(self._values)
            self._values.append(math.nan)
            self._readers.append([])
        return self._slots[source]

    def _feed(self, key: int) -> Feed:
        if key not in self.feeds:
            self.feeds[key] = Feed(self._slot(key))
        return self.feeds[key]

    def _set(self, slot: int, value: float) -> None:
        before = self._values[slot]
        is_same = value == before or (value != value and before != before)  # noqa: PLR0124  # both missing
        if is_same and not self._insisting:
            return
        self._values[slot] = value
        for number in self._readers[slot]:
            if not is_same or number in self._insisting:
                self._dirty[self.junctions[number].level].add(number)

    def _run(self, cell: Cell, source_ns: int, gateway_ns: int, value: float) -> None:
        try:
            quantity = cell.quantity.take(source_ns, value)
        except Exception as error:  # noqa: BLE001  # one rule's mistake is not the others'
            self.isolate(cell.owner, error)
            return
        if quantity is None:
            return
        cell.last = quantity
        if cell.point is None:
            self._set(self._slots[cell.source], quantity)
        else:
            given = Given(cell.owner, (cell.point,), (quantity,), source_ns, gateway_ns, Quality.GOOD)
            self._given.append(given)

    def _count(self, number: int, gateway_ns: int, value: float) -> None:
        clockwork = self.clockworks[number]
        counter = clockwork.timed
        if isinstance(counter, EventCounter):
            self._set(self._slots[clockwork.source], counter.take(gateway_ns, value))
            self._arm(number)

    def _arm(self, number: int) -> None:
        clockwork = self.clockworks[number]
        due_ns = kernel.NEVER if clockwork.owner in self.isolated else clockwork.timed.due_ns
        if due_ns != self._armed[number]:
            self._armed[number] = due_ns
            if due_ns < kernel.NEVER:
                heapq.heappush(self._timers, (due_ns, number))

    def _give(self, number: int, judgement: Judgement) -> None:
        junction = self.junctions[number]
        quality = kernel.VOID if is_void(judgement) else Quality.GOOD
        at_ns = self.clock_ns
        self._given.append(
            Given(junction.owner, junction.points, judgement.computed, at_ns, at_ns, quality, junction.said, judgement)
        )
        junction.said = judgement
        self._insisting.discard(number)
