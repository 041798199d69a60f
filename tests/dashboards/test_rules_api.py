"""Rules over HTTP: looked at, changed by two people, and rolled back, while the engine watches with them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from people.model import Role
from rules.signals.rate import RateSignal
from tests.dashboards.rule_api import rule_api
from tests.dashboards.running_api import RunningApi
from tests.dashboards.test_live import listening, next_message, of_type
from tests.facilities import BEARING_HIGH, PUMP, SEAL_LEAK

BEARING = f"{PUMP}/bearing_temperature"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RunningApi]:
    with rule_api(tmp_path) as server:
        yield server


def get(api: RunningApi, path: str, **params: str) -> Any:  # noqa: ANN401  # JSON
    with api.client(Role.TECHNICIAN) as client:
        answer = client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def post(api: RunningApi, role: Role, path: str, body: dict[str, Any]) -> httpx.Response:
    with api.client(role) as client:
        return client.post(path, json=body)


def with_limit(api: RunningApi, limit: float) -> dict[str, Any]:
    """Return a revision of the bearing's rule with another limit."""
    rule = get(api, f"/api/rules/{BEARING_HIGH}")
    definition = copy.deepcopy(rule["definition"])
    definition["condition"]["limits"]["high"]["value"] = limit
    return {"rule_id": BEARING_HIGH, "base": rule["revision"], "definition": definition}


def proposed(api: RunningApi, *revisions: dict[str, Any], reason: str = "it runs hot in summer") -> dict[str, Any]:
    answer = post(api, Role.ENGINEER, "/api/rule-changes", {"reason": reason, "revisions": list(revisions)})
    assert answer.status_code == 200, answer.text
    change: dict[str, Any] = answer.json()
    return change


def reviewed(
    api: RunningApi, change: dict[str, Any], verb: str = "approve", role: Role = Role.SUPERVISOR
) -> httpx.Response:
    body = {"version": change["version"], "comment": "compared with the trend"}
    return post(api, role, f"/api/rule-changes/{change['id']}/{verb}", body)


def failing_rule_added(api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> int:
    """Let a new rule on how fast the bearing warms up fail with its first sample; return its id."""

    def breaks(*_: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(RateSignal, "take", breaks)
    added = {**with_limit(api, 80.0), "base": 0, "asset_id": PUMP, "name": "bearing_warms_up"}
    del added["rule_id"]
    added["definition"]["title"] = {"en": "bearing warms up", "zh": "轴承升温"}
    added["definition"]["condition"] = {"type": "rate_of_change", "window_s": 10, "limits": {"high": {"value": 30}}}
    change = proposed(api, added)
    assert reviewed(api, change).status_code == 200
    api.samples((BEARING, 70.0))
    [revision] = get(api, f"/api/rule-changes/{change['id']}")["revisions"]
    rule_id: int = revision["rule_id"]
    return rule_id


def open_alarms(api: RunningApi) -> list[tuple[str, int]]:
    return [(alarm["rule"], alarm["priority"]) for alarm in get(api, "/api/alarms")["alarms"]]


def test_rules_are_listed_by_asset_point_and_text(api: RunningApi) -> None:
    rules = get(api, "/api/rules")
    assert rules["total"] == 4
    assert rules["rules"][0]["name"] == "bearing_temperature_high"
    assert (rules["rules"][0]["unit"], rules["rules"][0]["condition"]) == ("°C", "threshold")
    assert get(api, "/api/rules", asset_id=PUMP)["total"] == 2
    key = str(rules["rules"][1]["point_key"])
    assert [rule["name"] for rule in get(api, "/api/rules", point_key=key)["rules"]] == ["seal_leak"]
    assert [rule["name"] for rule in get(api, "/api/rules", text="SEAL")["rules"]] == ["seal_leak"]
    assert get(api, "/api/rules", limit="1", offset="3")["rules"][0]["name"] == "held_open"


def test_a_limit_is_moved_by_one_engineer_and_put_live_by_another(api: RunningApi) -> None:
    api.samples((BEARING, 82.0))
    assert open_alarms(api) == [("bearing_temperature_high", 3)]
    change = proposed(api, with_limit(api, 85.0))
    assert (change["state"], change["author"], change["size"]) == ("proposed", "Engineer", 1)
    assert open_alarms(api) == [("bearing_temperature_high", 3)]
    assert [each["id"] for each in get(api, f"/api/rules/{BEARING_HIGH}")["open_changes"]] == [change["id"]]

    own = reviewed(api, change, role=Role.ENGINEER)
    assert own.status_code == 403
    answer = reviewed(api, change)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["state"], answer.json()["reviewer"]) == ("live", "Supervisor")

    api.clock.advance(1.0)
    api.samples((BEARING, 82.0))
    [alarm] = get(api, "/api/alarms")["alarms"]
    assert (alarm["active"], alarm["state"]) == (False, "D")  # decided afresh by the next sample
    rule = get(api, f"/api/rules/{BEARING_HIGH}")
    assert (rule["revision"], rule["open_changes"]) == (2, [])
    [_, entry] = rule["history"]
    assert [each["text"] for each in entry["revision"]["differences"]] == ["high 80 → 85 °C"]
    assert entry["revision"]["differences"][0]["path"] == ["condition", "limits", "high", "value"]
    assert (entry["change"]["author"], entry["change"]["reason"]) == ("Engineer", "it runs hot in summer")
    detail = get(api, f"/api/rule-changes/{change['id']}")
    assert [line["transition"] for line in detail["journal"]] == ["proposed", "approved"]
    assert detail["revisions"][0]["number"] == 2


def test_the_history_begins_with_what_the_import_brought(api: RunningApi) -> None:
    reviewed(api, proposed(api, with_limit(api, 85.0)))
    first, second = get(api, f"/api/rules/{BEARING_HIGH}")["history"]
    assert (first["revision"]["number"], second["revision"]["number"]) == (1, 2)
    assert first["revision"]["definition"]["condition"]["limits"]["high"]["value"] == 80.0
    assert (first["change"], second["imported"]) == (None, None)
    assert (first["imported"]["author"], first["imported"]["reason"]) == ("test", "test")
    [untouched] = get(api, f"/api/rules/{SEAL_LEAK}")["history"]
    assert (untouched["revision"]["number"], untouched["revision"]["unit"]) == (1, "")


def test_an_earlier_limit_is_live_again_in_one_step(api: RunningApi) -> None:
    reviewed(api, proposed(api, with_limit(api, 85.0)))
    body = {"to": 1, "base": 2, "reason": "too many missed"}
    answer = post(api, Role.ENGINEER, f"/api/rules/{BEARING_HIGH}/roll-back", body)
    assert answer.status_code == 200, answer.text
    rule = answer.json()
    assert (rule["revision"], rule["history"][-1]["revision"]["restores"]) == (3, 1)
    assert rule["history"][-1]["change"]["source"] == "roll_back"
    assert rule["definition"]["condition"]["limits"]["high"]["value"] == 80.0
    api.samples((BEARING, 82.0))
    assert open_alarms(api) == [("bearing_temperature_high", 3)]
    again = post(api, Role.ENGINEER, f"/api/rules/{BEARING_HIGH}/roll-back", body)
    assert again.status_code == 409
    assert "is now revision 3, not 2" in again.json()["detail"]


def test_a_rule_that_is_switched_off_closes_its_alarm_and_keeps_its_words(api: RunningApi) -> None:
    api.samples((f"{PUMP}/seal_leak", 1.0))
    assert len(open_alarms(api)) == 1
    answer = reviewed(api, proposed(api, {"rule_id": SEAL_LEAK, "base": 1, "definition": None}))
    assert answer.status_code == 200, answer.text
    assert open_alarms(api) == []
    [alarm] = get(api, "/api/alarms", state="all")["alarms"]
    assert alarm["title"]["en"] == "seal leak"
    rule = get(api, f"/api/rules/{SEAL_LEAK}")
    assert (rule["on"], rule["definition"]["point"]) == (False, "seal_leak")
    assert get(api, "/api/rules", asset_id=PUMP)["total"] == 1


def test_a_rule_that_is_added_watches_at_once(api: RunningApi) -> None:
    added = {**with_limit(api, 70.0), "base": 0, "asset_id": PUMP, "name": "bearing_warm"}
    del added["rule_id"]
    del added["definition"]["condition"]["limits"]["high_high"]
    assert reviewed(api, proposed(api, added)).status_code == 200
    api.samples((BEARING, 75.0))
    assert [name for name, _ in open_alarms(api)] == ["bearing_warm"]
    rule = get(api, "/api/rules", asset_id=PUMP)["rules"][-1]
    assert rule["name"] == "bearing_warm"
    [entry] = get(api, f"/api/rules/{rule['id']}")["history"]
    assert (entry["revision"]["number"], entry["change"]["author"]) == (1, "Engineer")  # no import brought it


def test_a_rule_that_fails_is_told_with_its_words_until_the_rules_are_loaded_again(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert get(api, "/api/status")["isolated"] == []
    rule_id = failing_rule_added(api, monkeypatch)
    [isolated] = get(api, "/api/status")["isolated"]
    assert (isolated["rule_id"], isolated["rule"]) == (rule_id, "bearing_warms_up")
    assert (isolated["asset_id"], isolated["title"]["zh"]) == (PUMP, "轴承升温")
    assert isolated["mistake"] == "ZeroDivisionError: by nothing"
    assert [rule["id"] for rule in get(api, "/api/rules", isolated="true")["rules"]] == [rule_id]
    api.samples((BEARING, 82.0))
    assert open_alarms(api) == [("bearing_temperature_high", 3)]  # the others go on

    monkeypatch.undo()
    assert reviewed(api, proposed(api, with_limit(api, 85.0))).status_code == 200
    assert get(api, "/api/status")["isolated"] == []
    assert get(api, "/api/rules", isolated="true")["total"] == 0


def test_mistakes_are_all_told_with_their_places_and_change_nothing(api: RunningApi) -> None:
    wrong, typo = with_limit(api, 99.0), {"rule_id": SEAL_LEAK, "base": 1, "definition": {"priority": 1}}
    answer = post(api, Role.ENGINEER, "/api/rule-changes", {"reason": "x", "revisions": [wrong, typo]})
    assert answer.status_code == 422
    detail = answer.json()["detail"]
    assert "pump-1/bearing_temperature_high:0: condition.limits.high_high: high_high 95 °C must lie above" in detail
    assert "pump-1/seal_leak:0: priority: a priority is computed and not written" in detail
    assert "'point' is missing" in detail
    assert get(api, "/api/rule-changes")["total"] == 0


def test_somebody_elses_change_meanwhile_is_a_409_that_names_it(api: RunningApi) -> None:
    slow = proposed(api, with_limit(api, 84.0))
    reviewed(api, proposed(api, with_limit(api, 85.0), reason="new bearing"))
    answer = reviewed(api, slow)
    assert answer.status_code == 409
    assert "by Engineer's change 2 (new bearing)" in answer.json()["detail"]
    assert reviewed(api, {**slow, "version": 7}).status_code == 409


def test_what_waits_is_listed_rejected_and_withdrawn(api: RunningApi) -> None:
    first, second = proposed(api, with_limit(api, 84.0)), proposed(api, with_limit(api, 85.0))
    assert [each["id"] for each in get(api, "/api/rule-changes", state="proposed")["changes"]] == [
        second["id"],
        first["id"],
    ]
    assert reviewed(api, first, "reject").json()["state"] == "rejected"
    body = {"version": second["version"]}
    taken_back = post(api, Role.ENGINEER, f"/api/rule-changes/{second['id']}/withdraw", body)
    assert taken_back.json()["state"] == "withdrawn"
    assert get(api, "/api/rule-changes", state="proposed")["total"] == 0
    assert get(api, f"/api/rules/{BEARING_HIGH}")["revision"] == 1


def test_operators_look_and_change_nothing(api: RunningApi) -> None:
    body = {"reason": "x", "revisions": [with_limit(api, 84.0)]}
    answer = post(api, Role.OPERATOR, "/api/rule-changes", body)
    assert answer.status_code == 403
    assert "may not change rules" in answer.json()["detail"]
    assert reviewed(api, proposed(api, with_limit(api, 84.0)), role=Role.OPERATOR).status_code == 403


async def test_the_live_channel_tells_every_step_of_a_change(api: RunningApi) -> None:
    async with listening(api) as socket:
        await next_message(socket, of_type("hello"))
        change = proposed(api, with_limit(api, 85.0))
        first = await next_message(socket, of_type("events"))
        assert [(each["topic"], each["data"]["state"]) for each in first["events"]] == [("rule_change", "proposed")]
        reviewed(api, change)
        told = await next_message(socket, lambda each: each["type"] == "events" and each["events"][-1]["seq"] > 1)
        assert told["events"][-1]["data"]["state"] == "live"


def exported(api: RunningApi, kind: str) -> str:
    with api.client(Role.TECHNICIAN) as client:
        answer = client.get("/api/rules/export", params={"format": kind})
    assert answer.status_code == 200
    assert f"small-rules.{kind}" in answer.headers["content-disposition"]
    return answer.text


@pytest.mark.parametrize(("kind", "before", "after"), [("csv", "high,80,", "high,85,"), ("yaml", "80.0", "85.0")])
def test_a_file_is_tried_first_and_then_proposed_as_one_change(
    api: RunningApi, kind: str, before: str, after: str
) -> None:
    text = exported(api, kind).replace(before, after)
    path = f"/api/rules/import?format={kind}"
    tried = post(api, Role.ENGINEER, f"{path}&dry_run=true", {"text": text}).json()
    assert [each["differences"][0]["text"] for each in tried["changes"]] == ["high 80 → 85 °C"]
    assert (tried["mistakes"], tried["unchanged"], tried["change"]) == ([], 3, None)
    assert get(api, "/api/rule-changes")["total"] == 0

    report = post(api, Role.ENGINEER, path, {"text": text, "reason": "summer"}).json()
    assert (report["change"]["state"], report["change"]["size"]) == ("proposed", 1)
    assert reviewed(api, report["change"]).status_code == 200
    api.samples((BEARING, 82.0))
    assert open_alarms(api) == []
    again = post(api, Role.ENGINEER, path, {"text": text, "reason": "summer"})
    assert again.status_code == 422
    assert "it is revision 2 by now, not 1" in again.text or "nothing to do" in again.text


def test_a_file_with_mistakes_is_told_all_of_them_and_changes_nothing(api: RunningApi) -> None:
    text = "asset,rule,limit,value\npump-1,bearing_temperature_high,high,96\npump-2,seal_leak,,\n"
    tried = post(api, Role.ENGINEER, "/api/rules/import?format=csv&dry_run=true", {"text": text}).json()
    assert [mistake["line"] for mistake in tried["mistakes"]] == [2, 3]
    refused = post(api, Role.ENGINEER, "/api/rules/import?format=csv", {"text": text, "reason": "x"})
    assert refused.status_code == 422
    assert "rules.csv:2: pump-1/bearing_temperature_high" in refused.json()["detail"]
    assert get(api, "/api/rule-changes")["total"] == 0
    assert post(api, Role.OPERATOR, "/api/rules/import", {"text": text}).status_code == 403
