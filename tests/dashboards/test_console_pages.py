"""The console in a real browser, on a real server over a small facility whose engine the test steps by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, WebSocketRoute, expect

from people.model import Role
from tests.dashboards.browser import Theme, chromium, log_in, open_page, picture, violations
from tests.dashboards.running_api import PASSWORD, RunningApi, running_api

PAGES = {
    "alarms": "/alarms",
    "alarm": "/alarms/1",
    "overview": "/overview",
    "equipment": "/equipment/pump-1",
    "work-order": "/work-orders/1",
    "gateway": "/gateway",
    "lost": "/nowhere",
}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RunningApi]:
    with running_api(tmp_path) as server:
        yield server


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


async def samples(api: RunningApi, *values: tuple[str, float]) -> None:
    await asyncio.to_thread(api.samples, *values)


async def open_console(browser: Browser, api: RunningApi, role: Role, theme: Theme = "light") -> Page:
    page = await open_page(browser, api.address, theme)
    await log_in(page, role.value, PASSWORD)
    return page


def row_of(page: Page, text: str) -> Locator:
    return page.get_by_role("grid").get_by_role("row").filter(has_text=text)


def acknowledge_elsewhere(api: RunningApi, alarm_id: int) -> None:
    """Someone at another desk acknowledges."""
    with api.client(Role.ENGINEER) as client:
        version = client.get(f"/api/alarms/{alarm_id}").json()["version"]
        answer = client.post(f"/api/alarms/{alarm_id}/acknowledge", json={"version": version, "comment": "Seen"})
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_on_any_page(api: RunningApi, browser: Browser, tmp_path: Path, theme: Theme) -> None:
    await samples(api, ("detector-101/alarm", 1.0), ("pump-1/bearing_temperature", 85.0), ("pump-1/seal_leak", 1.0))
    await samples(api, ("door-1/held_open", 1.0))
    page = await open_page(browser, api.address, theme)
    await expect(page.get_by_label("Login")).to_be_visible()
    found = {"log-in": await violations(page)}
    await picture(page, f"{theme}-log-in", tmp_path)
    await log_in(page, Role.SUPERVISOR.value, PASSWORD)
    for name, path in PAGES.items():
        await page.goto(path)
        await expect(page.get_by_text("LIVE", exact=True)).to_be_visible()
        await page.wait_for_load_state("networkidle")
        found[name] = await violations(page)
        await picture(page, f"{theme}-{name}", tmp_path)
    await page.goto("/alarms")
    await expect(row_of(page, "fire")).to_be_visible()
    await page.keyboard.press("Control+a")
    await page.keyboard.press("a")
    await expect(page.get_by_role("dialog")).to_be_visible()
    found["acknowledge"] = await violations(page)
    assert {name: faults for name, faults in found.items() if faults} == {}


async def test_a_phone_shows_what_is_wrong_where_and_since_when(
    api: RunningApi, browser: Browser, tmp_path: Path
) -> None:
    await samples(api, ("pump-1/bearing_temperature", 82.0), ("detector-101/alarm", 1.0))
    page = await open_console(browser, api, Role.OPERATOR)
    await page.set_viewport_size({"width": 390, "height": 844})
    row = row_of(page, "bearing temperature high")
    for cell in (row.get_by_text("bearing temperature high"), row.get_by_text("pump-1"), row.get_by_text(":")):
        await expect(cell).to_be_in_viewport(ratio=1)
    assert await violations(page) == []
    await picture(page, "alarms-phone", tmp_path)
    await page.goto("/alarms/1")
    detail = page.get_by_role("complementary", name="Alarm detail")
    await expect(detail.get_by_role("button", name="Acknowledge")).to_be_in_viewport(ratio=1)
    await picture(page, "alarm-phone", tmp_path)
    await detail.get_by_role("button", name="Close").click()
    await expect(row).to_be_in_viewport()


async def test_an_acknowledgement_that_comes_second_is_taken_back_with_the_reason(
    api: RunningApi, browser: Browser
) -> None:
    await samples(api, ("door-1/held_open", 1.0))
    page = await open_console(browser, api, Role.OPERATOR)
    await page.keyboard.press("Home")
    await page.keyboard.press("a")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await asyncio.to_thread(acknowledge_elsewhere, api, 1)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("Not acknowledged: held open")
    await expect(row_of(page, "held open")).to_contain_text("Engineer")


async def test_a_critical_alarm_is_not_acknowledged_without_a_comment(api: RunningApi, browser: Browser) -> None:
    await samples(api, ("detector-101/alarm", 1.0))
    page = await open_console(browser, api, Role.OPERATOR)
    await page.keyboard.press("Home")
    await page.keyboard.press("a")
    await expect(page.get_by_role("dialog").get_by_label("Comment")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.type("Going there")
    await page.keyboard.press("Enter")
    await expect(row_of(page, "fire")).to_contain_text("Operator")


async def test_a_latched_alarm_is_reset_from_its_detail(api: RunningApi, browser: Browser) -> None:
    await samples(api, ("detector-101/alarm", 1.0))
    await asyncio.to_thread(acknowledge_elsewhere, api, 1)
    await samples(api, ("detector-101/alarm", 0.0))
    page = await open_console(browser, api, Role.OPERATOR)
    await page.goto("/alarms/1")
    detail = page.get_by_role("complementary", name="Alarm detail")
    await detail.get_by_role("button", name="Reset latch").click()
    await expect(page.get_by_text("No open alarm.")).to_be_visible()
    await expect(detail.get_by_text("Reset · Operator")).to_be_visible()


async def test_an_order_whose_alarm_stands_is_completed_only_with_a_reason(api: RunningApi, browser: Browser) -> None:
    await samples(api, ("pump-1/bearing_temperature", 85.0))
    page = await open_console(browser, api, Role.SUPERVISOR)
    await page.goto("/work-orders/1")
    order = page.get_by_role("article", name="Order detail")
    await order.get_by_label("Assign to").select_option(label="Technician · Technician")
    await order.get_by_role("button", name="Start work").click()
    await expect(order.get_by_role("heading", level=2)).to_contain_text("In progress")
    await order.get_by_role("button", name="Complete").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Why complete although an alarm stands").fill("Parts are ordered")
    await dialog.get_by_role("button", name="Complete").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Mandatory steps are not done: 1, 2")


async def test_a_lost_connection_shows_as_stale_and_comes_back_with_what_was_missed(
    api: RunningApi, browser: Browser
) -> None:
    page = await open_page(browser, api.address)
    cut = asyncio.Event()
    sockets: list[WebSocketRoute] = []

    async def wire(socket: WebSocketRoute) -> None:
        if cut.is_set():
            await socket.close()
            return
        sockets.append(socket)
        socket.connect_to_server()

    await page.route_web_socket("**/api/live*", wire)
    await log_in(page, Role.OPERATOR.value, PASSWORD)
    cut.set()
    await sockets[0].close()
    await expect(page.get_by_text("STALE", exact=True)).to_be_visible()
    await samples(api, ("door-1/held_open", 1.0))
    await expect(page.get_by_text("Not live")).to_be_visible()
    await expect(row_of(page, "held open")).to_have_count(0)
    cut.clear()
    await expect(page.get_by_text("LIVE", exact=True)).to_be_visible()
    await expect(row_of(page, "held open")).to_be_visible()


async def test_a_filter_says_how_much_it_hides(api: RunningApi, browser: Browser) -> None:
    await samples(api, ("detector-101/alarm", 1.0), ("pump-1/seal_leak", 1.0), ("door-1/held_open", 1.0))
    page = await open_console(browser, api, Role.OPERATOR)
    await expect(page.get_by_text("3 of 3")).to_be_visible()
    await page.get_by_role("search").get_by_role("button", name="Fire").click()
    await expect(page.get_by_text("1 of 3")).to_be_visible()
    await page.get_by_role("button", name="Clear filter").click()
    await expect(page.get_by_text("3 of 3")).to_be_visible()


async def test_the_console_speaks_chinese(api: RunningApi, browser: Browser) -> None:
    await samples(api, ("pump-1/bearing_temperature", 85.0))
    page = await open_console(browser, api, Role.OPERATOR)
    await page.get_by_role("button", name="中文").click()
    assert await page.locator("html").get_attribute("lang") == "zh-Hans"
    words = {"/alarms": "未确认", "/overview": "电梯", "/work-orders/1": "检查单", "/gateway": "网关连接"}
    for path, word in words.items():
        await page.goto(path)
        await expect(page.get_by_text(word).first).to_be_visible()
