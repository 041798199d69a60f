"""The site of a running process, taken over by each part when it changes: the common way of site files and rules.

What changes is checked as a whole before anything is committed, on the engine's own thread, so that nothing of rules
and alarms moves meanwhile. One change follows the other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from app.engine import EngineThread
from app.retirement import retire_what_is_gone
from app.rules_begin import begin_rules
from dashboards.services import Services
from facility.clock import Clock
from facility.model import Facility
from gateway.commands.model import Writables
from gateway.inbox import Inbox, urgent_points
from gateway.profiles import DeviceProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a change makes of the site: checked, written into the open transaction, and not seen by anyone yet."""

    facility: Facility
    profiles: Mapping[str, DeviceProfile]
    writables: Writables
    """What may be commanded."""
    finish: Callable[[], None]
    """What remains to be done once it is committed, outside the engine's thread: telling gateway and consoles."""


Install = Callable[[Connection, int], Step]
"""Writes a change in a transaction at a time, or raises and leaves everything as it was."""


class LiveSite:
    """Takes changes of the site into a running process."""

    def __init__(
        self,
        *,
        database: Engine,
        engine: EngineThread,
        inbox: Inbox,
        services: Services,
        clock: Clock,
        profiles: Mapping[str, DeviceProfile],
    ) -> None:
        self._profiles = profiles
        """As the gateway last took them over."""
        self._database = database
        self._engine = engine
        self._inbox = inbox
        self._services = services
        self._clock = clock
        self._turn = threading.Lock()

    @property
    def now(self) -> Step:
        """Return the site as it is, with nothing to be done; from within an ``install`` it stays so until its end."""
        services = self._services
        return Step(
            facility=services.facility, profiles=self._profiles, writables=services.writables, finish=_do_nothing
        )

    def change(self, install: Install) -> None:
        """Carry a change out; return when every part has taken it over.

        Raises:
            WatchkeeperError: What ``install`` raises; nothing has changed.
        """
        with self._turn:
            step = self._engine.perform(lambda: self._take(install))
            self._profiles = step.profiles
            self._show(step)
            step.finish()

    def _take(self, install: Install) -> Step:
        """Let engine and rules go on with the changed site; whatever can fail does so before the commit."""
        now_ns = self._clock.now_ns()
        with self._database.begin() as connection:
            step = install(connection, now_ns)
            if self._services.facility.rules.keys() - step.facility.rules.keys():
                retire_what_is_gone(connection, step.facility, now_ns=now_ns)
            rules = None
            if _are_watched_otherwise(self._services.facility, step.facility):
                rules = begin_rules(
                    connection, step.facility, self._services.history, now_ns=now_ns, before=self._engine.rules
                )
        self._services.latest.make_room(max(step.facility.points, default=0))
        self._engine.take_site(step.facility, rules)
        return step

    def _show(self, step: Step) -> None:
        """Let people see and command the site as it now is, and what is urgent now overtake the rest."""
        services = self._services
        self._inbox.prefer(urgent_points(step.facility))
        services.facility, services.writables = step.facility, step.writables
        if services.commander is not None:
            services.commander.site = services.command_site
        services.hub.take_facility(step.facility)


def _do_nothing() -> None:
    """Leave everything as it is."""


def _are_watched_otherwise(before: Facility, after: Facility) -> bool:
    """Tell whether anything that the rules are made of is different; while nothing is, they go on as they are."""
    return before.rules != after.rules or _watched(before) != _watched(after)


def _watched(facility: Facility) -> list[object]:
    plans = {asset.id: asset.equipment_class.maintenance for asset in facility.assets.values()}
    places = {asset.id: (asset.parent_id, asset.space_id) for asset in facility.assets.values()}
    enclosing = {space.id: (space.kind, space.parent) for space in facility.spaces.values()}
    return [facility.points, plans, places, enclosing, facility.time_zone, facility.holidays]
