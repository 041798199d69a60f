"""The console's trend page in a real browser, over Harbour Tower with a month behind it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, Route, expect

from facility.clock import NS_PER_S
from people.model import Role
from tests.dashboards.browser import Theme, chromium, log_in, open_page, picture, violations
from tests.dashboards.running_api import PASSWORD, START_NS, RunningApi, running_api
from tests.dashboards.tower_past import (
    BAD_S,
    BEARING,
    FLOW,
    OTHER_BEARING,
    PRESSURE,
    RUNNING,
    SILENT_S,
    UNCERTAIN_S,
    harbour_tower,
    live_through_a_month,
)

HOUR = f"/trend?points={BEARING}&from=now-3600&to=now"
LINE_INK = (0x1B, 0x1F, 0x23)
"""Of the first line in the light theme."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApi]:
    """Run one server for all tests: they look, and what they change lies in their own browser."""
    with running_api(tmp_path_factory.mktemp("tower"), facility=harbour_tower()) as server:
        live_through_a_month(server)
        yield server


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


async def open_trend(browser: Browser, api: RunningApi, path: str = HOUR, theme: Theme = "light") -> Page:
    """Open the page as an operator and wait until its lines are there."""
    page = await open_page(browser, api.address, theme)
    await page.set_viewport_size({"width": 1280, "height": 720})
    await log_in(page, Role.OPERATOR.value, PASSWORD)
    await page.goto(path)
    await expect(value_of(page, 0)).not_to_have_text("—")
    return page


def instant(seconds: float) -> str:
    """Write seconds from now as the address does."""
    at = datetime.fromtimestamp(START_NS / NS_PER_S + seconds, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def between(from_s: float, to_s: float, *points: str) -> str:
    return f"/trend?points={','.join(points or [BEARING])}&from={instant(from_s)}&to={instant(to_s)}"


def row(page: Page, line: int) -> Locator:
    return page.get_by_role("region", name="Values").locator("tbody tr").nth(line)


def value_of(page: Page, line: int) -> Locator:
    return row(page, line).get_by_role("cell").nth(2)


def surface(page: Page) -> Locator:
    return page.locator(".trend-surface")


async def point_at(page: Page, share: float) -> None:
    """Hold the pointer over the plot, so far from its left edge to its right."""
    box = await surface(page).bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)


async def dark_pixels(page: Page, share: float) -> int:
    """Count the pixels of the first line's ink in one column of the plot."""
    count: int = await page.evaluate(
        """([share, ink]) => {
            const canvas = document.querySelector(".trend-place canvas");
            const surface = document.querySelector(".trend-surface").getBoundingClientRect();
            const place = canvas.getBoundingClientRect();
            const ratio = canvas.width / place.width;
            const x = Math.round((surface.left - place.left + surface.width * share) * ratio);
            const top = Math.ceil((surface.top - place.top) * ratio);
            const { data } = canvas.getContext("2d").getImageData(x, top, 1, Math.floor(surface.height * ratio));
            const isInk = (at) => data[at + 3] > 200 && ink.every((part, i) => Math.abs(data[at + i] - part) < 24);
            let count = 0;
            for (let at = 0; at < data.length; at += 4) if (isInk(at)) count += 1;
            return count;
        }""",
        [share, LINE_INK],
    )
    return count


async def span_s(page: Page) -> float:
    """Return how much time the address shows."""
    found = re.search(r"from=now-([\d.]+)&", page.url)
    if found:
        return float(found[1])
    ends = re.findall(r"(?:from|to)=([^&]+)", page.url)
    start, end = (datetime.fromisoformat(text) for text in ends)
    return (end - start).total_seconds()


async def test_the_value_and_its_quality_under_the_pointer_stand_in_the_legend(
    api: RunningApi, browser: Browser
) -> None:
    page = await open_trend(browser, api, between(-3_600, -60))
    span = 3_540
    for stretch, quality in ((BAD_S, "bad"), (SILENT_S, "no sample came"), (UNCERTAIN_S, "uncertain")):
        await point_at(page, (sum(stretch) / 2 + 3_600) / span)
        await expect(row(page, 0).get_by_role("cell").nth(5)).to_have_text(quality)
    await point_at(page, (3_600 - 3_000) / span)
    await expect(row(page, 0).get_by_role("cell").nth(5)).to_have_text("good")
    await expect(value_of(page, 0)).to_have_text(re.compile(r"8[3-6]\.\d"))
    await expect(row(page, 0).get_by_role("cell").nth(3)).to_have_text("°C")


async def test_no_line_is_drawn_across_bad_samples_or_silence(api: RunningApi, browser: Browser) -> None:
    page = await open_trend(browser, api, between(-3_600, -60))
    await page.wait_for_load_state("networkidle")
    for stretch in (BAD_S, SILENT_S):
        assert await dark_pixels(page, (sum(stretch) / 2 + 3_600) / 3_540) == 0
    for second in (-3_500, -1_800, -1_000):
        assert await dark_pixels(page, (second + 3_600) / 3_540) > 0


async def test_points_of_one_unit_share_an_axis_and_a_state_that_has_not_changed_still_holds(
    api: RunningApi, browser: Browser
) -> None:
    points = f"{BEARING},{FLOW},{PRESSURE},{OTHER_BEARING},{RUNNING}"
    page = await open_trend(browser, api, f"/trend?points={points}&from=now-3600&to=now")
    await expect(page.get_by_role("region", name="Values").locator("tbody tr")).to_have_count(5)
    units = [await row(page, line).get_by_role("cell").nth(3).inner_text() for line in range(5)]
    assert units == ["°C", "m³/h", "bar", "°C", ""]
    await expect(page.locator(".trend-place .u-axis")).to_have_count(5)  # the time, three units and the states
    await expect(value_of(page, 4)).to_have_text("Stopped")


async def test_arrows_pan_and_pause_and_the_live_button_follows_again(api: RunningApi, browser: Browser) -> None:
    page = await open_trend(browser, api)
    live = page.get_by_role("button", name="Live", exact=True)
    await expect(live).to_have_attribute("aria-pressed", "true")
    await page.get_by_role("region", name="Trend of").focus()
    await page.keyboard.press("ArrowLeft")
    await expect(live).to_have_attribute("aria-pressed", "false")
    await expect(page).to_have_url(re.compile(r"to=2027-01-15T07:5\d"))
    await page.keyboard.press("+")
    await expect(page).to_have_url(re.compile(r"from=2027-01-15T07:0\d"))
    await page.reload()
    await expect(live).to_have_attribute("aria-pressed", "false")
    assert await span_s(page) == pytest.approx(2_400, abs=1)
    await live.click()
    await expect(page).to_have_url(re.compile(r"from=now-2400&to=now"))


async def test_the_wheel_zooms_a_drag_pans_and_a_drag_with_shift_selects(api: RunningApi, browser: Browser) -> None:
    page = await open_trend(browser, api, between(-3_600, -600))
    await point_at(page, 0.5)
    await page.mouse.wheel(0, -400)
    await expect(page).not_to_have_url(re.compile(re.escape(instant(-600))))
    zoomed = await span_s(page)
    assert zoomed < 2_000
    before = page.url
    await point_at(page, 0.5)
    await page.mouse.down()
    await point_at(page, 0.8)
    await page.mouse.up()
    await expect(page).not_to_have_url(before)
    assert await span_s(page) == pytest.approx(zoomed, abs=1)
    await page.keyboard.down("Shift")
    await point_at(page, 0.25)
    await page.mouse.down()
    await point_at(page, 0.75)
    before = page.url
    await page.mouse.up()
    await page.keyboard.up("Shift")
    await expect(page).not_to_have_url(before)
    assert await span_s(page) == pytest.approx(zoomed / 2, rel=0.02)


async def test_back_returns_to_what_was_shown_before(api: RunningApi, browser: Browser) -> None:
    page = await open_trend(browser, api)
    await page.get_by_role("button", name="Earlier").click()
    await expect(page).to_have_url(re.compile("to=2027"))
    await page.get_by_role("button", name="30 d").click()
    await expect(page).to_have_url(re.compile("from=now-2592000"))
    await page.get_by_role("button", name="Back to").click()
    await expect(page).to_have_url(re.compile("to=2027"))
    await page.get_by_role("button", name="Back to").click()
    await expect(page).to_have_url(re.compile("from=now-3600&to=now"))


async def test_a_live_sample_arrives_without_asking(api: RunningApi, browser: Browser) -> None:
    page = await open_trend(browser, api, f"/trend?points={OTHER_BEARING}&from=now-900&to=now")
    await asyncio.to_thread(api.samples, (OTHER_BEARING, 71.25))
    await expect(value_of(page, 0)).to_have_text("71.3")
    await expect(page).to_have_url(re.compile("from=now-900&to=now"))


async def test_a_history_that_does_not_answer_is_told_and_asked_again(api: RunningApi, browser: Browser) -> None:
    page = await open_trend(browser, api)

    async def refuse(route: Route) -> None:
        await route.abort()

    await page.route("**/buckets*", refuse)
    await page.get_by_role("button", name="30 d").click()
    notice = page.get_by_role("alert").filter(has_text="Could not be loaded")
    await expect(notice).to_be_visible()
    await expect(value_of(page, 0)).not_to_have_text("—")
    await page.unroute("**/buckets*")
    await notice.get_by_role("button", name="Try again").click()
    await expect(notice).to_have_count(0)
    await point_at(page, 0.3)
    await expect(value_of(page, 0)).to_have_text(re.compile(r"\d\d\.\d"))


async def test_alarms_and_orders_stand_above_the_plot_and_open(api: RunningApi, browser: Browser) -> None:
    page = await open_trend(browser, api)
    marks = page.get_by_role("toolbar", name="Alarms and work orders")
    standing = marks.get_by_role("button", name=re.compile("Priority 3.*still standing"))
    await expect(standing).to_be_visible()
    await expect(marks.get_by_role("button", name=re.compile("Priority 2.*Vibration high"))).to_be_visible()
    await standing.click()
    detail = page.get_by_role("complementary", name="Alarm detail")
    await expect(detail.get_by_role("heading", level=2)).to_have_text("Bearing temperature high")
    await expect(page).to_have_url(re.compile(r"alarm=\d+"))
    await detail.get_by_role("button", name="Close").click()
    await expect(detail).to_have_count(0)
    await marks.get_by_role("button", name=re.compile("WO-")).click()
    await expect(page).to_have_url(re.compile("/work-orders/"))


async def test_a_crowd_of_alarms_comes_apart_when_it_is_looked_at_closely(api: RunningApi, browser: Browser) -> None:
    page = await open_trend(browser, api, f"/trend?points={BEARING}&from=now-2592000&to=now")
    marks = page.get_by_role("toolbar", name="Alarms and work orders")
    crowd = marks.locator(".alarm-bar").filter(has_text=re.compile("[2-9]$")).first
    await crowd.click()
    await expect(page).to_have_url(re.compile("from=2027-01-09"))
    await expect(marks.locator(".alarm-bar")).to_have_count(6)


async def test_an_alarms_drawer_and_an_assets_points_lead_to_their_trend(api: RunningApi, browser: Browser) -> None:
    page = await open_trend(browser, api)
    await page.goto("/alarms/9")
    await page.get_by_role("link", name="Trend around this alarm").click()
    await expect(page).to_have_url(re.compile(rf"points={BEARING}&.*alarm=9"))
    await expect(page.locator(".trend-panel .limit-label")).to_have_text(["P3 ↑ 80", "P2 ↑ 95"])
    await page.goto("/equipment/pump-1")
    await page.get_by_role("link", name="Trend of Flow").click()
    await expect(page).to_have_url(re.compile(f"points={FLOW}&from=now-3600"))
    await page.get_by_role("link", name="Trend", exact=True).click()
    await expect(page.get_by_text("Choose up to 8 points")).to_be_visible()


async def test_points_are_found_put_in_and_taken_out_by_keyboard(api: RunningApi, browser: Browser) -> None:
    page = await open_trend(browser, api)
    await page.keyboard.press("/")
    await page.keyboard.type("chilled flow")
    await expect(page.get_by_role("option")).to_have_count(1)
    await page.keyboard.press("Enter")
    await expect(row(page, 1)).to_contain_text("Flow")
    await expect(page.get_by_role("option")).to_have_attribute("aria-selected", "true")
    await page.keyboard.press("Enter")
    await expect(row(page, 1)).to_have_count(0)
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("listbox")).to_have_count(0)
    await page.get_by_role("button", name="Take Chilled-water pump Bearing temperature out").click()
    await expect(page.get_by_text("Choose up to 8 points")).to_be_visible()


async def test_a_ninth_point_is_not_put_in(api: RunningApi, browser: Browser) -> None:
    names = ("speed", "flow", "inlet_pressure", "outlet_pressure", "motor_current", "motor_power", "vibration")
    points = ",".join([BEARING, *(f"pump-1/{name}" for name in names)])
    page = await open_trend(browser, api, f"/trend?points={points}&from=now-3600&to=now")
    await page.get_by_role("combobox").fill("starts")
    await expect(page.get_by_text("8 points are shown")).to_be_visible()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("region", name="Values").locator("tbody tr")).to_have_count(8)


async def test_a_guide_line_is_moved_by_keys_and_by_hand_and_stays_in_the_address(
    api: RunningApi, browser: Browser
) -> None:
    page = await open_trend(browser, api)
    await page.get_by_role("button", name="Guide line").click()
    guide = page.get_by_role("slider", name="Guide line")
    await expect(guide).to_be_visible()
    start = float(await guide.get_attribute("aria-valuenow") or "nan")
    await guide.focus()
    await page.keyboard.press("ArrowUp")
    step = float(await guide.get_attribute("aria-valuenow") or "nan") - start
    assert step > 0
    await page.keyboard.press("PageUp")
    await expect(guide).to_have_attribute("aria-valuenow", f"{start + 11 * step:g}")
    await expect(guide).to_have_attribute("aria-valuetext", re.compile("°C"))
    await expect(page).to_have_url(re.compile(f"guide={start + 11 * step:g}"))

    box = await guide.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + 200, box["y"])
    await page.mouse.down()
    await page.mouse.move(box["x"] + 200, box["y"] + 60, steps=4)
    moved = float(await guide.get_attribute("aria-valuenow") or "nan")
    assert moved < start + 11 * step
    await page.mouse.up()
    await expect(page).to_have_url(re.compile(f"guide={moved:g}$"))
    await page.reload()
    await expect(guide).to_have_attribute("aria-valuenow", f"{moved:g}")
    await page.get_by_role("button", name="Guide line").click()
    await expect(guide).to_have_count(0)


async def test_an_own_range_is_asked_for_by_the_sites_clock(api: RunningApi, browser: Browser) -> None:
    page = await open_trend(browser, api)
    await page.get_by_role("button", name="Own…").click()
    await page.get_by_label("From", exact=True).fill("2027-01-14T00:00:00")
    await page.get_by_label("To", exact=True).fill("2027-01-13T00:00:00")
    await expect(page.get_by_text("The end must come after")).to_be_visible()
    await page.get_by_label("To", exact=True).fill("2027-01-15T00:00:00")
    assert await violations(page) == []
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(page).to_have_url(re.compile("from=2027-01-13T16:00:00.000Z&to=2027-01-14T16:00:00.000Z"))


async def test_an_unknown_point_is_told_and_the_others_are_shown(api: RunningApi, browser: Browser) -> None:
    page = await open_trend(browser, api, f"/trend?points={BEARING},pump-99/flow&from=now-3600&to=now")
    await expect(page.get_by_role("alert")).to_contain_text("pump-99/flow")


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_whatever_is_shown(
    api: RunningApi, browser: Browser, tmp_path: Path, theme: Theme
) -> None:
    points = f"{BEARING},{FLOW},{RUNNING}"
    page = await open_trend(browser, api, f"/trend?points={points}&from=now-3600&to=now&guide=70", theme)
    await expect(page.get_by_role("slider")).to_be_visible()
    assert await violations(page) == []
    await picture(page, f"trend-{theme}-en", tmp_path)
    await page.get_by_role("combobox").click()
    await expect(page.get_by_role("option").first).to_be_visible()
    assert await violations(page) == []
    await page.goto("/trend?points=pump-3/flow&from=now-3600&to=now")
    await expect(page.get_by_text("No sample in this stretch.")).to_be_visible()
    assert await violations(page) == []
    await page.goto(f"/trend?points={points}&from=now-604800&to=now&alarm=9")
    await page.get_by_role("button", name="中文").click()
    await expect(page.get_by_role("heading", name="轴承温度高").first).to_be_visible()
    assert await violations(page) == []
    await picture(page, f"trend-{theme}-zh", tmp_path)


async def test_it_fits_a_phone(api: RunningApi, browser: Browser, tmp_path: Path) -> None:
    page = await open_trend(browser, api, f"/trend?points={BEARING},{FLOW}&from=now-3600&to=now")
    await page.set_viewport_size({"width": 390, "height": 844})
    await expect(page.get_by_role("region", name="Values")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth - window.innerWidth") == 0
    box = await surface(page).bounding_box()
    assert box is not None
    assert box["width"] > 250
    assert await violations(page) == []
    await picture(page, "trend-phone", tmp_path)
