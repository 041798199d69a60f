"""A small works for the tests of signals: a pump with its set-point and a fire panel with detectors in two zones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from facility.conditions import Condition, Schedule
from facility.equipment import EquipmentClass, PointDefinition, PointKind, RuleDefinition, System
from facility.model import Asset, Facility, Point, Rule, Space
from facility.priority import ConsequenceClass
from facility.quality import BAD_FROM, Quality
from facility.samples import Sample, SampleBatch
from rules.signals.past import Past
from tests.rules.plant import S, say

FLOW, PRESSURE, SETPOINT, RUNNING, DOOR = 1, 2, 3, 4, 5
"""Keys of the pump's points."""
DETECTORS = (6, 7, 8, 9)
"""Keys of the detectors' state: two in zone 1, two in zone 2."""
TROUBLE = 10
"""The panel's own point."""

PUMP = EquipmentClass(
    name="pump",
    title=say("Pump"),
    system=System.PUMP,
    points={
        "flow": PointDefinition(kind=PointKind.ANALOG, name=say("Flow"), unit="m**3/h"),
        "pressure": PointDefinition(kind=PointKind.ANALOG, name=say("Pressure"), unit="bar"),
        "setpoint": PointDefinition(kind=PointKind.ANALOG, name=say("Set-point"), unit="kPa"),
        "running": PointDefinition(kind=PointKind.BINARY, name=say("Running"), states={"stopped": 0, "running": 1}),
        "door": PointDefinition(kind=PointKind.EVENT, name=say("Door"), states={"opened": 1, "denied": 2}),
    },
)
DETECTOR = EquipmentClass(
    name="detector",
    title=say("Detector"),
    system=System.FIRE,
    points={
        "state": PointDefinition(
            kind=PointKind.MULTISTATE, name=say("State"), states={"quiet": 0, "pre_alarm": 1, "alarm": 2}
        )
    },
)
PANEL = EquipmentClass(
    name="panel",
    title=say("Panel"),
    system=System.FIRE,
    points={"trouble": PointDefinition(kind=PointKind.BINARY, name=say("Trouble"), states={"no": 0, "yes": 1})},
)
ASSETS = {
    "pump-1": (PUMP, "zone-1", None),
    "detector-1": (DETECTOR, "room-1", "panel"),
    "detector-2": (DETECTOR, "zone-1", "panel"),
    "detector-3": (DETECTOR, "zone-2", "panel"),
    "detector-4": (DETECTOR, "zone-2", "panel"),
    "panel": (PANEL, "tower", None),
}
SPACES = {
    "tower": ("building", None),
    "zone-1": ("zone", "tower"),
    "zone-2": ("zone", "tower"),
    "room-1": ("room", "zone-1"),
}


def works(rules: Mapping[str, tuple[int, Condition]], **gates: str | Schedule) -> Facility:
    """The works with rules by name, each a point and a condition; ``gates`` are their operating states or schedules."""
    assets = {
        key: Asset(
            id=key,
            name=say(key),
            equipment_class=equipment,
            space_id=space,
            parent_id=parent,
            connection_id="bus",
            profile="any",
        )
        for key, (equipment, space, parent) in ASSETS.items()
    }
    named = [(asset.id, name, what) for asset in assets.values() for name, what in asset.equipment_class.points.items()]
    points = {
        key: Point(key=key, asset_id=asset_id, name=name, definition=what)
        for key, (asset_id, name, what) in enumerate(named, 1)
    }
    return Facility(
        site_id="site",
        name=say("Site"),
        time_zone="Asia/Shanghai",
        spaces={key: Space(id=key, name=say(key), kind=kind, parent=above) for key, (kind, above) in SPACES.items()},
        connections={},
        assets=assets,
        points=points,
        rules={
            number: Rule(
                id=number,
                asset_id=points[key].asset_id,
                point_key=key,
                definition=definition(name, points[key].name, condition, gates.get(name)),
            )
            for number, (name, (key, condition)) in enumerate(rules.items(), 1)
        },
    )


def definition(name: str, point: str, condition: Condition, gate: str | Schedule | None = None) -> RuleDefinition:
    text = say(name)
    return RuleDefinition(
        name=name,
        point=point,
        title=text,
        condition=condition,
        only_when=gate if isinstance(gate, str) else None,
        schedule=gate if isinstance(gate, Schedule) else None,
        cause=text,
        consequence=text,
        corrective_action=text,
        consequence_class=ConsequenceClass.MODERATE,
        time_to_respond_min=10,
    )


def told(seconds: float, point: int, value: float, quality: Quality = Quality.GOOD) -> Sample:
    return Sample(point, round(seconds * S), round(seconds * S), value, quality)


def batch(*samples: tuple[float, int, float] | Sample) -> SampleBatch:
    """Samples from (seconds, point, value)."""
    return SampleBatch.of([each if isinstance(each, Sample) else told(*each) for each in samples])


def past_of(samples: Iterable[Sample]) -> Past:
    """What a history would tell that kept these samples."""
    kept = sorted(samples, key=lambda sample: sample.gateway_time_ns)

    def past(points: Collection[int], start_ns: int, end_ns: int) -> SampleBatch:
        asked = [sample for sample in kept if sample.point in points and sample.source_time_ns < end_ns]
        earlier = [sample for sample in asked if sample.source_time_ns < start_ns]
        newest = {sample.point: sample for sample in earlier}
        usable = {sample.point: sample for sample in earlier if sample.quality < BAD_FROM}
        before = {id(sample) for sample in (*newest.values(), *usable.values())}
        return SampleBatch.of([each for each in asked if id(each) in before or each.source_time_ns >= start_ns])

    return past
