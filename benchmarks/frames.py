"""Counts a page's frames, and how long its main thread was busy, while somebody has a hand on the mouse."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from playwright.async_api import CDPSession, Page

HAND_S: Final = 0.05
"""Between two moves of the hand."""

_COUNT: Final = """
    window.frames_drawn = 0;
    const count = () => { window.frames_drawn += 1; requestAnimationFrame(count); };
    requestAnimationFrame(count);
    window.redraws = 0;
    const clear = CanvasRenderingContext2D.prototype.clearRect;
    CanvasRenderingContext2D.prototype.clearRect = function (...area) {
        window.redraws += 1;
        return clear.apply(this, area);
    };
    window.longest_task_ms = 0;
    new PerformanceObserver((list) => {
        for (const task of list.getEntries()) window.longest_task_ms = Math.max(window.longest_task_ms, task.duration);
    }).observe({ type: "longtask" });
"""


async def watched(page: Page, seconds: float, move: Callable[[int], Awaitable[None]]) -> dict[str, float]:
    """Return a page's figures over some seconds, in which ``move`` is called with the number of each move."""
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable")
    await page.evaluate(_COUNT)
    busy, began, turn = await _busy_s(session), time.monotonic(), 0
    frames = await page.evaluate("window.frames_drawn")
    while time.monotonic() - began < seconds:
        turn += 1
        await move(turn)
        await asyncio.sleep(HAND_S)
    counted: dict[str, float] = await page.evaluate("({frames: frames_drawn, redraws, longest: longest_task_ms})")
    elapsed = time.monotonic() - began
    return {
        "fps": round((counted["frames"] - frames) / elapsed, 1),
        "main_thread_percent": round((await _busy_s(session) - busy) / elapsed * 100, 1),
        "redraws_per_s": round(counted["redraws"] / elapsed, 1),
        "longest_task_ms": round(counted["longest"], 1),
    }


async def _busy_s(session: CDPSession) -> float:
    """Return how many seconds the page's main thread has worked so far."""
    metrics = (await session.send("Performance.getMetrics"))["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))
