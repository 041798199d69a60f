"""The console's page that tries drafts of rules on history, in a real browser, with real history and its process."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, ViewportSize, expect

from app.backtest.service import running_backtests
from facility.clock import NS_PER_S
from facility.samples import SampleBatch
from people.model import Role
from tests.dashboards.browser import PATIENCE_MS, Theme, chromium, log_in, open_page, picture, violations
from tests.dashboards.rule_api import rule_api
from tests.dashboards.running_api import PASSWORD, START_NS, RunningApi
from tests.dashboards.test_rules_api import get, proposed, reviewed, with_limit
from tests.facilities import BEARING_HIGH, PUMP, SEAL_LEAK

BEARING, LEAK = f"{PUMP}/bearing_temperature", f"{PUMP}/seal_leak"
TUNE = f"/rules/{BEARING_HIGH}/tune"
PHONE = ViewportSize(width=390, height=844)
DESK = ViewportSize(width=1280, height=720)
PERIOD_S = 10


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApi]:
    """For those who only try: the process that answers them is started once."""
    with tuning_api(tmp_path_factory.mktemp("tuning")) as server:
        yield server


@pytest.fixture
def own_api(tmp_path: Path) -> Iterator[RunningApi]:
    """For those who change rules."""
    with tuning_api(tmp_path) as server:
        yield server


@contextlib.contextmanager
def tuning_api(folder: Path) -> Iterator[RunningApi]:
    """Run a server with a day of history, whose rules can be changed and back-tested."""
    with rule_api(folder) as server:
        history = server.services.history
        for batch in last_day(server):
            history.append(batch)
        history.commit()
        with running_backtests(server.database, history, folder / "backtests", server.clock) as backtests:
            server.services.backtests = backtests
            yield server


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


def last_day(api: RunningApi) -> Iterator[SampleBatch]:
    """Give a day: the bearing at 70 °C, thrice at 85 °C and twice at 78 °C for ten minutes; two drops at the seal.

    The live rule, beyond 80 °C, has three alarms.
    """
    second = np.arange(0, 86_400, PERIOD_S, dtype=np.int64)
    hour, minute = second // 3_600, second % 3_600 // 60
    warm, hot = np.isin(hour, (6, 12)), np.isin(hour, (3, 9, 15))
    bearing = np.asarray(70.0 + (minute < 10) * (8.0 * warm + 15.0 * hot), np.float64)
    drops = np.isin(hour, (5, 20)) & (second % 3_600 < 60)
    keys = {point.address: point.key for point in api.facility.points.values()}
    source_ns = START_NS - 86_400 * NS_PER_S + second * NS_PER_S
    for address, value in ((BEARING, bearing), (LEAK, drops.astype(np.float64))):
        key = np.full(len(second), keys[address], np.int32)
        yield SampleBatch(key, source_ns, source_ns + 5_000_000, value, np.zeros(len(second), np.uint8))


async def opened(
    browser: Browser, api: RunningApi, path: str = TUNE, role: Role = Role.ENGINEER, theme: Theme = "light"
) -> Page:
    page = await open_page(browser, api.address, theme)
    await log_in(page, role.value, PASSWORD)
    await page.goto(path)
    if role is not Role.TECHNICIAN:
        await expect(words(page)).to_be_visible(timeout=PATIENCE_MS)  # the first try starts a process
    return page


def words(page: Page) -> Locator:
    """What the newest try says."""
    return page.get_by_role("status").filter(has_text="Draft")


def high_limit(page: Page) -> Locator:
    return page.get_by_role("slider", name="High of Bearing", exact=True)


async def top_of(limit: Locator) -> float:
    """Return where a limit lies in the window, in pixels from its top."""
    box = await limit.bounding_box()
    assert box is not None
    return box["y"]


async def test_a_limit_is_moved_by_keyboard_and_the_alarms_it_would_have_raised_follow(
    api: RunningApi, browser: Browser
) -> None:
    page = await opened(browser, api)
    await expect(words(page)).to_have_text("Live 3 alarms, 0 missed by the draft · Draft 3 alarms, 0 new")
    slider = high_limit(page)
    await expect(slider).to_have_attribute("aria-valuenow", "80")
    await slider.focus()
    for _ in range(3):
        await page.keyboard.press("PageDown")
    await expect(slider).to_have_attribute("aria-valuenow", "74")
    await expect(words(page)).to_have_text("Live 3 alarms, 0 missed by the draft · Draft 5 alarms, 2 new")
    await expect(page.get_by_role("img", name="Draft 5 alarms, 2 new").locator(".lane-bar[data-alone]")).to_have_count(
        2
    )
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="Alarms per day"))
    await expect(row.get_by_role("cell")).to_have_text(["3", "5", "▲ +2"])
    await page.keyboard.press("End")  # a step below the very high limit
    await expect(words(page)).to_have_text("Live 3 alarms, 3 missed by the draft · Draft 0 alarms, 0 new")
    await page.get_by_role("button", name="As it is live").click()
    await expect(slider).to_have_attribute("aria-valuenow", "80")
    await expect(page.get_by_role("button", name="Send to review…")).to_be_disabled()


async def test_a_limit_is_dragged_and_sent_to_review_and_a_second_engineer_puts_it_live(
    own_api: RunningApi, browser: Browser
) -> None:
    page = await opened(browser, own_api)
    slider = high_limit(page)
    high, very_high = await top_of(slider), await top_of(page.get_by_role("slider", name="Very high of Bearing"))
    degree = (high - very_high) / (95 - 80)
    x = (await page.get_by_role("region", name="Trend of Bearing").bounding_box() or {"x": 0})["x"] + 200
    await page.mouse.move(x, high)
    await page.mouse.down()
    await page.mouse.move(x, high - 8 * degree, steps=4)
    await expect(words(page)).to_have_text("Live 3 alarms, 3 missed by the draft · Draft 0 alarms, 0 new")
    await page.mouse.move(x, high + 6 * degree, steps=4)
    await page.mouse.up()
    await expect(words(page)).to_contain_text("Draft 5 alarms, 2 new")
    limit = float(await slider.get_attribute("aria-valuenow") or "")
    assert limit == pytest.approx(74, abs=0.5)

    await page.get_by_role("button", name="Send to review…").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Why").fill("it is warm before it is hot")
    await dialog.get_by_role("button", name="Send to review").click()
    change = page.get_by_role("article", name="Change")
    await expect(change).to_contain_text(f"High 80 → {limit:g}\u202f°C")
    await expect(change.get_by_role("button", name="Approve")).to_be_disabled()
    answer = await asyncio.to_thread(lambda: reviewed(own_api, {"id": 1, "version": 1}))
    assert answer.status_code == 200, answer.text
    await expect(change.get_by_role("heading", level=2)).to_have_text("Change 1 · Live")
    rule = await asyncio.to_thread(get, own_api, f"/api/rules/{BEARING_HIGH}")
    assert rule["definition"]["condition"]["limits"]["high"]["value"] == limit


async def test_what_differs_is_shown_closely_without_a_change_of_the_figures(api: RunningApi, browser: Browser) -> None:
    page = await opened(browser, api)
    await page.get_by_role("textbox", name="High, °C", exact=True).fill("75")
    await page.get_by_role("button", name="Show new alarm of").first.click()
    await expect(page.get_by_role("button", name="Whole stretch")).to_be_enabled()
    await expect(words(page)).to_contain_text("Draft 5 alarms, 2 new")
    await page.get_by_role("button", name="Try on what is shown").click()
    await expect(words(page)).to_have_text("Live 0 alarms, 0 missed by the draft · Draft 1 alarm, 1 new")
    assert "from=20" in page.url
    await page.get_by_role("group", name="Stretch of history").get_by_role("button", name="1 d").click()
    await expect(words(page)).to_contain_text("Draft 5 alarms, 2 new")


async def test_a_state_is_tuned_by_its_fields_and_a_mistake_is_told(api: RunningApi, browser: Browser) -> None:
    page = await opened(browser, api, f"/rules/{SEAL_LEAK}/tune")
    await expect(words(page)).to_contain_text("Live 2 alarms")
    await expect(page.get_by_role("slider")).to_have_count(0)
    await page.get_by_label("Delay before it is raised, s").fill("90")
    await expect(words(page)).to_have_text("Live 2 alarms, 2 missed by the draft · Draft 0 alarms, 0 new")
    await page.get_by_label("Delay before it is raised, s").fill("soon")
    await expect(page.get_by_text("Write a number that is possible here.")).to_be_visible()
    await page.get_by_label("States").fill("leaks")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("leaks")
    await page.get_by_label("States").fill("leak")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_settings_are_suggested_for_a_target_and_taken(api: RunningApi, browser: Browser) -> None:
    page = await opened(browser, api)
    await page.get_by_label("Alarms per day, at most").fill("2")
    await page.get_by_role("button", name="Suggest").click()
    curve = page.get_by_role("table", name="What can be had")
    await expect(curve).to_be_visible(timeout=PATIENCE_MS)
    await curve.get_by_role("row").filter(has_text="proposed").get_by_role("button", name="Take it").click()
    await expect(page.get_by_role("button", name="Send to review…")).to_be_enabled()
    await expect(words(page)).not_to_contain_text("Draft 3 alarms")


def labels(page: Page) -> Locator:
    """What people know of the past."""
    return page.get_by_role("region", name="Labelled events")


async def drag_over(page: Page, from_h: float, to_h: float) -> None:
    """Drag over hours of the day above the trend."""
    lane = await page.get_by_role("img", name="labelled event").bounding_box()
    assert lane is not None
    y, hour = lane["y"] + lane["height"] / 2, lane["width"] / 24
    await page.mouse.move(lane["x"] + from_h * hour, y)
    await page.mouse.down()
    await page.mouse.move(lane["x"] + to_h * hour, y, steps=4)
    await page.mouse.up()


async def test_events_that_people_know_of_are_labelled_and_suggestions_lose_none(
    api: RunningApi, browser: Browser, tmp_path: Path
) -> None:
    page = await opened(browser, api)
    known = labels(page)
    await known.get_by_label("A live alarm").focus()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")  # the newest, at 15 h
    await expect(known.get_by_role("listitem").filter(has_text="10 min")).to_contain_text("told")
    await expect(words(page)).to_contain_text("Draft tells 1 of 1 labelled events")
    await drag_over(page, 5.5, 6.7)
    first = known.get_by_role("listitem").first
    await expect(first).to_contain_text("missed, also live")
    await expect(words(page)).to_contain_text("Draft tells 1 of 2 labelled events")
    await page.get_by_role("textbox", name="High, °C", exact=True).fill("75")
    await expect(first).to_contain_text("told only by the draft")

    await page.get_by_role("button", name="Suggest").click()
    suggestion = page.get_by_role("region", name="Suggestion")
    curve = suggestion.get_by_role("table", name="What can be had")
    await expect(curve).to_be_visible(timeout=PATIENCE_MS)
    await expect(suggestion.get_by_role("status")).to_contain_text("It tells 2 of 2 labelled events")
    await expect(curve.get_by_role("columnheader", name="Missed")).to_be_visible()
    await expect(curve.get_by_role("cell", name="1 of 2").first).to_be_visible()  # fewer alarms cost an event
    assert await violations(page) == []
    await picture(page, "tuning-labels", tmp_path)

    await page.reload()
    await expect(known.get_by_role("listitem")).to_have_count(2)
    await known.get_by_role("button", name="Remove labelled event of").first.click()
    await expect(known.get_by_role("listitem")).to_have_count(1)


async def test_a_period_is_labelled_by_its_times_and_back_tested(api: RunningApi, browser: Browser) -> None:
    page = await opened(browser, api)
    await labels(page).get_by_role("button", name="Another period…").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("From").fill("2027-01-15T04:00:00")  # 12 h, when it was 78 °C, at the site's clock
    await dialog.get_by_label("To").fill("2027-01-15T04:10:00")
    await dialog.get_by_role("button", name="Label it").click()
    await expect(labels(page).get_by_role("listitem")).to_contain_text("missed, also live")
    await page.get_by_role("textbox", name="High, °C", exact=True).fill("75")
    test = page.get_by_role("region", name="Back-test")
    await test.get_by_label("Over the last").select_option("7 days")
    await test.get_by_role("button", name="Back-test the draft").click()
    row = test.get_by_role("row").filter(has=page.get_by_role("rowheader", name="Labelled events missed"))
    await expect(row.get_by_role("cell")).to_have_text(["1", "0", re.compile("▼ .1")], timeout=PATIENCE_MS)


async def test_a_draft_is_back_tested_over_days_in_the_background(api: RunningApi, browser: Browser) -> None:
    page = await opened(browser, api)
    await page.get_by_role("textbox", name="High, °C", exact=True).fill("75")
    test = page.get_by_role("region", name="Back-test")
    await test.get_by_label("Over the last").select_option("7 days")
    await test.get_by_role("button", name="Back-test the draft").click()
    done = "Done: 8640 samples, 2 new alarms, 0 missed"
    await expect(test.get_by_role("status")).to_have_text(done, timeout=PATIENCE_MS)
    row = test.get_by_role("row").filter(has=page.get_by_role("rowheader", name="Alarms", exact=True))
    await expect(row.get_by_role("cell")).to_have_text(["3", "5", "▲ +2"])
    await page.get_by_role("textbox", name="High, °C", exact=True).fill("76")
    await expect(test).to_contain_text("The draft was changed since")


async def test_a_technician_looks_at_the_limits_and_moves_none(api: RunningApi, browser: Browser) -> None:
    page = await opened(browser, api, role=Role.TECHNICIAN)
    await expect(page.get_by_text("Only engineers and supervisors try drafts")).to_be_visible()
    await expect(page.get_by_role("textbox", name="High, °C", exact=True)).to_be_disabled()
    await expect(page.locator(".limit")).not_to_have_count(0)
    await expect(page.get_by_role("slider")).to_have_count(0)
    await expect(page.get_by_role("button", name="Send to review…")).to_have_count(0)


async def test_who_drafts_is_told_when_somebody_else_changes_the_rule(own_api: RunningApi, browser: Browser) -> None:
    page = await opened(browser, own_api)
    await page.get_by_role("textbox", name="High, °C", exact=True).fill("75")
    await asyncio.to_thread(lambda: reviewed(own_api, proposed(own_api, with_limit(own_api, 85.0))))
    await page.get_by_role("button", name="Start again").click()
    await expect(page.get_by_role("textbox", name="High, °C", exact=True)).to_have_value("85")


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_on_the_tuning_page(
    api: RunningApi, browser: Browser, tmp_path: Path, theme: Theme
) -> None:
    page = await opened(browser, api, theme=theme)
    await page.set_viewport_size(DESK)
    await page.get_by_role("textbox", name="High, °C", exact=True).fill("75")
    await page.get_by_role("textbox", name="Very high, °C", exact=True).fill("90")
    await expect(words(page)).to_contain_text("2 new")
    await page.get_by_role("button", name="Suggest").click()
    await expect(page.get_by_role("table", name="What can be had")).to_be_visible(timeout=PATIENCE_MS)
    assert await violations(page) == []
    await picture(page, f"tuning-{theme}", tmp_path)
    await page.get_by_role("textbox", name="High, °C", exact=True).fill("86")
    await expect(words(page)).to_contain_text("3 missed")
    await picture(page, f"tuning-missed-{theme}", tmp_path)
    await page.set_viewport_size(PHONE)
    assert await violations(page) == []
    await picture(page, f"tuning-phone-{theme}", tmp_path)
    await page.set_viewport_size(DESK)
    await page.get_by_role("button", name="中文").click()
    await expect(page.get_by_text("提交审核……")).to_be_visible()
    await picture(page, f"tuning-{theme}-zh", tmp_path)
