"""A real API server whose rules may be changed while its engine, stepped by hand, watches with them."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from app.live_site import LiveSite
from app.rule_change import Finish, RunningRules
from facility.equipment import RuleDefinition
from facility.model import SiteDescription
from facility.storage.repository import import_site
from gateway.inbox import Inbox
from tests.dashboards.running_api import START_NS, RunningApi, running_api
from tests.facilities import small_facility


@contextlib.contextmanager
def rule_api(folder: Path) -> Iterator[RunningApi]:
    """Run the server until the block ends."""
    with running_api(folder) as api:
        with api.database.begin() as connection:
            import_site(connection, described(), author="test", reason="test", now_ns=START_NS)
        live = LiveSite(
            database=api.database,
            engine=api.engine,
            inbox=Inbox(),
            services=api.services,
            clock=api.clock,
            profiles={},
        )
        api.services.rules = RunningRules(live, no_gateway)
        yield api


def no_gateway(*_site: object) -> Finish:
    """Tell nobody: the test delivers the samples itself."""
    return lambda: None


def described() -> SiteDescription:
    """Return the small facility as a site file would describe it; an empty database gives it the same keys."""
    facility = small_facility()
    rules: defaultdict[str, dict[str, RuleDefinition]] = defaultdict(dict)
    for rule in facility.rules.values():
        rules[rule.asset_id][rule.definition.name] = rule.definition
    return SiteDescription(
        site_id=facility.site_id,
        name=facility.name,
        time_zone=facility.time_zone,
        spaces=facility.spaces,
        connections=facility.connections,
        assets=facility.assets,
        rules=rules,
    )
