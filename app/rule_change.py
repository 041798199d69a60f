"""Changed rules while everything runs: live at once, and no connection and no other rule notices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import structlog
from sqlalchemy import Connection

from app.live_site import LiveSite, Step
from facility.model import Facility
from facility.storage.repository import written_connections
from gateway.bus import site
from gateway.bus.receiver import Receiver
from gateway.gateway import Gateway
from gateway.profiles import DeviceProfile, report_policies
from people.model import Account
from rules.changes import service
from rules.changes.installed import with_rules
from rules.changes.model import Decided, RuleChange

log = structlog.get_logger(__name__)

Finish = Callable[[], None]
TellGateway = Callable[[Connection, Facility, Mapping[str, DeviceProfile]], Finish]
"""Checks what changed rules mean for what a gateway leaves out, and returns what lets it know."""


def own_gateway_told(
    gateway: Gateway, _connection: Connection, facility: Facility, profiles: Mapping[str, DeviceProfile]
) -> Finish:
    """Prepare the gateway of this process.

    Raises:
        ConfigurationError: A point must not report by exception as its rules are.
    """
    return partial(gateway.report_by, report_policies(facility, profiles))


def gateways_elsewhere_told(
    receiver: Receiver, connection: Connection, facility: Facility, profiles: Mapping[str, DeviceProfile]
) -> Finish:
    """Prepare the configuration of gateways that run apart; see :func:`own_gateway_told`."""
    report_policies(facility, profiles)
    written = written_connections(connection)
    return lambda: receiver.configure(site.encode(facility, written, profiles))


class RunningRules:
    """Makes revisions of rules live in a running process."""

    def __init__(self, live: LiveSite, tell_gateway: TellGateway) -> None:
        self._live = live
        self._tell_gateway = tell_gateway

    def approve(self, change_id: int, *, version: int, comment: str, actor: Account) -> RuleChange:
        """Make all revisions of a change live; see :func:`rules.changes.service.approve`."""
        return self._decide(
            partial(service.approve, change_id=change_id, version=version, comment=comment, actor=actor)
        )

    def roll_back(self, rule_id: int, *, to: int, base: int, reason: str, actor: Account) -> RuleChange:
        """Make an earlier revision of a rule live again; see :func:`rules.changes.service.roll_back`."""
        return self._decide(partial(service.roll_back, rule_id=rule_id, to=to, base=base, reason=reason, actor=actor))

    def _decide(self, decide: Callable[..., Decided]) -> RuleChange:
        made: list[RuleChange] = []

        def install(connection: Connection, now_ns: int) -> Step:
            before = self._live.now
            decided = decide(connection, before.facility, now_ns=now_ns)
            facility = with_rules(before.facility, decided.rules)
            made.append(decided.change)
            return replace(before, facility=facility, finish=self._tell_gateway(connection, facility, before.profiles))

        self._live.change(install)
        [change] = made
        log.info("rules changed", change=change.id, author=change.author, reason=change.reason, rules=change.size)
        return change
