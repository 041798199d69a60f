"""How the trend page bears a hundred thousand samples that go on live.

``uv run --group bench python -m benchmarks.trend --json`` opens the real page in Debian's Chromium, headless, on a real
server: four points of 25,000 samples each within the hour that is shown, and ten new ones of each a second. (The server
itself tells values four times a second; the others are put into its channel on the way to the page.) It counts frames
and how long the page's main thread was busy, with the pointer moving over the plot as an operator's does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from playwright.async_api import Page, ViewportSize, WebSocketRoute, expect

from benchmarks.frames import watched
from facility.clock import NS_PER_MS
from people.model import Role
from tests.dashboards.browser import PATIENCE_MS, chromium, log_in, open_page
from tests.dashboards.running_api import PASSWORD, RunningApi, running_api
from tests.dashboards.tower_past import HOUR_S, harbour_tower, record

POINTS: Final = ("pump-1/flow", "pump-1/bearing_temperature", "pump-2/flow", "pump-2/bearing_temperature")
SAMPLES: Final = 25_000
"""Of each point within the hour."""
LIVE_PERIOD_S: Final = 0.1
WATCHED_S: Final = 10.0
SIZE: Final = ViewportSize(width=1600, height=900)


def past(api: RunningApi) -> None:
    """Fill two hours, so that what lies beside the view is there, too."""
    random = np.random.default_rng(1)
    seconds = np.arange(-1.5 * HOUR_S, 0.0, HOUR_S / SAMPLES)
    for address in POINTS:
        record(api, address, seconds, 60 + np.cumsum(random.normal(0, 0.05, len(seconds))))


async def live(page: Page, api: RunningApi) -> None:
    """Let the clock go and every point speak ten times a second, until cancelled."""
    keys = [point.key for point in api.facility.points.values() if point.address in POINTS]
    random = np.random.default_rng(2)
    sockets: list[WebSocketRoute] = []

    def wire(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    await page.route_web_socket("**/api/live*", wire)
    began, passed = time.monotonic(), 0.0
    while True:
        await asyncio.sleep(LIVE_PERIOD_S)
        now = time.monotonic() - began
        api.clock.advance(now - passed)
        passed = now
        at_ms = api.clock.now_ns() // NS_PER_MS
        values = [[key, 60 + float(random.normal(0, 1)), 0, at_ms] for key in keys]
        for socket in sockets[-1:]:
            socket.send(json.dumps({"type": "values", "values": values}))


async def watch(page: Page) -> dict[str, Any]:
    """Count for a while, with a hand on the mouse."""
    box = await page.locator(".trend-surface").bounding_box()
    assert box is not None

    async def move(turn: int) -> None:
        await page.mouse.move(box["x"] + (turn * 7) % box["width"], box["y"] + box["height"] / 2)

    return {"samples": SAMPLES * len(POINTS), **await watched(page, WATCHED_S, move)}


async def measure(api: RunningApi) -> dict[str, Any]:
    """Open the page and watch it live."""
    async with chromium() as browser:
        page = await open_page(browser, api.address)
        await page.set_viewport_size(SIZE)
        living = asyncio.create_task(live(page, api))
        await log_in(page, Role.OPERATOR.value, PASSWORD)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        began = time.monotonic()
        await page.goto(f"/trend?points={','.join(POINTS)}&from=now-{HOUR_S}&to=now")
        expect.set_options(timeout=PATIENCE_MS)
        for line in range(len(POINTS)):
            row = page.get_by_role("region", name="Values").locator("tbody tr").nth(line)
            await expect(row.get_by_role("cell").nth(2)).not_to_have_text("—")
        opened_s = time.monotonic() - began
        figures = await watch(page)
        living.cancel()
        if sum("/samples?" in url for url in asked) < len(POINTS):
            raise RuntimeError("The page draws buckets: what was measured is not what was meant. Lower SAMPLES.")
        return {**figures, "opened_s": round(opened_s, 2)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    as_json = parser.parse_args().json
    with tempfile.TemporaryDirectory() as folder, running_api(Path(folder), facility=harbour_tower()) as api:
        past(api)
        figures = asyncio.run(measure(api))
    print(json.dumps(figures) if as_json else "\n".join(f"{name}: {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
