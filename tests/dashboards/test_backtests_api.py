"""Back-tests through the API: who may, what they get, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from app.backtest.previews import newest_samples
from app.backtest.service import RunningBacktests, running_backtests
from facility.clock import NS_PER_S
from facility.history.days import NS_PER_DAY
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from people.model import PERMISSIONS, Permission, Role
from tests.app.backtests import BEARING, END_NS, START_NS, reached, warm_days
from tests.dashboards.running_api import RunningApi, running_api
from tests.facilities import BEARING_HIGH, SEAL_LEAK

PERIOD = {"from_ms": START_NS // 1_000_000, "to_ms": END_NS // 1_000_000}
LOWER = {"condition": {"type": "threshold", "limits": {"high": {"value": 60.0}}}}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RunningApi]:
    with running_api(tmp_path) as running:
        history = running.services.history
        history.append(warm_days())
        history.commit()
        with running_backtests(running.database, history, tmp_path / "backtests", running.clock) as backtests:
            running.services.backtests = backtests
            yield running


def started(client: httpx.Client, **asked: object) -> httpx.Response:
    return client.post("/api/backtests", json=PERIOD | {"rules": [{"rule_id": BEARING_HIGH}]} | asked)


def test_an_engineer_back_tests_a_draft_and_everybody_may_look(api: RunningApi) -> None:
    with api.client(Role.ENGINEER) as engineer, api.client(Role.OPERATOR) as operator:
        answer = started(engineer, rules=[{"rule_id": BEARING_HIGH, "definition": LOWER}])
        assert answer.status_code == 200, answer.text
        number = answer.json()["id"]
        reached(lambda: operator.get(f"/api/backtests/{number}").json()["state"] == "done")
        seen = operator.get(f"/api/backtests/{number}").json()
        (listed,) = operator.get("/api/backtests").json()["backtests"]
    assert (seen["author"], seen["progress"], seen["error"]) == ("Engineer", 1.0, None)
    assert (seen["result"]["live"]["alarms"], seen["result"]["draft"]["alarms"]) == (3, 1)
    assert seen["result"]["rules"][0]["name"] == "bearing_temperature_high"
    assert listed == seen | {"result": None}


def test_an_operator_may_neither_start_nor_cancel_one(api: RunningApi) -> None:
    with api.client(Role.OPERATOR) as operator:
        assert started(operator).status_code == 403
        assert operator.post("/api/backtests/1/cancel").status_code == 403
        assert operator.get("/api/backtests/1").status_code == 404


@pytest.mark.parametrize(("permission", "status"), [(Permission.CHANGE_RULES, 200), (Permission.CHANGE_SITE, 403)])
def test_who_may_change_rules_may_try_suggest_and_back_test(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch, permission: Permission, status: int
) -> None:
    monkeypatch.setitem(PERMISSIONS, Role.TECHNICIAN, frozenset({Permission.VIEW, permission}))
    with api.client(Role.TECHNICIAN) as technician:
        assert tried(technician).status_code == status
        assert suggested(technician, BEARING_HIGH).status_code == status
        answer = started(technician)
        assert answer.status_code == status
        number = answer.json().get("id", 1)
        assert technician.post(f"/api/backtests/{number}/cancel").status_code == status


def test_one_is_cancelled_at_once(api: RunningApi) -> None:
    with api.client(Role.SUPERVISOR) as supervisor:
        number = started(supervisor, rules=[], all=True).json()["id"]
        assert supervisor.post(f"/api/backtests/{number}/cancel").json()["state"] == "cancelled"


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"to_ms": PERIOD["from_ms"]}, "write an earlier time as from_ms than as to_ms"),
        ({"rules": []}, "write what to test: one of 'rules', 'change_id'"),
        ({"rules": [{"rule_id": 1}, {"rule_id": 1}]}, "name each rule once"),
        ({"rules": [{"rule_id": 1, "definition": {"point": "bearing"}}]}, "pump has no point 'bearing'"),
        ({"rules": [{"rule_id": 1, "definition": {"limit": 3}}]}, "'limit' is not known here"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_write(
    api: RunningApi, asked: dict[str, object], says: str
) -> None:
    with api.client(Role.ENGINEER) as engineer:
        answer = started(engineer, **asked)
    assert answer.status_code == 422
    assert says in answer.json()["detail"]


def test_a_rule_that_does_not_exist_is_not_found(api: RunningApi) -> None:
    with api.client(Role.ENGINEER) as engineer:
        answer = started(engineer, rules=[{"rule_id": 99}])
    assert answer.status_code == 404
    assert "There is no rule 99" in answer.json()["detail"]


def tried(client: httpx.Client, definition: Mapping[str, object] = LOWER, **asked: object) -> httpx.Response:
    client.timeout = httpx.Timeout(60)  # the first one starts a process
    return client.post(f"/api/rules/{BEARING_HIGH}/try", json=PERIOD | {"definition": definition} | asked)


def test_a_draft_is_tried_at_once_and_shown_beside_the_live_rule(api: RunningApi) -> None:
    with api.client(Role.ENGINEER) as engineer:
        seen = tried(engineer).json()
    noon_ms = PERIOD["from_ms"] + 12 * 3_600_000
    assert (seen["samples"], seen["from_ms"], seen["to_ms"]) == (25_920, PERIOD["from_ms"], PERIOD["to_ms"])
    assert (seen["live"]["alarms"], seen["draft"]["alarms"], seen["draft"]["stale"]) == (3, 1, 1)
    assert seen["live_episodes"][0] == [noon_ms, noon_ms + 3_600_000, 3]
    assert seen["draft_episodes"] == [[PERIOD["from_ms"], None, 3]]
    assert (seen["new"], seen["missed"]) == ([], [])


def test_a_higher_draft_misses_what_the_live_rule_raised(api: RunningApi) -> None:
    with api.client(Role.ENGINEER) as engineer:
        seen = tried(engineer, {"condition": {"type": "threshold", "limits": {"high": {"value": 90.0}}}}).json()
    assert (seen["draft_episodes"], seen["missed"]) == ([], [0, 1, 2])


def test_of_more_samples_than_can_be_tried_at_once_the_newest_are(tmp_path: Path) -> None:
    """Ten days at one in five seconds are 172,800."""
    with running_api(tmp_path) as running:
        history = running.services.history
        history.append(warm_days(10, step_s=5))
        history.commit()
        samples, first_ns = newest_samples(history, [BEARING], START_NS, START_NS + 10 * NS_PER_DAY)
        with running_backtests(running.database, history, tmp_path / "backtests", running.clock) as backtests:
            running.services.backtests = backtests
            with running.client(Role.ENGINEER) as engineer:
                seen = tried(engineer, to_ms=PERIOD["from_ms"] + 10 * 86_400_000).json()
    assert (len(samples), seen["samples"]) == (100_000, 100_000)
    assert seen["from_ms"] == first_ns // 1_000_000 == PERIOD["from_ms"] + (10 * 86_400 - 500_000) * 1_000


def test_a_preview_knows_what_stood_before_its_period(api: RunningApi) -> None:
    """The leak was reported five hours before the period, and never again."""
    told_ns = START_NS - 5 * 3_600 * NS_PER_S
    leak = next(key for key, point in api.facility.points.items() if point.name == "seal_leak")
    api.services.history.append(SampleBatch.of([Sample(leak, told_ns, told_ns, 1.0, Quality.GOOD)]))
    api.services.history.commit()
    with api.client(Role.ENGINEER) as engineer:
        engineer.timeout = httpx.Timeout(60)
        asked = PERIOD | {"definition": {"condition": {"type": "state", "states": ["leak"], "on_delay_s": 60}}}
        seen = engineer.post(f"/api/rules/{SEAL_LEAK}/try", json=asked).json()
    assert [episode[:2] for episode in seen["draft_episodes"]] == [[told_ns // 1_000_000 + 60_000, None]]


def test_a_preview_after_its_process_died_starts_another(api: RunningApi) -> None:
    backtests = api.services.backtests
    assert isinstance(backtests, RunningBacktests)
    with api.client(Role.ENGINEER) as engineer:
        assert tried(engineer).status_code == 200
        worker = backtests._previews._worker
        assert worker is not None
        worker.kill()
        reached(lambda: not worker.alive)
        assert tried(engineer).json()["draft"]["alarms"] == 1
        assert tried(engineer, {"point": "bearing"}).status_code == 422
        assert engineer.post("/api/rules/99/try", json=PERIOD | {"definition": {}}).status_code == 404
    with api.client(Role.OPERATOR) as operator:
        assert tried(operator).status_code == 403


def suggested(client: httpx.Client, rule_id: int, **asked: object) -> httpx.Response:
    client.timeout = httpx.Timeout(60)
    return client.post(f"/api/rules/{rule_id}/suggestions", json=PERIOD | {"target_per_day": 1.0} | asked)


def test_settings_are_suggested_with_their_curve_and_words(api: RunningApi) -> None:
    noon_ms = PERIOD["from_ms"] + 12 * 3_600_000
    label = {"from_ms": noon_ms, "to_ms": noon_ms + 3_600_000}
    with api.client(Role.ENGINEER) as engineer:
        seen = suggested(engineer, BEARING_HIGH, labels=[label]).json()
        refused = suggested(engineer, SEAL_LEAK)
    assert (seen["side"], seen["live"], seen["chosen"]["labels_caught"]) == ("high", seen["chosen"], 1)
    assert seen["condition"]["limits"]["high"]["value"] == 80
    assert "nothing needs to change" in seen["words"]["en"]
    assert seen["curve"]
    assert refused.status_code == 422
    assert "has 0 usable samples" in refused.json()["detail"]


def test_a_process_without_back_tests_says_where_they_run(tmp_path: Path) -> None:
    with running_api(tmp_path) as api, api.client(Role.ENGINEER) as engineer:
        assert "This process runs no back-tests" in started(engineer).json()["detail"]


def test_the_point_of_the_bearing_is_what_the_tests_take_it_for(api: RunningApi) -> None:
    assert api.facility.rules[BEARING_HIGH].point_key == BEARING
