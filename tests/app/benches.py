"""A test bed with one pump whose rule learns what is good, imported into a database as a start does it."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from sqlalchemy import Connection

from facility.class_files import load_classes
from facility.clock import NS_PER_S
from facility.conditions import Baseline, GoodPeriod
from facility.definition import LocalText
from facility.equipment import EquipmentClass, RuleDefinition
from facility.model import Facility
from facility.priority import ConsequenceClass
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from facility.site_file import parse_site
from facility.storage.repository import import_site, load_facility
from rules.baseline import Matrix

SITE = """\
site: {id: bench, name: Bench, time_zone: UTC}
spaces: [{id: bench, kind: building}]
connections: [{id: wire, protocol: modbus, host: 127.0.0.1, port: 1502}]
assets: [{id: pump-1, class: bench-pump, profile: bench-pump-replay, address: {unit: 1}}]
"""
RULE = "unlike_itself"
POINTS = ["flow", "motor_current", "motor_temperature"]
START_NS = 1_800_000_000 * NS_PER_S
GOOD_S = 600


def period(start_s: float = 0, end_s: float = GOOD_S) -> GoodPeriod:
    """Return a good period by seconds after the start."""
    start, end = (datetime.fromtimestamp(START_NS / NS_PER_S + second, UTC) for second in (start_s, end_s))
    return GoodPeriod(name="after commissioning", start=start, end=end)


def condition(good_period: GoodPeriod | None, **changes: object) -> Baseline:
    """Return the rule's condition."""
    return Baseline.model_validate({"type": "baseline", "points": POINTS, "good_period": good_period, **changes})


def bench(connection: Connection, asked: Baseline, only_when: str | None = None) -> Facility:
    """Make the database hold the bench with such a rule, in place of what it held, and load it."""
    classes = {**load_classes(), "bench-pump": _class_with(asked, only_when)}
    site = parse_site("site.yaml", SITE, classes, {})
    import_site(connection, site, author="system", reason="test", now_ns=0)
    return load_facility(connection, classes, {})


def shipped_bench(connection: Connection, good_period: GoodPeriod) -> Facility:
    """Make the database hold the bench as the shipped class has it, with a good period that the site names."""
    period = good_period.model_dump_json()  # JSON is YAML
    named = SITE.replace("address: {unit: 1}", f"address: {{unit: 1}}, rules: {{{RULE}: {{good_period: {period}}}}}")
    site = parse_site("site.yaml", named, load_classes(), {})
    import_site(connection, site, author="system", reason="test", now_ns=0)
    return load_facility(connection, load_classes(), {})


def _class_with(asked: Baseline, only_when: str | None) -> EquipmentClass:
    words = LocalText(en="It works otherwise than in its good period.", zh="运行状态与良好时段不同。")
    rule = RuleDefinition(
        name=RULE,
        point="flow",
        title=words,
        condition=asked,
        only_when=only_when,
        cause=words,
        consequence=words,
        corrective_action=words,
        consequence_class=ConsequenceClass.MINOR,
        time_to_respond_min=1440,
    )
    return load_classes()["bench-pump"].model_copy(update={"rules": {RULE: rule}})


def machine(rows: int, seed: int = 0) -> Matrix:
    """Return flow, current and temperature of a pump that is well, a row a second."""
    random = np.random.default_rng(seed)
    load = random.normal(0, 1, rows)
    return np.column_stack(
        [120 + 2 * load, 2 + 0.1 * load + random.normal(0, 0.05, rows), 80 + random.normal(0, 0.2, rows)]
    )


def samples(facility: Facility, rows: Matrix, start_s: float = 0) -> SampleBatch:
    """Return rows as samples, one of each point every second."""
    points = {point.name: point.key for point in facility.points_of("pump-1")}
    return SampleBatch.of(
        [
            Sample(points[name], at_ns, at_ns, value, Quality.GOOD)
            for second, row in enumerate(rows.tolist())
            for at_ns in [START_NS + round((start_s + second) * NS_PER_S)]
            for name, value in zip(POINTS, row, strict=True)
        ]
    )
