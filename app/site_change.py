"""Another version of the site while everything runs: checked as a whole, then taken over by each part.

A file with mistakes disturbs nothing. Rules that did not change keep their delays, connections that did not change keep
their sessions, and points keep their keys and their past.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import Engine

from app.engine import EngineThread
from app.retirement import retire_what_is_gone
from app.rules_begin import begin_rules
from dashboards.services import Services
from facility.class_files import load_classes
from facility.clock import Clock
from facility.equipment import EquipmentClass
from facility.model import Facility, SiteDescription
from facility.site_file import parse_site
from facility.storage.repository import import_site, load_facility
from gateway.commands.service import Site
from gateway.commands.writables import writable_points
from gateway.gateway import Gateway, Reload
from gateway.inbox import Inbox, urgent_points
from gateway.profiles import DeviceProfile, all_profiles, driver_configs
from people.model import Account

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sources:
    """What a change is made of, read anew each time."""

    classes: dict[str, EquipmentClass]
    profiles: dict[str, DeviceProfile]
    site: SiteDescription
    author: str
    reason: str


class RunningSite:
    """Changes the site of a running process, one change after the other."""

    def __init__(
        self,
        *,
        database: Engine,
        engine: EngineThread,
        gateway: Gateway,
        inbox: Inbox,
        services: Services,
        clock: Clock,
        profile_folder: Path,
    ) -> None:
        self._database = database
        self._engine = engine
        self._gateway = gateway
        self._inbox = inbox
        self._services = services
        self._clock = clock
        self._profile_folder = profile_folder
        self._turn = threading.Lock()

    def change(self, text: str, *, author: Account, reason: str) -> None:
        """Make the site what a file's text says; return when every part has taken it over.

        Raises:
            ConfigurationError: The text, a class, a profile or a connection has mistakes; lists every one, and nothing
                has changed.
        """
        classes = load_classes()
        sources = _Sources(
            classes=classes,
            profiles=all_profiles(self._profile_folder),
            site=parse_site("site.yaml", text, classes, os.environ),
            author=author.login,
            reason=reason,
        )
        with self._turn:
            facility, reload = self._engine.perform(lambda: self._install(sources))
            self._show(facility, sources.profiles)
            self._gateway.apply(reload)
        log.info("site changed", author=author.login, reason=reason, begun=sorted(reload.fresh))

    def _install(self, sources: _Sources) -> tuple[Facility, Reload]:
        """Import the site and let engine and rules go on with it; whatever can fail does so before the commit."""
        now_ns = self._clock.now_ns()
        with self._database.begin() as connection:
            import_site(connection, sources.site, author=sources.author, reason=sources.reason, now_ns=now_ns)
            facility = load_facility(connection, sources.classes, os.environ)
            configs = driver_configs(
                facility,
                sources.profiles,
                clock=self._clock,
                deliver=self._inbox.put,
                totals=self._gateway.totals,
            )
            reload = self._gateway.prepare(configs)
            retire_what_is_gone(connection, facility, now_ns=now_ns)
            rules = None
            if _watched(facility) != _watched(self._services.facility):
                rules = begin_rules(connection, facility, self._services.history, now_ns=now_ns)
        self._services.latest.make_room(max(facility.points, default=0))
        self._inbox.prefer(urgent_points(facility))
        self._engine.take_site(facility, rules)
        return facility, reload

    def _show(self, facility: Facility, profiles: dict[str, DeviceProfile]) -> None:
        """Let people see and command the site as it now is."""
        services = self._services
        writables = writable_points(facility, profiles)
        services.facility, services.writables = facility, writables
        if services.commander is not None:
            services.commander.site = Site(facility=facility, writables=writables)
        services.hub.take_facility(facility)


def _watched(facility: Facility) -> list[object]:
    """Return all that the rules are made of; while it stays, they go on as they are."""
    plans = {asset.id: asset.equipment_class.maintenance for asset in facility.assets.values()}
    places = {asset.id: (asset.parent_id, asset.space_id) for asset in facility.assets.values()}
    enclosing = {space.id: (space.kind, space.parent) for space in facility.spaces.values()}
    return [facility.rules, facility.points, plans, places, enclosing, facility.time_zone]
