"""A real browser on the built console."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright, expect

from dashboards.api import CONSOLE
from tests.servers import binary

Theme = Literal["light", "dark"]

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 60_000
"""How long to wait for something that has no deadline of its own; the machine may be busy."""


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run Debian's Chromium until the block ends; skip where it or the built console is absent."""
    program = binary("chromium")
    if not (CONSOLE / "index.html").exists():
        pytest.skip("the console is not built; `npm run build` in dashboards/web builds it")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        await browser.close()


async def open_page(browser: Browser, address: str, theme: Theme = "light") -> Page:
    """Open the console as someone who has never been there: a context of its own."""
    context = await browser.new_context(
        base_url=address, color_scheme=theme, locale="en-GB", viewport={"width": 1600, "height": 900}
    )
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    await page.goto("/")
    return page


async def log_in(page: Page, login: str, password: str) -> None:
    """Log in and wait for the live picture."""
    await page.get_by_label("Login").fill(login)
    await page.locator("input[name=password]").fill(password)
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("LIVE", exact=True)).to_be_visible(timeout=PATIENCE_MS)


async def violations(page: Page) -> list[str]:
    """Return what axe finds, each with the first place where it found it."""
    found = (await Axe().run(page)).response["violations"]
    return [f"{fault['id']}: {fault['help']} in {fault['nodes'][0]['html'][:200]}" for fault in found]


async def picture(page: Page, name: str, tmp_path: Path) -> None:
    """Keep a picture for people to look at."""
    folder = Path(os.environ.get("WATCHKEEPER_SCREENSHOTS", tmp_path))
    await page.screenshot(path=folder / f"{name}.png")
