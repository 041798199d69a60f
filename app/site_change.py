"""Another version of the site while everything runs: checked as a whole, then taken over by each part.

A file with mistakes disturbs nothing. Rules that did not change keep their delays, connections that did not change keep
their sessions, and points keep their keys and their past.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog
from sqlalchemy import Connection

from app.live_site import LiveSite, Step
from dashboards.hub import LiveHub
from facility.class_files import load_classes
from facility.clock import Clock
from facility.equipment import EquipmentClass
from facility.model import SiteDescription
from facility.site_file import parse_site
from facility.storage.repository import import_site, load_facility
from gateway.commands.writables import writable_points
from gateway.gateway import Gateway, Reload
from gateway.inbox import Inbox
from gateway.profiles import DeviceProfile, all_profiles, driver_configs
from people.model import Account
from rules.changes.service import record_site_file

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sources:
    """What a change is made of, read anew each time."""

    classes: Mapping[str, EquipmentClass]
    profiles: Mapping[str, DeviceProfile]
    site: SiteDescription
    author: Account
    reason: str


class RunningSite:
    """Changes the site of a running process by its file."""

    def __init__(
        self, *, live: LiveSite, gateway: Gateway, inbox: Inbox, hub: LiveHub, clock: Clock, profile_folder: Path
    ) -> None:
        self._live = live
        self._hub = hub
        self._gateway = gateway
        self._inbox = inbox
        self._clock = clock
        self._profile_folder = profile_folder

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
            author=author,
            reason=reason,
        )
        self._live.change(partial(self._install, sources))
        log.info("site changed", author=author.login, reason=reason)

    def _install(self, sources: _Sources, connection: Connection, now_ns: int) -> Step:
        """Import the site; whatever can fail does so before the commit."""
        author, reason = sources.author, sources.reason
        decisions = import_site(connection, sources.site, author=author.login, reason=reason, now_ns=now_ns)
        record_site_file(connection, decisions, author=author, reason=reason, now_ns=now_ns)
        facility = load_facility(connection, sources.classes, os.environ)
        configs = driver_configs(
            facility,
            sources.profiles,
            clock=self._clock,
            deliver=self._inbox.put,
            totals=self._gateway.totals,
        )
        return Step(
            facility=facility,
            profiles=sources.profiles,
            writables=writable_points(facility, sources.profiles),
            finish=partial(self._finish, self._gateway.prepare(configs)),
        )

    def _finish(self, reload: Reload) -> None:
        self._hub.tell_facility()
        self._gateway.apply(reload)
