"""The console's page about the gateway, in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from facility.clock import NS_PER_S
from gateway.events import ConnectionState, ConnectionStatus, GatewayStatus, UnitStatus
from people.model import Role
from tests.dashboards.browser import Theme, chromium, log_in, open_page, picture, violations
from tests.dashboards.running_api import PASSWORD, START_NS, RunningApi, running_api

UP, DOWN = ConnectionState.UP, ConnectionState.DOWN
SILENT = "no answer from Modbus unit 2; check its power"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RunningApi]:
    with running_api(tmp_path) as server:
        server.connections.clear()
        for status in (_broker(), _cellar(), _panel()):
            server.connections[status.connection_id] = status
        yield server


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


def _broker() -> ConnectionStatus:
    door = UnitStatus(asset_id="door-1", state=UP, requests=900, last_good_ns=START_NS - 2 * NS_PER_S)
    return ConnectionStatus(
        connection_id="broker", state=UP, samples=900, duplicates=4, last_good_ns=START_NS, units={"door-1": door}
    )


def _cellar() -> ConnectionStatus:
    """A line on which one device answers and one does not."""
    pump = UnitStatus(asset_id="pump-1", state=DOWN, detail=SILENT, requests=50, timeouts=12, openings=3)
    pump.last_good_ns = START_NS - 300 * NS_PER_S
    fan = UnitStatus(asset_id="fan-1", state=UP, requests=60, last_good_ns=START_NS)
    return ConnectionStatus(
        connection_id="cellar", state=UP, samples=110, last_good_ns=START_NS, units={"fan-1": fan, "pump-1": pump}
    )


def _panel() -> ConnectionStatus:
    detector = UnitStatus(asset_id="detector-101", state=DOWN, detail="its panel is down")
    return ConnectionStatus(
        connection_id="panel", state=DOWN, detail="nobody answers there", units={"detector-101": detector}
    )


async def open_gateway(browser: Browser, api: RunningApi, theme: Theme = "light") -> Page:
    page = await open_page(browser, api.address, theme)
    await log_in(page, Role.OPERATOR.value, PASSWORD)
    await page.get_by_role("link", name="Gateway").click()
    await expect(page.get_by_role("heading", name="Gateway connections")).to_be_visible()
    return page


async def test_what_is_down_stands_first_and_in_words(api: RunningApi, browser: Browser) -> None:
    page = await open_gateway(browser, api)
    summary = "Connections not up: 1 of 3. Devices that do not answer: 2 of 4."
    await expect(page.get_by_role("status").filter(has_text="Connections")).to_have_text(summary)
    turns = page.locator("button[aria-expanded]")
    await expect(turns).to_have_count(3)
    names = [text.split()[1] for text in await turns.all_inner_texts()]
    assert names == ["panel", "cellar", "broker"]
    await expect(page.get_by_role("row").filter(has_text="panel").first).to_contain_text("nobody answers there")


async def test_a_line_on_which_one_device_is_silent_shows_its_devices_by_itself(
    api: RunningApi, browser: Browser
) -> None:
    page = await open_gateway(browser, api)
    devices = page.get_by_role("table", name="Devices on cellar")
    row = devices.get_by_role("row").filter(has_text="pump-1")
    await expect(row).to_contain_text(SILENT)
    await expect(row).to_contain_text("5 min ago")
    await expect(page.get_by_role("table", name="Devices on broker")).to_have_count(0)


async def test_a_gateway_that_runs_apart_and_is_gone_is_told(api: RunningApi, browser: Browser) -> None:
    page = await open_gateway(browser, api)
    await expect(page.get_by_role("heading", name="Gateways elsewhere")).to_have_count(0)
    api.gateways["roof"] = GatewayStatus(gateway_id="roof", detail="it is not connected to the bus")
    await expect(page.get_by_role("heading", name="Gateways elsewhere")).to_be_visible()
    await expect(page.get_by_text("it is not connected to the bus")).to_be_visible()
    assert await violations(page) == []


async def test_the_keyboard_opens_a_connection_and_closes_it(api: RunningApi, browser: Browser) -> None:
    page = await open_gateway(browser, api)
    turn = page.get_by_role("button", name="broker")
    await turn.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("table", name="Devices on broker")).to_be_visible()
    await expect(turn).to_have_attribute("aria-expanded", "true")
    await page.keyboard.press("Space")
    await expect(page.get_by_role("table", name="Devices on broker")).to_have_count(0)


async def test_a_device_that_comes_back_shows_without_a_reload(api: RunningApi, browser: Browser) -> None:
    page = await open_gateway(browser, api)
    for status in api.connections.values():
        status.state, status.detail = UP, ""
        for unit in status.units.values():
            unit.state, unit.detail = UP, ""
    await expect(page.get_by_text("All 3 connections are up and all 4 devices answer.")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_on_the_page_with_everything_open(
    api: RunningApi, browser: Browser, tmp_path: Path, theme: Theme
) -> None:
    page = await open_gateway(browser, api, theme)
    for name in ("broker", "panel"):
        await page.get_by_role("button", name=name).click()
        await expect(page.get_by_role("table", name=f"Devices on {name}")).to_be_visible()
    assert await violations(page) == []
    await picture(page, f"gateway-{theme}-en", tmp_path)
    await page.get_by_role("button", name="中文").click()
    await expect(page.get_by_text("2/4。")).to_be_visible()
    await picture(page, f"gateway-{theme}-zh", tmp_path)
