"""Runs the parts of a session side by side: when one ends, all end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


async def until_one_ends(*parts: Coroutine[None, None, None]) -> None:
    """Run coroutines until the first ends or fails, end the others, and raise what it raised."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
