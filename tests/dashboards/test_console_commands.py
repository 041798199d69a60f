"""Commands in the console, in a real browser on a real server whose plant obeys or not."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from people.model import Role
from tests.dashboards.browser import Theme, chromium, log_in, open_page, picture, violations
from tests.dashboards.commanding_api import commanding_api
from tests.dashboards.running_api import PASSWORD, RunningApi
from tests.gateway.commanded import SETPOINT, Plant


@pytest.fixture
def plant() -> Plant:
    return Plant()


@pytest.fixture
def api(tmp_path: Path, plant: Plant) -> Iterator[RunningApi]:
    with commanding_api(tmp_path, plant) as server:
        server.samples((SETPOINT, 1465.0))
        yield server


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


async def at_the_pump(browser: Browser, api: RunningApi, role: Role, theme: Theme = "light") -> Page:
    page = await open_page(browser, api.address, theme)
    await log_in(page, role.value, PASSWORD)
    await page.goto("/equipment/pump-1")
    await expect(page.get_by_role("heading", name="Commands")).to_be_visible()
    return page


async def test_a_speed_is_set_by_keyboard_seen_at_another_desk_and_taken_back_there(
    api: RunningApi, plant: Plant, browser: Browser, tmp_path: Path
) -> None:
    operator = await at_the_pump(browser, api, Role.OPERATOR)
    supervisor = await at_the_pump(browser, api, Role.SUPERVISOR)
    await expect(operator.get_by_text("Nobody holds it.")).to_be_visible()

    await operator.get_by_role("button", name="Set…").focus()
    await operator.keyboard.press("Enter")
    dialog = operator.get_by_role("dialog", name="Set Speed set-point")
    await expect(dialog.get_by_label("Value (rpm)")).to_be_focused()
    await expect(dialog.get_by_text(re.compile("600.rpm to 1480.rpm"))).to_be_visible()
    await operator.keyboard.type("1200")
    await operator.keyboard.press("Tab")
    await operator.keyboard.press("Tab")
    await expect(dialog.get_by_label("Reason")).to_be_focused()
    await operator.keyboard.type("night set-back")
    await picture(operator, "command-set", tmp_path)
    await operator.keyboard.press("Tab")
    await operator.keyboard.press("Tab")
    await operator.keyboard.press("Enter")
    await expect(dialog).to_have_count(0)
    assert plant.values[SETPOINT] == 1200.0

    holding = supervisor.locator(".commanded").filter(has_text="In force")
    await expect(holding).to_contain_text(re.compile("1200.rpm, Operator, until"))
    await picture(supervisor, "command-in-force", tmp_path)
    await supervisor.get_by_role("button", name="Take back…").click()
    await supervisor.get_by_role("dialog").get_by_label("Reason").fill("guests came early")
    await supervisor.get_by_role("dialog").get_by_role("button", name="Take back").click()
    await expect(supervisor.get_by_role("dialog")).to_have_count(0)
    assert plant.values[SETPOINT] == 1465.0
    await expect(operator.get_by_text("Nobody holds it.")).to_be_visible()
    recent = operator.get_by_role("table", name="Recent commands")
    await expect(recent.get_by_role("row").nth(1)).to_contain_text("Taken back")


async def test_a_device_that_does_not_follow_is_told_in_the_dialog_which_stays_open(
    api: RunningApi, plant: Plant, browser: Browser
) -> None:
    plant.is_stubborn = True
    page = await at_the_pump(browser, api, Role.OPERATOR)
    await page.get_by_role("button", name="Set…").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Value (rpm)").fill("1200")
    await dialog.get_by_label("Reason").fill("night set-back")
    await dialog.get_by_role("button", name="Set", exact=True).click()
    await expect(dialog.get_by_role("alert")).to_contain_text("device shows 1465 rpm instead of 1200 rpm")


async def test_whoever_may_not_command_reads_who_may_in_both_languages(api: RunningApi, browser: Browser) -> None:
    page = await at_the_pump(browser, api, Role.TECHNICIAN)
    await expect(page.get_by_text("Takes commands from: Operator, Supervisor.")).to_be_visible()
    await expect(page.get_by_role("button", name="Set…")).to_have_count(0)
    await page.get_by_role("button", name="中文").click()
    await expect(page.get_by_role("heading", name="控制")).to_be_visible()
    await expect(page.get_by_text("当前无人控制。")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_in_panel_and_dialogs(api: RunningApi, browser: Browser, theme: Theme) -> None:
    page = await at_the_pump(browser, api, Role.OPERATOR, theme)
    await page.get_by_role("button", name="Set…").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_label("Value (rpm)")).to_be_visible()
    assert await violations(page) == []
    await dialog.get_by_label("Value (rpm)").fill("1200")
    await dialog.get_by_label("Reason").fill("night set-back")
    await dialog.get_by_role("button", name="Set", exact=True).click()
    await page.get_by_role("button", name="Take back…").click()
    await expect(dialog.get_by_label("Reason")).to_be_visible()
    assert await violations(page) == []
    await page.keyboard.press("Escape")
    await page.goto("/equipment/door-1")
    await page.get_by_role("button", name="Set…").click()
    await expect(dialog.get_by_label("To")).to_be_visible()
    assert await violations(page) == []
