"""From a BACnet object to a point: which objects a driver watches, and what their values are worth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from facility.equipment import System
from facility.errors import ConfigurationError, Mistake
from facility.model import Point
from facility.quality import Quality
from facility.samples import Sample
from gateway.conversion import PointConverter
from gateway.drivers.bacnet.names import ObjectId, parse_object
from gateway.drivers.bacnet.values import ObjectValue
from gateway.drivers.driver import DeviceConfig

DEFAULT_RECONCILE_S: Final = 10.0
DEFAULT_POLL_S: Final = 10.0
DEFAULT_COV_LIFETIME_S: Final = 120
MAX_COV_LIFETIME_S: Final = 300
"""A device that forgot a subscription without a word is found within half of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How often an object is looked after, in facility seconds unless it says otherwise."""

    reconcile_s: float
    """Between two readings of an object that reports changes by itself."""
    poll_s: float
    """Between two readings of an object that takes no subscription."""
    cov: bool
    """Whether changes are subscribed to; some devices have few subscriptions to give."""
    cov_lifetime_s: int
    """Wall seconds of a subscription; it is renewed at half of it."""
    acknowledge_events: bool
    """Whether its event notifications are acknowledged in our name; never in a fire system."""


class MappedPoint(NamedTuple):
    """A point and how its raw value converts."""

    point: Point
    converter: PointConverter


class WatchedObject:
    """One object of the device, the points it feeds, and what is known of it now."""

    def __init__(self, object_id: ObjectId, points: Sequence[MappedPoint], schedule: Schedule) -> None:
        self.id = object_id
        self.points = tuple(points)
        self.schedule = schedule
        self.forget()

    def forget(self) -> None:
        """Start anew, as after the device was lost; times are seconds of the event loop."""
        self.read_at = 0.0
        """When it is to be read next."""
        self.renew_at = 0.0
        """When its subscription is to be made or renewed."""
        self.lapses_at = math.inf
        """When its subscription ends unless it is renewed."""
        self.has_lapsed = False
        """Whether it ended; until it is made again the object is polled."""
        self.changed_at = 0.0
        """When the device last reported a change."""
        self.is_readable = False
        self.takes_cov = self.schedule.cov
        self.misses = 0
        """Readings in a row without an answer."""
        self.known: ObjectValue | None = None
        """What the last reading or report said; ``None`` before the first."""

    @property
    def name(self) -> str:
        """Return the name people use, such as ``analog-input,101``."""
        return f"{self.id[0]},{self.id[1]}"

    @property
    def is_state(self) -> bool:
        """Return whether a missed change shows as a difference, which in a noisy quantity it does not."""
        return not any(mapped.converter.is_numeric for mapped in self.points)

    def interval_s(self, speed: float) -> float:
        """Return the wall seconds between two readings where a wall second is ``speed`` facility seconds."""
        reports = self.takes_cov and not self.has_lapsed
        return (self.schedule.reconcile_s if reports else self.schedule.poll_s) / speed

    def samples(self, said: ObjectValue, now_ns: int) -> list[Sample]:
        """Return a sample for each of its points; BACnet objects say no time, so it is the gateway's."""
        rows = ((mapped.point.key, *_converted(mapped.converter, said)) for mapped in self.points)
        return [Sample(key, now_ns, now_ns, value, quality) for key, value, quality in rows]

    def without_value(self, quality: Quality, now_ns: int) -> list[Sample]:
        """Return a sample without a value for each of its points."""
        return [Sample(mapped.point.key, now_ns, now_ns, math.nan, quality) for mapped in self.points]


def watched_objects(devices: Sequence[DeviceConfig]) -> dict[ObjectId, WatchedObject]:
    """Return the objects that the devices' mappings name, each once.

    A point's mapping says ``object`` (such as ``analog-input,101``; always its present-value) and how it converts:
    enumerations come by their names in the standard, multi-state values by number. A device's settings may say
    ``reconcile_s``, ``poll_s``, ``cov``, ``cov_lifetime_s`` and ``acknowledge_events``.

    Raises:
        ConfigurationError: A mapping names no object, or a setting is out of bounds; lists every one.
    """
    points: dict[ObjectId, list[MappedPoint]] = {}
    schedules: dict[ObjectId, Schedule] = {}
    mistakes: list[Mistake] = []
    for device in devices:
        schedule = _schedule(device)
        mistakes += _schedule_mistakes(device, schedule)
        for point in device.points:
            mapping = device.mapping[point.name]
            try:
                object_id = parse_object(str(mapping.get("object")))
            except ValueError:
                message = "write 'object: type,instance', such as 'analog-input,1', in the profile"
                mistakes.append(Mistake(point.address, 0, message))
                continue
            points.setdefault(object_id, []).append(MappedPoint(point, PointConverter(point, mapping)))
            schedules[object_id] = schedule
    if mistakes:
        raise ConfigurationError(mistakes)
    return {object_id: WatchedObject(object_id, mapped, schedules[object_id]) for object_id, mapped in points.items()}


def _schedule(device: DeviceConfig) -> Schedule:
    settings: Any = device.settings
    return Schedule(
        reconcile_s=float(settings.get("reconcile_s", DEFAULT_RECONCILE_S)),
        poll_s=float(settings.get("poll_s", DEFAULT_POLL_S)),
        cov=bool(settings.get("cov", True)),
        cov_lifetime_s=int(settings.get("cov_lifetime_s", DEFAULT_COV_LIFETIME_S)),
        acknowledge_events=bool(settings.get("acknowledge_events", False)),
    )


def _schedule_mistakes(device: DeviceConfig, schedule: Schedule) -> Iterator[Mistake]:
    if not 1 <= schedule.cov_lifetime_s <= MAX_COV_LIFETIME_S:
        message = f"cov_lifetime_s is {schedule.cov_lifetime_s}; write 1 to {MAX_COV_LIFETIME_S} seconds, better 60 up"
        yield Mistake(device.asset.profile, 0, message)
    if schedule.reconcile_s <= 0 or schedule.poll_s <= 0:
        yield Mistake(device.asset.profile, 0, "reconcile_s and poll_s must be more than 0 seconds")
    if schedule.acknowledge_events and device.asset.equipment_class.system is System.FIRE:
        message = "nobody acknowledges for a fire panel; remove acknowledge_events"
        yield Mistake(device.asset.profile, 0, message)


_FAULTS: Final[Mapping[str, Quality]] = {
    "communication-failure": Quality.BAD_COMMUNICATION,
    "configuration-error": Quality.BAD_CONFIGURATION,
    "over-range": Quality.BAD_OUT_OF_RANGE,
    "under-range": Quality.BAD_OUT_OF_RANGE,
    "multi-state-out-of-range": Quality.BAD_OUT_OF_RANGE,
}
"""Reliabilities that say more than that the sensor failed; all others of the standard and of makers mean just that."""


def _converted(converter: PointConverter, said: ObjectValue) -> tuple[float, Quality]:
    """Return value and quality of what a device says of an object.

    A quantity of a faulty sensor is worth nothing. A state of a faulty object stays good: a detector's ``fault`` is
    itself what a rule waits for, and an active call point on a faulty loop must still raise its alarm.
    """
    if said.error:
        return math.nan, Quality.BAD_CONFIGURATION if said.unknown else Quality.BAD_DEVICE_EXCEPTION
    value, quality = converter.convert(said.value)
    if said.fault and converter.is_numeric:
        return value, _FAULTS.get(said.reliability, Quality.BAD_SENSOR_FAILURE)
    return value, max(quality, Quality.UNCERTAIN_OUT_OF_SERVICE) if said.out_of_service else quality
