"""How the tuning page bears a limit that is dragged over a hundred thousand samples.

``uv run --group bench python -m benchmarks.tuning --json`` opens the real page in Debian's Chromium, headless, on a
real server with a day of 100,000 samples of a noisy point, takes the limit with the mouse and moves it up and down for
ten seconds. It counts frames, how long the page's main thread was busy, and how long each try of a draft took, from the
request to its answer; the server and the process that tries run on the same cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from playwright.async_api import Locator, Page, Request, ViewportSize, expect

from app.backtest.service import running_backtests
from benchmarks.frames import watched
from people.model import Role
from tests.dashboards.browser import PATIENCE_MS, chromium, log_in, open_page
from tests.dashboards.rule_api import rule_api
from tests.dashboards.running_api import PASSWORD, RunningApi
from tests.dashboards.tower_past import DAY_S, record
from tests.facilities import BEARING_HIGH, PUMP

POINT: Final = f"{PUMP}/bearing_temperature"
SAMPLES: Final = 100_000
WATCHED_S: Final = 10.0
REACH_PX: Final = 40.0
"""How far the limit is moved to each side."""
SIZE: Final = ViewportSize(width=1600, height=900)


def past(api: RunningApi) -> None:
    """Fill a day: noise around 70 °C with a slow wave, so that the alarms of a limit depend on where it is."""
    seconds = np.arange(-DAY_S, 0.0, DAY_S / SAMPLES)[:SAMPLES]
    noise = np.random.default_rng(1).normal(0, 1.0, len(seconds))
    record(api, POINT, seconds, 75 + 8 * np.sin(seconds / 3_000) + noise)


async def measure(api: RunningApi) -> dict[str, Any]:
    """Open the page and drag."""
    async with chromium() as browser:
        page = await open_page(browser, api.address)
        await page.set_viewport_size(SIZE)
        await log_in(page, Role.ENGINEER.value, PASSWORD)
        began = time.monotonic()
        await page.goto(f"/rules/{BEARING_HIGH}/tune")
        expect.set_options(timeout=PATIENCE_MS)
        await expect(page.get_by_role("status").filter(has_text="Draft")).to_be_visible()
        opened_s = time.monotonic() - began
        tries: list[float] = []

        def note(request: Request) -> None:
            if request.url.endswith("/try"):
                tries.append(request.timing["responseEnd"])

        page.on("requestfinished", note)
        figures = await drag(page, page.get_by_role("slider", name="High of Bearing", exact=True))
    return {
        "samples": SAMPLES,
        **figures,
        "tries": len(tries),
        "try_ms_p50": round(statistics.median(tries), 1),
        "try_ms_max": round(max(tries), 1),
        "opened_s": round(opened_s, 2),
    }


async def drag(page: Page, limit: Locator) -> dict[str, float]:
    """Take a limit, move it up and down, and let it go."""
    box = await limit.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await page.mouse.move(x, y)
    await page.mouse.down()

    async def move(turn: int) -> None:
        await page.mouse.move(x, y + REACH_PX * math.sin(turn / 8))

    figures = await watched(page, WATCHED_S, move)
    await page.mouse.up()
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    as_json = parser.parse_args().json
    with tempfile.TemporaryDirectory() as folder, rule_api(Path(folder)) as api:
        past(api)
        history = api.services.history
        with running_backtests(api.database, history, Path(folder) / "backtests", api.clock) as backtests:
            api.services.backtests = backtests
            figures = asyncio.run(measure(api))
    print(json.dumps(figures) if as_json else "\n".join(f"{name}: {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
