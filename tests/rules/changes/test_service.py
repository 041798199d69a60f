"""Changes of rules in a real database: proposed by one person, reviewed by another, live together or not at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from facility import site_export
from facility.errors import (
    ConfigurationError,
    ForbiddenError,
    InvalidCommandError,
    NotFoundError,
    StaleCommandError,
    WatchkeeperError,
)
from facility.storage.database import reading
from facility.storage.outbox import Topic, announcements_after
from facility.storage.repository import load_description
from people.journal import journal_of
from rules.changes import repository
from rules.changes.differences import Units, differences, in_words
from rules.changes.lifecycle import ChangeState
from rules.changes.model import Wanted
from tests.rules.changes.house import BOTH, CLASS_LIMIT, OFF, House, definition, limit_of, site_text

FIRST, SECOND, ADDED = "pump-1/vibration_high", "pump-2/vibration_high", "pump-1/vibration_very_high"


@pytest.fixture
def house(database: Engine) -> House:
    return House(database)


def transitions(house: House, change_id: int) -> list[tuple[str, str, str | None]]:
    with reading(house.database) as connection:
        lines = journal_of(connection, Topic.RULE_CHANGE, change_id)
    return [(line.transition, line.actor, line.comment) for line in lines]


def test_all_revisions_of_an_approved_change_are_live_with_author_reason_reviewer_and_difference(house: House) -> None:
    change = house.propose("ada", house.wanted(FIRST, 5.0), house.wanted(SECOND, None), house.wanted(ADDED, 6.0))
    assert (change.state, change.size, change.author) == (ChangeState.PROPOSED, 3, "Ada")
    assert house.facility == house.loaded()  # nothing is different yet
    decided = house.approve("bo", change)
    assert (decided.change.state, decided.change.reviewer) == (ChangeState.LIVE, "Bo")
    assert [limit_of(rule.now) for rule in decided.rules] == [5.0, None, 6.0]
    assert house.facility == house.loaded()
    assert transitions(house, change.id) == [
        ("proposed", "Ada", "it shakes"),
        ("approved", "Bo", "looked at the trend"),
    ]
    with reading(house.database) as connection:
        [revision] = repository.history_of_rule(connection, house.live(FIRST).rule_id)
        told = {(item.topic, item.entity_id) for item in announcements_after(connection, 0)}
    [difference] = differences(revision.before, revision.definition)
    assert in_words(difference, Units("mm/s", "mm/s")) == "high 4.5 → 5 mm/s"
    assert told == {(Topic.RULE_CHANGE, change.id)}


def test_nobody_approves_or_rejects_their_own_change_and_only_they_withdraw_it(house: House) -> None:
    change = house.propose("ada", house.wanted(FIRST, 5.0))
    for step in (house.approve, house.reject):
        with pytest.raises(ForbiddenError, match="second engineer"):
            step("ada", change)
    with pytest.raises(ForbiddenError, match="Ada's"):
        house.withdraw("bo", change)
    assert house.withdraw("ada", change).state is ChangeState.WITHDRAWN
    with pytest.raises(StaleCommandError, match="withdrawn by Ada"):
        house.approve("bo", change)
    assert limit_of(house.live(FIRST).now) == CLASS_LIMIT


def test_a_change_that_is_rejected_changes_nothing(house: House) -> None:
    change = house.propose("ada", house.wanted(FIRST, 5.0))
    assert house.reject("bo", change).state is ChangeState.REJECTED
    assert house.live(FIRST).revision == 1
    with pytest.raises(StaleCommandError, match="rejected by Bo"):
        house.withdraw("ada", change)


def test_a_rule_that_somebody_else_changed_meanwhile_refuses_the_whole_change_and_names_who(house: House) -> None:
    slow = house.propose("ada", house.wanted(FIRST, 5.0), house.wanted(SECOND, 5.0))
    house.approve("cy", house.propose("bo", house.wanted(SECOND, 6.0), reason="new bearings"))
    with pytest.raises(StaleCommandError, match=r"pump-2/vibration_high.*Bo's change 2 \(new bearings\)"):
        house.approve("cy", slow)
    assert limit_of(house.live(FIRST).now) == CLASS_LIMIT
    assert limit_of(house.live(SECOND).now) == 6.0
    with pytest.raises(StaleCommandError, match="is now revision 2, not 1"):
        house.propose("ada", house.wanted(SECOND, 5.0, base=1))


def test_two_who_add_the_same_rule_do_not_both_add_it(house: House) -> None:
    first, second = (house.propose(person, house.wanted(ADDED, 6.0)) for person in ("ada", "bo"))
    house.approve("cy", first)
    with pytest.raises(StaleCommandError, match="is now revision 1, not 0"):
        house.approve("cy", second)


def test_every_mistake_is_told_with_its_rule_and_place_and_nothing_is_written(house: House) -> None:
    low = definition(8.0)
    typo = {**definition(), "pont": "flow"}
    no_point = {**definition(), "point": "vibratoin"}
    wanted = [
        Wanted(asset_id="pump-1", name="vibration_high", base=1, definition=low),
        Wanted(asset_id="pump-2", name="vibration_high", base=1, definition=typo),
        Wanted(asset_id="pump-1", name="new_one", base=0, definition=no_point),
        Wanted(asset_id="pump-9", name="new_one", base=0, definition=definition()),
        Wanted(asset_id="pump-1", name="dry_run", base=1, definition={"name": "dry_run", **definition()}),
        Wanted(asset_id="pump-2", name="New One", base=0, definition=definition()),
    ]
    with pytest.raises(ConfigurationError) as caught:
        house.propose("ada", *wanted)
    told = {(each.file, each.message.split(";")[0]) for each in caught.value.mistakes}
    assert told == {
        ("pump-1/vibration_high", "condition.limits.high_high: high_high 7.1 mm/s must lie above high 8 mm/s"),
        ("pump-2/vibration_high", "pont: 'pont' is not known here"),
        ("pump-1/new_one", "point: pump has no point 'vibratoin'"),
        ("pump-9/new_one", "there is no asset 'pump-9'"),
        ("pump-1/dry_run", "name: the name is 'dry_run' already"),
        ("pump-2/New One", "'New One' is no name of a rule"),
    }
    with reading(house.database) as connection:
        assert repository.change_page(connection, state=None, limit=10, offset=0) == ([], 0)


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ({"devices": "pmup"}, "there is no class 'pmup'; did you mean 'pump'?"),
        ({"device_point": "runing"}, "pump has no point 'runing'; did you mean 'running'?"),
        ({"states": ["spinning"]}, "running has no state 'spinning'; "),
    ],
)
def test_a_coincidence_counts_devices_that_the_site_has(house: House, devices: dict[str, object], message: str) -> None:
    condition = {"type": "coincidence", "devices": "pump", "device_point": "running", "states": ["running"], "count": 2}
    wanted = Wanted(
        asset_id="pump-1", name="both_run", base=0, definition={**definition(), "condition": {**condition, **devices}}
    )
    with pytest.raises(ConfigurationError) as caught:
        house.propose("ada", wanted)
    assert [mistake.message for mistake in caught.value.mistakes if message in mistake.message]


def test_a_life_safety_rule_does_not_watch_what_people_command(house: House) -> None:
    commanded = site_text(BOTH).replace("address: {unit: 1}", "address: {unit: 1}, commands: [speed_setpoint]")
    house.import_site(commanded)
    deadly = {**definition(900.0), "point": "speed_setpoint", "life_safety": True}
    deadly["condition"] = {"type": "threshold", "limits": {"high": {"value": 900.0}}}
    with pytest.raises(ConfigurationError, match="take it out of the asset's 'commands'"):
        house.propose("ada", Wanted(asset_id="pump-1", name="too_fast", base=0, definition=deadly))


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        (lambda _: [], InvalidCommandError),
        (lambda house: [house.wanted(FIRST, 5.0), house.wanted(FIRST, 5.5)], InvalidCommandError),
        (lambda house: [house.wanted(FIRST, CLASS_LIMIT)], ConfigurationError),
        (lambda house: [house.wanted(ADDED, None)], ConfigurationError),
        (lambda _: [Wanted(rule_id=99_999, base=1, definition=definition())], NotFoundError),
        (lambda house: [house.wanted(ADDED, 6.0, base=3)], StaleCommandError),
    ],
)
def test_what_makes_no_sense_is_refused(
    house: House, wanted: Callable[[House], list[Wanted]], error: type[WatchkeeperError]
) -> None:
    with pytest.raises(error):
        house.propose("ada", *wanted(house))


def test_reasons_and_comments_are_wanted(house: House) -> None:
    with pytest.raises(InvalidCommandError, match="reason"):
        house.propose("ada", house.wanted(FIRST, 5.0), reason=" ")
    with pytest.raises(InvalidCommandError, match="comment"):
        house.approve("bo", house.propose("ada", house.wanted(FIRST, 5.0)), comment=" ")


def test_an_earlier_revision_is_live_again_in_one_step_as_a_new_revision(house: House) -> None:
    change = house.approve("bo", house.propose("ada", house.wanted(FIRST, 5.0))).change
    back = house.roll_back("ada", FIRST, to=1)
    assert (limit_of(back.rules[0].now), back.rules[0].revision) == (CLASS_LIMIT, 3)
    assert transitions(house, back.change.id) == [("rolled_back", "Ada", "it was better")]
    assert transitions(house, change.id)[-1] == ("superseded", "Ada", f"by change {back.change.id}")
    with reading(house.database) as connection:
        history = repository.history_of_rule(connection, back.rules[0].rule_id)
        assert repository.change(connection, change.id).state is ChangeState.SUPERSEDED
    assert [(each.number, each.restores) for each in history] == [(2, None), (3, 1)]
    assert limit_of(house.roll_back("bo", FIRST, to=2).rules[0].now) == 5.0
    with pytest.raises(InvalidCommandError, match="is as its revision 2 already"):
        house.roll_back("bo", FIRST, to=2)
    with pytest.raises(NotFoundError, match="never had a revision 9"):
        house.roll_back("bo", FIRST, to=9)
    with pytest.raises(StaleCommandError):
        house.roll_back("bo", FIRST, to=1, base=2)


def test_a_change_stands_until_the_last_of_its_rules_is_decided_about_again(house: House) -> None:
    change = house.approve("bo", house.propose("ada", house.wanted(FIRST, 5.0), house.wanted(SECOND, 5.0))).change
    house.roll_back("bo", FIRST, to=1)
    with reading(house.database) as connection:
        assert repository.change(connection, change.id).state is ChangeState.LIVE
    house.roll_back("bo", SECOND, to=1)
    with reading(house.database) as connection:
        assert repository.change(connection, change.id).state is ChangeState.SUPERSEDED


def test_the_same_site_file_at_every_start_undoes_no_reviewed_change(house: House) -> None:
    wanted = house.wanted(FIRST, 5.0), house.wanted(SECOND, None), house.wanted(ADDED, 6.0)
    house.approve("bo", house.propose("ada", *wanted))
    before = house.facility
    assert house.import_site(site_text(BOTH)) is None
    assert house.facility == before


def test_a_file_that_changed_a_rule_is_the_latest_decision_and_stands_in_its_history(house: House) -> None:
    house.approve("bo", house.propose("ada", house.wanted(FIRST, 5.0), house.wanted(SECOND, None)))
    change = house.import_site(site_text({"pump-1": 5.5, "pump-2": None}), author="cy", reason="new bearings")
    assert change is not None
    assert (change.author, change.reason, change.size) == ("Cy", "new bearings", 1)
    assert limit_of(house.live(FIRST).now) == 5.5
    assert not house.live(SECOND).is_on
    assert limit_of(house.roll_back("bo", FIRST, to=2).rules[0].now) == 5.0
    assert house.import_site(site_text({"pump-1": 5.5, "pump-2": None})) is None
    assert limit_of(house.live(FIRST).now) == 5.0


def test_a_file_that_caught_up_with_a_reviewed_change_is_no_decision_and_is_followed_again(house: House) -> None:
    house.approve("bo", house.propose("ada", house.wanted(FIRST, 5.0), house.wanted(SECOND, None)))
    assert house.import_site(site_text({"pump-1": 5.0, "pump-2": OFF})) is None
    change = house.import_site(site_text(BOTH))
    assert change is not None
    assert change.size == 2
    assert [limit_of(house.live(each).now) for each in (FIRST, SECOND)] == [CLASS_LIMIT, CLASS_LIMIT]


def test_an_asset_that_goes_takes_its_rules_along_also_those_that_were_added(house: House) -> None:
    house.approve("bo", house.propose("ada", house.wanted(FIRST, 5.0), house.wanted(ADDED, 6.0)))
    house.import_site(site_text({"pump-2": None}))
    assert not house.live(FIRST).is_on
    assert not house.live(ADDED).is_on
    assert house.facility == house.loaded()
    house.import_site(site_text(BOTH))
    assert limit_of(house.live(FIRST).now) == CLASS_LIMIT
    assert not house.live(ADDED).is_on
    assert limit_of(house.roll_back("ada", ADDED, to=1).rules[0].now) == 6.0


def test_a_rule_that_its_asset_class_no_longer_allows_gives_way_to_the_file_and_says_why(house: House) -> None:
    moved = {**definition(), "point": "winding_temperature"}
    wanted = Wanted(asset_id="pump-1", name="vibration_high", base=1, definition=moved)
    house.approve("bo", house.propose("ada", wanted))
    pump = house.facility.assets["pump-1"].equipment_class
    points = {name: point for name, point in pump.points.items() if name != "winding_temperature"}
    rules = {name: rule for name, rule in pump.rules.items() if rule.point != "winding_temperature"}
    house.classes = {**house.classes, "pump": pump.model_copy(update={"points": points, "rules": rules})}
    house.import_site(site_text(BOTH))
    assert limit_of(house.live(FIRST).now) == CLASS_LIMIT
    with reading(house.database) as connection:
        *_, last = repository.history_of_rule(connection, house.live(FIRST).rule_id)
    assert last.note is not None
    assert "no point 'winding_temperature'" in last.note


def test_an_exported_site_holds_what_is_live_and_importing_it_decides_nothing(house: House) -> None:
    other = definition(5.0)
    other["cause"] = {"en": "A worn coupling.", "zh": "联轴器磨损。"}
    other["condition"] = {"type": "rate_of_change", "window_s": 60.0, "limits": {"high": {"value": 1.0}}}
    wanted = Wanted(asset_id="pump-2", name="dry_run", base=1, definition=other)
    house.approve("bo", house.propose("ada", wanted, house.wanted(FIRST, None), house.wanted(ADDED, 6.0)))
    before = house.facility
    with reading(house.database) as connection:
        text = site_export.site_text(load_description(connection, house.classes, {}))
    assert house.import_site(text) is None
    assert dict(house.facility.rules) == dict(before.rules)
    assert house.import_site(site_text(BOTH)) is not None, "the file is followed again, so an old one is a decision"
    assert limit_of(house.live(FIRST).now) == CLASS_LIMIT
    assert not house.live(ADDED).is_on
