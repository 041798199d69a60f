"""One access-controlled door: lock, contact, reader, tamper switch and battery."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, NamedTuple

from facility.clock import NS_PER_S
from simulators.device import check_fault, device_generator
from simulators.doors.traffic import Badge, BadgeTraffic


class Leaf(StrEnum):
    """What the door contact and the lock together say; names as they travel on the wire."""

    CLOSED = "closed"
    OPEN = "open"
    HELD_OPEN = "held_open"
    """Open for longer than a passage takes."""
    FORCED = "forced"
    """Open although nobody was let in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorParameters:
    """An office door with an electric strike."""

    unlocked_s: float = 5.0
    """How long the strike lets people in after a badge."""
    reach_s: tuple[float, float] = (0.8, 2.0)
    """From the badge to the open leaf, shortest and longest."""
    passage_s: tuple[float, float] = (2.5, 5.0)
    """How long one person keeps the leaf open, shortest and longest."""
    held_open_after_s: float = 15.0
    """Open time after which the controller speaks of a door held open."""
    follower_after_s: float = 1.0
    """When the second person of a tailgating passes the sensor, after the leaf opened."""
    tailgating_shown_s: float = 10.0
    """How long the controller shows a tailgating."""
    no_show: float = 0.02
    """Share of granted badges after which nobody opens the door."""
    battery_charged_v: float = 13.4
    """Lead-acid battery of 12 V nominal on float charge."""
    battery_empty_v: float = 10.2
    """Where a failed battery settles under load."""
    battery_time_constant_s: float = 8.0
    """Of the voltage's fall once charger or battery fails, and of its return."""
    battery_step_v: float = 0.1
    """Smallest change that the controller reports."""
    traffic: BadgeTraffic = field(default_factory=BadgeTraffic)


class AccessEvent(NamedTuple):
    """Something that happened at the door."""

    id: str
    """Unique for the door for ever: its time and a count, so a restarted simulator does not repeat one."""
    at_ns: int
    event: str
    """``granted``, ``denied``, ``held_open``, ``forced``, ``tailgating`` or ``tamper``."""
    badge: str | None
    """Badge number; ``None`` where no badge was shown."""


class ControllerState(NamedTuple):
    """What the door controller reports whenever any of it changes."""

    door: Leaf
    lock: str
    """``unlocked`` or ``locked``."""
    tamper: bool
    tailgating: bool
    battery_v: float


class Door:
    """A door under badge traffic until somebody abuses it."""

    faults: ClassVar[frozenset[str]] = frozenset({"forced", "held_open", "tailgating", "tamper", "battery_low"})

    def __init__(self, asset_id: str, *, seed: int, parameters: DoorParameters | None = None) -> None:
        self.asset_id = asset_id
        self.parameters = parameters or DoorParameters()
        self.leaf = Leaf.CLOSED
        self.battery_v = self.parameters.battery_charged_v
        self._chance = device_generator(seed, asset_id)
        self._active: set[str] = set()
        self._events: list[AccessEvent] = []
        self._count = 0
        # Times in ns; None: it is not under way.
        self._relock_ns: int | None = None
        self.held_unlocked = False
        """The control room keeps the strike open."""
        self._opens_ns: int | None = None
        self._closes_ns: int | None = None
        self._opened_ns: int | None = None
        self._follower_ns: int | None = None
        self._tailgating_until_ns = 0
        self._now_ns = 0

    @property
    def state(self) -> ControllerState:
        """Return what the controller reports now."""
        step_v = self.parameters.battery_step_v
        return ControllerState(
            door=self.leaf,
            lock="locked" if self._relock_ns is None and not self.held_unlocked else "unlocked",
            tamper="tamper" in self._active,
            tailgating=self._now_ns < self._tailgating_until_ns,
            battery_v=round(round(self.battery_v / step_v) * step_v, 3),
        )

    def take_events(self) -> list[AccessEvent]:
        """Return the events since the last call."""
        taken, self._events = self._events, []
        return taken

    def inject(self, fault: str, now_ns: int) -> None:
        """Start an abuse; held open and tailgating begin with somebody's badge."""
        check_fault(self, fault)
        if fault in self._active:
            return
        self._active.add(fault)
        if fault == "tamper":
            self._record("tamper", now_ns)
        elif fault == "forced":
            self._force(now_ns)
        elif fault in {"held_open", "tailgating"} and self.leaf is Leaf.CLOSED:
            self._let_in(self.parameters.traffic.any_badge(self._chance, valid=True), now_ns)

    def clear(self, fault: str, now_ns: int) -> None:
        """End an abuse; a leaf that nobody holds any more falls shut."""
        self._active.discard(fault)
        if fault in {"forced", "held_open"} and self.leaf is not Leaf.CLOSED:
            self._closes_ns = now_ns

    def step(self, now_ns: int, dt_s: float) -> None:
        """Advance badges, leaf, lock and battery."""
        self._now_ns = now_ns
        badge = self.parameters.traffic.draw(now_ns, dt_s, self._chance)
        if badge is not None and self.leaf is Leaf.CLOSED:
            self._let_in(badge, now_ns)
        self._move_leaf(now_ns)
        self._relock(now_ns)
        self._discharge(dt_s)

    def _let_in(self, badge: Badge, now_ns: int) -> None:
        if not badge.valid:
            self._record("denied", now_ns, badge.number)
            return
        self._record("granted", now_ns, badge.number)
        self._relock_ns = now_ns + _ns(self.parameters.unlocked_s)
        expected = not self._active.isdisjoint({"held_open", "tailgating"})
        if expected or float(self._chance.random()) >= self.parameters.no_show:
            self._opens_ns = now_ns + self._between(self.parameters.reach_s)

    def _force(self, now_ns: int) -> None:
        self._opens_ns = self._closes_ns = None
        self._opened_ns = now_ns
        self.leaf = Leaf.FORCED
        self._record("forced", now_ns)

    def _move_leaf(self, now_ns: int) -> None:
        if _is_due(self._opens_ns, now_ns):
            self._open(now_ns)
        if _is_due(self._follower_ns, now_ns):
            self._follower_ns = None
            self._tailgating_until_ns = now_ns + _ns(self.parameters.tailgating_shown_s)
            self._record("tailgating", now_ns)
        if self.leaf is Leaf.OPEN and self._opened_ns is not None:
            self._watch_open_time(now_ns - self._opened_ns, now_ns)
        if _is_due(self._closes_ns, now_ns):
            self._closes_ns = self._opened_ns = None
            self.leaf = Leaf.CLOSED

    def _open(self, now_ns: int) -> None:
        self._opens_ns = None
        self._opened_ns = now_ns
        self.leaf = Leaf.OPEN
        if "held_open" not in self._active:
            self._closes_ns = now_ns + self._between(self.parameters.passage_s)
        if "tailgating" in self._active:
            self._follower_ns = now_ns + _ns(self.parameters.follower_after_s)

    def _watch_open_time(self, open_ns: int, now_ns: int) -> None:
        if open_ns >= _ns(self.parameters.held_open_after_s):
            self.leaf = Leaf.HELD_OPEN
            self._record("held_open", now_ns)

    def _relock(self, now_ns: int) -> None:
        """Lock again once the time is over, or as soon as the leaf has opened and closed."""
        if _is_due(self._relock_ns, now_ns) and self.leaf is Leaf.CLOSED:
            self._relock_ns = None

    def _discharge(self, dt_s: float) -> None:
        p = self.parameters
        settles_v = p.battery_empty_v if "battery_low" in self._active else p.battery_charged_v
        self.battery_v += (settles_v - self.battery_v) * -math.expm1(-dt_s / p.battery_time_constant_s)

    def _between(self, bounds_s: tuple[float, float]) -> int:
        return _ns(float(self._chance.uniform(*bounds_s)))

    def _record(self, event: str, now_ns: int, badge: str | None = None) -> None:
        self._count += 1
        self._events.append(AccessEvent(f"{now_ns:x}-{self._count}", now_ns, event, badge))


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)


def _is_due(at_ns: int | None, now_ns: int) -> bool:
    return at_ns is not None and at_ns <= now_ns
