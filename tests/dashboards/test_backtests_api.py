"""Back-tests through the API: who may, what they get, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.backtest.service import running_backtests
from people.model import Role
from tests.app.backtests import BEARING, END_NS, START_NS, reached, warm_days
from tests.dashboards.running_api import RunningApi, running_api
from tests.facilities import BEARING_HIGH

PERIOD = {"from_ms": START_NS // 1_000_000, "to_ms": END_NS // 1_000_000}
LOWER = {"condition": {"type": "threshold", "limits": {"high": {"value": 60.0}}}}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RunningApi]:
    with running_api(tmp_path) as running:
        history = running.services.history
        history.append(warm_days())
        history.commit()
        with running_backtests(history, tmp_path / "backtests", running.clock) as backtests:
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


def test_one_is_cancelled_at_once(api: RunningApi) -> None:
    with api.client(Role.SUPERVISOR) as supervisor:
        number = started(supervisor, rules=[], all=True).json()["id"]
        assert supervisor.post(f"/api/backtests/{number}/cancel").json()["state"] == "cancelled"


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"to_ms": PERIOD["from_ms"]}, "write an earlier time as from_ms than as to_ms"),
        ({"rules": []}, "write what to test: either 'rules' or 'all: true'"),
        ({"rules": [{"rule_id": 1}, {"rule_id": 1}]}, "name each rule once"),
        ({"rules": [{"rule_id": 1, "definition": {"point": "bearing"}}]}, "pump has no point 'bearing'"),
        ({"rules": [{"rule_id": 1, "definition": {"limit": 3}}]}, "Extra inputs are not permitted"),
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


def test_a_process_without_back_tests_says_where_they_run(tmp_path: Path) -> None:
    with running_api(tmp_path) as api, api.client(Role.ENGINEER) as engineer:
        assert "This process runs no back-tests" in started(engineer).json()["detail"]


def test_the_point_of_the_bearing_is_what_the_tests_take_it_for(api: RunningApi) -> None:
    assert api.facility.rules[BEARING_HIGH].point_key == BEARING
