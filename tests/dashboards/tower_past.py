"""Harbour Tower with a past: a month of its first pump's samples, with gaps, doubts, alarms and orders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

import app.demo
from facility.class_files import load_classes
from facility.clock import NS_PER_S
from facility.conditions import Threshold
from facility.model import Facility, Rule
from facility.quality import Quality
from facility.samples import SampleBatch
from facility.site_file import read_site
from gateway.site_check import described_facility
from people.model import Role
from tests.dashboards.running_api import START_NS, RunningApi

Columns = npt.NDArray[np.float64]

HOUR_S: Final = 3_600
DAY_S: Final = 86_400
MONTH_S: Final = 30 * DAY_S

BEARING, FLOW, PRESSURE = "pump-1/bearing_temperature", "pump-1/flow", "pump-1/outlet_pressure"
RUNNING, VIBRATION = "pump-1/running", "pump-1/vibration"
OTHER_BEARING = "pump-2/bearing_temperature"

BAD_S: Final = (-2_400, -2_100)
"""Seconds from now between which the device of the first pump did not answer."""
SILENT_S: Final = (-1_500, -1_200)
"""Seconds from now between which no sample came at all."""
UNCERTAIN_S: Final = (-900, -600)
"""Seconds from now between which the values are of doubtful worth."""


def harbour_tower() -> Facility:
    """Return the site of the demo with keys of its own, and with the limits of its first pump."""
    site = read_site(Path(app.demo.__file__).with_name("harbour_tower.yaml"), load_classes(), {})
    facility = described_facility(site)
    pump = facility.assets["pump-1"]
    keys = {point.name: point.key for point in facility.points.values() if point.asset_id == pump.id}
    definitions = [rule for rule in pump.equipment_class.rules.values() if isinstance(rule.condition, Threshold)]
    rules = [
        Rule(id=number, asset_id=pump.id, point_key=keys[definition.point], definition=definition)
        for number, definition in enumerate(definitions, start=1)
    ]
    return replace(facility, rules={rule.id: rule for rule in rules})


def record(
    api: RunningApi,
    address: str,
    seconds: Columns,
    values: Columns,
    quality: npt.NDArray[np.uint8] | None = None,
) -> None:
    """Keep samples of a point; seconds are counted from ``START_NS``, below zero before it."""
    [key] = (point.key for point in api.facility.points.values() if point.address == address)
    at_ns = START_NS + np.round(seconds * NS_PER_S).astype(np.int64)
    codes = np.zeros(len(seconds), np.uint8) if quality is None else quality
    batch = SampleBatch(np.full(len(seconds), key, np.int32), at_ns, at_ns, values.astype(np.float64), codes)
    api.services.history.append(batch)
    api.services.history.commit()


def qualities(seconds: Columns) -> npt.NDArray[np.uint8]:
    """Return what the samples of the last hour are worth."""
    codes = np.zeros(len(seconds), np.uint8)
    codes[(seconds >= BAD_S[0]) & (seconds < BAD_S[1])] = Quality.BAD_COMMUNICATION
    codes[(seconds >= UNCERTAIN_S[0]) & (seconds < UNCERTAIN_S[1])] = Quality.UNCERTAIN_STALE
    return codes


def spoken(seconds: Columns) -> npt.NDArray[np.bool_]:
    """Tell which of the samples came at all."""
    return (seconds < SILENT_S[0]) | (seconds >= SILENT_S[1])


def bearing_c(seconds: Columns) -> Columns:
    """Return a bearing's temperature in °C: warmer by day, and hot in two episodes."""
    noise = np.random.default_rng(7).normal(0, 0.25, len(seconds))
    daily = 55 + 6 * np.sin(2 * np.pi * seconds / DAY_S)
    hot = 38 * np.exp(-(((seconds + 6 * DAY_S) / HOUR_S) ** 2)) + 30 * np.exp(-(((seconds + 3_000) / 300) ** 2))
    celsius: Columns = daily + hot + noise
    return celsius


def flow_m3_h(seconds: Columns) -> Columns:
    """Return a flow in m³/h: steps of demand, and ripple."""
    noise = np.random.default_rng(8).normal(0, 1.5, len(seconds))
    demand: Columns = 120 + 25 * np.sign(np.sin(2 * np.pi * seconds / (4 * HOUR_S))) + 4 * np.sin(seconds / 37)
    return demand + noise


def live_through_a_month(api: RunningApi) -> None:
    """Fill the history with a month by minutes and its last eight hours by seconds, and raise what was hot then."""
    seconds: Columns = np.concatenate(
        [np.arange(-MONTH_S, -8 * HOUR_S, 60.0), np.arange(-8 * HOUR_S, 0.0, 1.0)], dtype=np.float64
    )
    heard = seconds[spoken(seconds)]
    record(api, BEARING, heard, bearing_c(heard), qualities(heard))
    record(api, OTHER_BEARING, seconds, bearing_c(seconds) * 0.8 + 4)
    record(api, FLOW, seconds, flow_m3_h(seconds))
    record(api, PRESSURE, seconds, 4 + flow_m3_h(seconds) / 90)
    switched = np.arange(-MONTH_S, 0.0, 7 * HOUR_S)
    states: Columns = (np.arange(len(switched)) % 2).astype(np.float64)
    record(api, RUNNING, switched, states)
    raise_alarms(api)


def raise_alarms(api: RunningApi) -> None:
    """Let the pump alarm six days ago and within the last hour, where the last stands; the clock ends where it was."""
    turns = [
        *(turn for hour in range(6) for turn in hot(BEARING, 98.0, 60.0, -6 * DAY_S + hour * HOUR_S, 1_200)),
        *hot(BEARING, 85.0, 60.0, -3_200, 500),
        *hot(VIBRATION, 7.5, 1.0, -3_000, 200),
        *hot(BEARING, 86.0, 60.0, -400, None),
    ]
    passed = 0.0
    with api.client(Role.ENGINEER) as client:
        for at, address, value in turns:
            api.clock.advance(at - passed)
            passed = at
            api.samples((address, value))
            for alarm in client.get("/api/alarms").json()["alarms"] if at < -400 else []:
                if not alarm["acknowledged"]:
                    command = {"version": alarm["version"], "comment": "Seen"}
                    client.post(f"/api/alarms/{alarm['id']}/acknowledge", json=command).raise_for_status()
    api.clock.advance(-passed)


def hot(
    address: str, high: float, normal: float, from_s: float, for_s: float | None
) -> Iterator[tuple[float, str, float]]:
    """Give the samples that raise an alarm of a point and, unless it is to stand, clear it, with their seconds."""
    yield from ((from_s, address, high), (from_s + 11, address, high))
    if for_s is not None:
        yield from ((from_s + for_s, address, normal), (from_s + for_s + 11, address, normal))
