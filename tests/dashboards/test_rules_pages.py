"""The console's pages about rules and their changes, in real browsers of two engineers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, ViewportSize, expect

from people.model import Role
from tests.dashboards.browser import PATIENCE_MS, Theme, chromium, log_in, open_page, picture, violations
from tests.dashboards.rule_api import rule_api
from tests.dashboards.running_api import PASSWORD, RunningApi
from tests.dashboards.test_rules_api import failing_rule_added, proposed, reviewed, with_limit
from tests.facilities import BEARING_HIGH, SEAL_LEAK

RULE = f"/rules/{BEARING_HIGH}"
PHONE = ViewportSize(width=390, height=844)
DESK = ViewportSize(width=1280, height=720)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RunningApi]:
    with rule_api(tmp_path) as server:
        yield server


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


async def opened(browser: Browser, api: RunningApi, path: str, role: Role, theme: Theme = "light") -> Page:
    page = await open_page(browser, api.address, theme)
    await log_in(page, role.value, PASSWORD)
    await page.goto(path)
    return page


async def limit_proposed(api: RunningApi, limit: float = 85.0) -> None:
    """The engineer proposes to move the bearing's limit from 80 °C."""
    await asyncio.to_thread(lambda: proposed(api, with_limit(api, limit)))


async def limit_live(api: RunningApi, limit: float) -> None:
    """The engineer proposes another limit for the bearing, and the supervisor agrees."""
    await asyncio.to_thread(lambda: reviewed(api, proposed(api, with_limit(api, limit))))


def rule_of(page: Page) -> Locator:
    return page.get_by_role("article", name="Rule")


def change_of(page: Page) -> Locator:
    return page.get_by_role("article", name="Change")


async def answer_dialog(page: Page, label: str, words: str, button: str) -> None:
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label(label).fill(words)
    await dialog.get_by_role("button", name=button).click()


async def test_a_rule_is_found_by_its_text_and_says_what_it_is_held_against(api: RunningApi, browser: Browser) -> None:
    page = await opened(browser, api, "/alarms", Role.TECHNICIAN)
    await page.get_by_role("link", name="Rules").click()
    table = page.get_by_role("region", name="All rules")
    await expect(table.get_by_role("link")).to_have_count(4)
    await page.get_by_label("Search by asset, name or title").fill("bearing")
    await expect(table.get_by_role("link")).to_have_count(1)
    await table.get_by_role("link", name="bearing temperature high").click()
    rule = rule_of(page)
    await expect(rule.locator(".fact").filter(has_text="Very high")).to_contain_text("95\u202f°C")
    await expect(rule.locator(".fact").filter(has_text="Deadband")).to_contain_text("2\u202f°C")
    await expect(rule.locator(".fact").filter(has_text="min to respond")).to_contain_text("“Moderate” and 10 min")
    await expect(rule.get_by_role("button")).to_have_count(0)  # a technician looks


async def test_a_rule_is_switched_off_when_a_second_person_agrees(api: RunningApi, browser: Browser) -> None:
    page = await opened(browser, api, f"/rules/{SEAL_LEAK}", Role.ENGINEER)
    await rule_of(page).get_by_role("button", name="Switch off…").click()
    await answer_dialog(page, "Why", "the seal is gone", "Send to review")
    change = change_of(page)
    await expect(change.get_by_role("heading", level=2)).to_have_text("Change 1 · Waits for review")
    await expect(change.get_by_role("link", name="pump-1: seal leak")).to_be_visible()
    await expect(change).to_contain_text("switched off")
    await expect(change.get_by_role("button", name="Approve")).to_be_disabled()
    await expect(change).to_contain_text("You proposed this yourself: a second engineer must review it.")

    other = await opened(browser, api, "/rules", Role.SUPERVISOR)
    await other.get_by_role("link", name="Changes 1").click()
    await other.get_by_role("region", name="Changes").get_by_role("link", name="1", exact=True).click()
    await change_of(other).get_by_role("button", name="Approve").click()
    await answer_dialog(other, "Comment", "seen on site", "Approve")
    await expect(change_of(other).get_by_role("heading", level=2)).to_have_text("Change 1 · Live")
    await expect(change_of(other)).to_contain_text("Approved · Supervisor")
    # The author hears of it without asking.
    await expect(change.get_by_role("heading", level=2)).to_have_text("Change 1 · Live")
    await page.goto(f"/rules/{SEAL_LEAK}")
    await expect(rule_of(page).get_by_role("button", name="Switch on again…")).to_be_visible()


async def test_a_change_shows_what_it_moves_and_is_rejected_with_a_reason(api: RunningApi, browser: Browser) -> None:
    await limit_proposed(api)
    page = await opened(browser, api, RULE, Role.SUPERVISOR)
    await rule_of(page).get_by_role("link", name="it runs hot in summer").click()
    change = change_of(page)
    await expect(change.get_by_role("listitem").filter(has_text="High 80 → 85\u202f°C")).to_be_visible()
    await change.get_by_role("button", name="Reject").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Reject").click()
    await expect(dialog).to_be_visible()  # a comment is asked for
    await answer_dialog(page, "Comment", "grease it instead", "Reject")
    await expect(change.get_by_role("heading", level=2)).to_have_text("Change 1 · Rejected")
    await expect(page.get_by_text("No change waits for a review.")).to_be_visible()


async def test_a_proposal_is_withdrawn_by_its_author(api: RunningApi, browser: Browser) -> None:
    await limit_proposed(api)
    page = await opened(browser, api, "/rule-changes/1", Role.ENGINEER)
    await change_of(page).get_by_role("button", name="Withdraw").click()
    await page.get_by_role("dialog").get_by_role("button", name="Withdraw").click()
    await expect(change_of(page).get_by_role("heading", level=2)).to_have_text("Change 1 · Withdrawn")


async def test_a_review_that_comes_second_says_so(api: RunningApi, browser: Browser) -> None:
    await limit_proposed(api)
    page = await opened(browser, api, "/rule-changes/1", Role.SUPERVISOR)
    await change_of(page).get_by_role("button", name="Approve").click()
    change = {"id": 1, "version": 1}
    await asyncio.to_thread(lambda: reviewed(api, change, "reject"))
    await expect(change_of(page).get_by_role("heading", level=2)).to_have_text("Change 1 · Rejected")
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_an_earlier_revision_is_live_again_at_once(api: RunningApi, browser: Browser) -> None:
    await limit_live(api, 85.0)
    await limit_live(api, 90.0)
    page = await opened(browser, api, RULE, Role.ENGINEER)
    rule = rule_of(page)
    await expect(rule.get_by_role("button", name="Roll back")).to_have_count(2)
    first = rule.get_by_role("listitem").filter(has_text="The rule as it was first written")
    await expect(first).to_contain_text("Revision 1 · site file · test")
    await first.get_by_role("button", name="Roll back").click()
    await answer_dialog(page, "Why", "too many missed", "Roll back")
    await expect(rule.locator(".fact").filter(has_text="High80")).to_be_visible()
    await expect(rule.get_by_role("listitem").first).to_contain_text("Revision 4 · rolled back · Engineer")


async def test_nobody_misses_a_rule_that_failed(
    api: RunningApi, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await opened(browser, api, "/alarms", Role.OPERATOR)
    notice = page.get_by_role("status").filter(has_text="Not watched")
    await expect(page.get_by_role("grid")).to_be_visible()
    await expect(notice).to_have_count(0)
    rule_id = await asyncio.to_thread(failing_rule_added, api, monkeypatch)
    told = "bearing warms up. Keep an eye on it yourself and tell an engineer."
    await expect(notice).to_contain_text(told, timeout=PATIENCE_MS)  # the console asks now and then
    assert await violations(page) == []
    await picture(page, "isolated-alarms", tmp_path)

    await notice.get_by_role("link", name="bearing warms up").click()
    await expect(page).to_have_url(re.compile(rf"/rules/{rule_id}$"))
    await expect(rule_of(page)).to_contain_text("ZeroDivisionError: by nothing")
    table = page.get_by_role("region", name="All rules")
    marked = table.get_by_role("row").filter(has_text="Not watched")
    await expect(marked).to_have_count(1)
    await expect(marked).to_contain_text("bearing_warms_up")
    await page.get_by_role("button", name="Not watched (1)").click()
    await expect(table.get_by_role("link")).to_have_count(1)
    assert await violations(page) == []
    await picture(page, "isolated-rule", tmp_path)
    await page.set_viewport_size(PHONE)
    await picture(page, "isolated-phone", tmp_path)
    await page.get_by_role("button", name="中文").click()
    await expect(page.get_by_role("status").filter(has_text="未监视")).to_contain_text("轴承升温。请自行留意")

    monkeypatch.undo()
    await limit_live(api, 85.0)  # with any change all rules are loaded again
    await expect(page.get_by_text("未监视", exact=True)).to_have_count(0, timeout=PATIENCE_MS)


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_on_the_pages_of_rules(
    api: RunningApi, browser: Browser, tmp_path: Path, theme: Theme
) -> None:
    await limit_live(api, 85.0)
    await limit_proposed(api, 88.0)
    page = await opened(browser, api, RULE, Role.ENGINEER, theme)
    await page.set_viewport_size(DESK)
    await expect(rule_of(page)).to_contain_text("Waiting for review")
    assert await violations(page) == []
    await picture(page, f"rules-{theme}", tmp_path)
    await page.goto("/rule-changes/2")
    await expect(change_of(page)).to_contain_text("High 85 → 88\u202f°C")
    assert await violations(page) == []
    await picture(page, f"rule-change-{theme}", tmp_path)
    await page.set_viewport_size(PHONE)
    await picture(page, f"rule-change-phone-{theme}", tmp_path)
    await page.goto(RULE)
    await expect(rule_of(page)).to_contain_text("Waiting for review")
    assert await violations(page) == []
    await picture(page, f"rule-phone-{theme}", tmp_path)
    await page.set_viewport_size(DESK)
    await page.get_by_role("button", name="中文").click()
    await expect(page.get_by_text("等待审核").first).to_be_visible()
    await expect(page.get_by_text("高 80 → 85\u202f°C", exact=True)).to_be_visible()
    await picture(page, f"rules-{theme}-zh", tmp_path)
