"""The command ``simulate``: the devices of a site as a program of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection
from pathlib import Path

from facility.class_files import load_classes
from facility.clock import ScaledClock, SystemClock
from facility.equipment import System
from facility.site_file import read_site
from simulators.scenario import Scenario, read_scenario
from simulators.simulation import build_simulation


async def run_simulators(
    site_file: Path,
    scenario_file: Path | None,
    systems: Collection[System] | None,
    *,
    speed: float,
    seed: int,
    stop: asyncio.Event,
) -> None:
    """Play the devices until ``stop`` is set.

    Raises:
        ConfigurationError: The site or scenario file has mistakes.
    """
    clock = ScaledClock(start_ns=SystemClock().now_ns(), speed=speed)
    site = read_site(site_file, load_classes(), os.environ)
    scenario = read_scenario(scenario_file) if scenario_file is not None else Scenario(steps=())
    simulation = build_simulation(site, scenario, clock=clock, seed=seed, systems=systems or None)
    print(f"Playing {len(simulation.devices)} devices of {site.site_id}; Ctrl-C stops them.", flush=True)  # noqa: T201
    devices = asyncio.create_task(simulation.run())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({devices, stopped}, return_when=asyncio.FIRST_COMPLETED)
    for task in (devices, stopped):
        task.cancel()
    await asyncio.gather(stopped, return_exceptions=True)
    try:
        await devices
    except asyncio.CancelledError:
        return
