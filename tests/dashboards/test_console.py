"""The console in a real browser, on Harbour Tower with all its wires."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from app.demo.people import DEMO_PASSWORD
from tests.dashboards.browser import PATIENCE_MS, chromium, log_in, open_page, picture
from tests.servers import free_port

TOWER_STARTS_WITHIN_S = 90.0
SEEN_BY_OTHERS_WITHIN_MS = 1_000
CALL_POINT = "Manual call point"
"""Someone presses call point 12; its alarm is latched, so it stays until people have dealt with it."""


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run the demo as a process; gives the console's address."""
    folder, port = tmp_path_factory.mktemp("tower"), free_port()
    command = [sys.executable, "-m", "app.cli", "demo", "--port", str(port), "--data-dir", str(folder)]
    with (folder / "demo.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:  # noqa: S603  # our own command
        try:
            wait_until_open(port, process, folder / "demo.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


def wait_until_open(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + TOWER_STARTS_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"the demo ended with {process.returncode}:\n{log.read_text()}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return
        time.sleep(0.1)
    pytest.fail(f"the console did not open within {TOWER_STARTS_WITHIN_S:g} s:\n{log.read_text()}")


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


async def test_an_alarm_arrives_is_acknowledged_by_keyboard_and_its_order_is_completed(
    tower: str, browser: Browser, tmp_path: Path
) -> None:
    operator = await open_page(browser, tower)
    await log_in(operator, "olivia", DEMO_PASSWORD)
    await operator.evaluate("window.neverReloaded = true")
    await expect(operator.get_by_role("row").filter(has_text=CALL_POINT)).to_be_visible(timeout=60_000)
    await picture(operator, "alarms-arriving", tmp_path)
    for width in (1280, 1440, 1920):
        assert await sideways_px(operator, width) == 0, f"at {width} px the flood's banner pushes the page sideways"

    supervisor = await open_page(browser, tower)
    await log_in(supervisor, "samuel", DEMO_PASSWORD)
    await supervisor.goto(f"/alarms?text={CALL_POINT}")
    seen_elsewhere = supervisor.get_by_role("row").filter(has_text=CALL_POINT)
    await expect(seen_elsewhere.filter(has_text="Unacked")).to_be_visible()

    await acknowledge_by_keyboard(operator, CALL_POINT, "On my way to zone 2")
    await expect(seen_elsewhere.filter(has_text="Olivia Chen")).to_be_visible(timeout=SEEN_BY_OTHERS_WITHIN_MS)
    await picture(supervisor, "acknowledged-elsewhere", tmp_path)

    await operator.keyboard.press("Enter")
    journal = operator.get_by_role("complementary", name="Alarm detail")
    await expect(journal.get_by_text("On my way to zone 2")).to_be_visible()
    assert await operator.evaluate("window.neverReloaded"), "the page was reloaded on the way"
    await operator.get_by_role("link", name=re.compile("Open order")).click()
    number = await carry_out_order(operator)
    await picture(operator, "order-completed", tmp_path)
    await operator.get_by_role("link", name="Overview").click()
    await expect(operator.get_by_role("link", name=re.compile("Lift 6"))).to_be_visible()
    await picture(operator, "overview", tmp_path)

    await supervisor.get_by_role("link", name="Work orders").click()
    await expect(supervisor.get_by_role("row").nth(1)).to_be_visible()
    await expect(supervisor.get_by_role("row").filter(has_text=number)).to_have_count(0)
    await supervisor.get_by_role("button", name="All").click()
    await expect(supervisor.get_by_role("row").filter(has_text=number)).to_contain_text("Completed")


async def sideways_px(page: Page, width: int) -> int:
    """Return by how much the page is wider than its window."""
    await page.set_viewport_size({"width": width, "height": 900})
    beyond: int = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return beyond


async def acknowledge_by_keyboard(page: Page, text: str, comment: str) -> None:
    """Filter, choose and acknowledge without a pointer."""
    await page.keyboard.press("/")
    await page.keyboard.type(text)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("row")).to_have_count(2)  # the head and the alarm
    await page.keyboard.press("Home")
    await page.keyboard.press("a")
    await expect(page.get_by_role("dialog").get_by_label("Comment")).to_be_focused()
    await page.keyboard.type(comment)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def carry_out_order(page: Page) -> str:
    """Take the order that is open beside the list, do all of it; returns its number."""
    order = page.get_by_role("article", name="Order detail")
    heading = await order.get_by_role("heading", level=2).inner_text()
    await order.get_by_label("Assign to").select_option(label="Olivia Chen · Operator")
    await order.get_by_role("button", name="Start work").click()
    await expect(order.get_by_role("heading", level=2)).to_contain_text("In progress")
    for step in await order.get_by_role("checkbox").all():
        await step.click()
        await expect(step).to_be_checked()
    await expect(order.get_by_text(re.compile("Olivia Chen, "))).to_have_count(
        await order.get_by_role("checkbox").count()
    )
    await order.get_by_role("button", name="Complete").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Remark").fill("Glass replaced, no fire here")
    reason = dialog.get_by_label("Why complete although an alarm stands")
    if await reason.count():
        await reason.fill("Watched until the panel clears it")
    await dialog.get_by_role("button", name="Complete").click()
    await expect(order.get_by_role("heading", level=2)).to_contain_text("Completed", timeout=PATIENCE_MS)
    return heading.split(" ")[0]
