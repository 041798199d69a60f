"""How long a site of many rules takes to load: from the rows of its database to an engine that watches.

The site is written by the import that every site goes through, into SQLite on disk: assets of one class with one point
and four rules each. On every other asset the rules are the class's, so that many rules say the same; on the others each
rule has a limit of its own, as after years of tuning, so that none is like another.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

from sqlalchemy import Engine

from facility.clock import NS_PER_S
from facility.conditions import LimitDefinition, LimitSide, Threshold
from facility.definition import LocalText
from facility.equipment import EquipmentClass, PointDefinition, PointKind, RuleDefinition, System
from facility.garbage import collector_at_rest
from facility.model import Asset, Connection, Protocol, SiteDescription, Space
from facility.priority import ConsequenceClass
from facility.storage.database import open_database
from facility.storage.migrate import upgrade
from facility.storage.repository import import_site, load_facility
from rules.compiled import compiled
from rules.engine import RuleEngine

NOW_NS = 1_790_000_000 * NS_PER_S
LIMITS = {LimitSide.LOW_LOW: -3.4, LimitSide.LOW: -2.7, LimitSide.HIGH: 2.7, LimitSide.HIGH_HIGH: 3.4}


def load_figures(rules: int) -> dict[str, float]:
    """Return the seconds that loading so many rules takes, and how they divide."""
    with tempfile.TemporaryDirectory() as folder:
        database, classes = imported(Path(folder), rules)
        figures = _load(database, classes)
        database.dispose()
    return figures


def imported(
    folder: Path, rules: int, definition: Callable[[LimitSide, float], RuleDefinition] | None = None
) -> tuple[Engine, dict[str, EquipmentClass]]:
    """Return a database that holds a site of so many rules, and its classes.

    Args:
        folder: Where the database is to lie.
        rules: How many.
        definition: Makes them of sides and limits; ``None``: as :func:`rule`.
    """
    description = _site(rules // len(LIMITS), definition or rule)
    database = open_database(f"sqlite:///{folder / 'site.db'}")
    upgrade(database)
    with database.begin() as connection:
        import_site(connection, description, author="bench", reason="bench", now_ns=NOW_NS)
    return database, {"sensor": next(iter(description.assets.values())).equipment_class}


def _load(database: Engine, classes: Mapping[str, EquipmentClass]) -> dict[str, float]:
    moments = [time.thread_time()]
    with database.begin() as connection:
        facility = load_facility(connection, classes, {})
    moments.append(time.thread_time())
    with collector_at_rest():  # as within the engine
        compiled()
    moments.append(time.thread_time())
    RuleEngine(facility, now_ns=NOW_NS)
    moments.append(time.thread_time())
    database_s, kernel_s, engine_s = (later - earlier for earlier, later in pairwise(moments))
    return {
        "load_s": round(moments[-1] - moments[0], 2),
        "load_database_s": round(database_s, 2),
        "load_kernel_s": round(kernel_s, 2),
        "load_engine_s": round(engine_s, 2),
    }


def _site(assets: int, rule_of: Callable[[LimitSide, float], RuleDefinition]) -> SiteDescription:
    text = LocalText(en="Beyond its limit", zh="超出限值")
    usual = {side.value: rule_of(side, limit) for side, limit in LIMITS.items()}
    equipment = EquipmentClass(
        name="sensor",
        title=text,
        system=System.PUMP,
        points={"value": PointDefinition(kind=PointKind.ANALOG, name=text)},
        rules=usual,
    )
    names = [f"sensor-{number}" for number in range(assets)]
    own = {
        name: {side.value: rule_of(side, limit + number / assets) for side, limit in LIMITS.items()}
        for number, name in enumerate(names)
        if number % 2
    }
    return SiteDescription(
        site_id="bench",
        name=text,
        time_zone="UTC",
        spaces={"hall": Space(id="hall", name=text, kind="room")},
        connections={"bus": Connection(id="bus", protocol=Protocol.MQTT, host="127.0.0.1", port=1883)},
        assets={
            name: Asset(
                id=name, name=text, equipment_class=equipment, space_id="hall", connection_id="bus", profile="sensor"
            )
            for name in names
        },
        rules={name: own.get(name, usual) for name in names},
    )


def rule(side: LimitSide, limit: float) -> RuleDefinition:
    """Return a rule with one limit and delays."""
    text = LocalText(en=f"The value is beyond its limit ({side})", zh="数值超出限值")
    condition = Threshold(
        type="threshold", limits={side: LimitDefinition(value=limit)}, deadband=0.5, on_delay_s=2.0, off_delay_s=2.0
    )
    return RuleDefinition(
        name=side.value,
        point="value",
        title=text,
        condition=condition,
        cause=text,
        consequence=text,
        corrective_action=text,
        consequence_class=ConsequenceClass.MODERATE,
        time_to_respond_min=10,
    )
