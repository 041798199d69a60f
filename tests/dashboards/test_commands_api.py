"""Commands over HTTP: what a console or a colleague's program gets for what it asks."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from people.model import Role
from tests.dashboards.commanding_api import commanding_api
from tests.dashboards.running_api import RunningApi, running_api
from tests.gateway.commanded import LOCK, SETPOINT, Plant, key_of


@pytest.fixture
def plant() -> Plant:
    return Plant()


@pytest.fixture
def api(tmp_path: Path, plant: Plant) -> Iterator[RunningApi]:
    with commanding_api(tmp_path, plant) as server:
        yield server


def body(api: RunningApi, address: str, value: float, **changes: object) -> dict[str, object]:
    usual: dict[str, object] = {
        "request_id": uuid.uuid4().hex,
        "point_key": key_of(api.facility, address),
        "value": value,
        "reason": "night set-back",
    }
    return {**usual, **changes}


def asked(api: RunningApi, request: dict[str, object], role: Role = Role.OPERATOR) -> httpx.Response:
    with api.client(role) as client:
        return client.post("/api/commands", json=request)


def get(api: RunningApi, path: str, **params: str) -> dict[str, Any]:
    with api.client(Role.TECHNICIAN) as client:
        answer = client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_answer_comes_when_the_device_shows_the_value(api: RunningApi, plant: Plant) -> None:
    answer = asked(api, body(api, SETPOINT, 1200.0))
    assert answer.status_code == 200, answer.text
    command = answer.json()
    assert (command["state"], command["shown"], command["author"]) == ("confirmed", 1200.0, "Operator")
    assert plant.values[SETPOINT] == 1200.0
    journal = get(api, f"/api/commands/{command['id']}")["journal"]
    assert [line["transition"] for line in journal] == ["requested", "sent", "confirmed"]
    assert journal[0]["comment"] == "night set-back"


def test_the_same_request_again_writes_nothing_twice(api: RunningApi, plant: Plant) -> None:
    request = body(api, SETPOINT, 1200.0)
    first, again = asked(api, request), asked(api, request)
    assert first.json() == again.json()
    assert len(plant.writes) == 1


def test_a_dead_device_is_a_502_with_what_to_do_next(api: RunningApi, plant: Plant) -> None:
    plant.is_silent = True
    answer = asked(api, body(api, SETPOINT, 1200.0))
    assert answer.status_code == 502
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Check its power" in answer.json()["detail"]


def test_a_device_that_does_not_follow_is_a_502_that_says_what_it_shows(api: RunningApi, plant: Plant) -> None:
    plant.is_stubborn = True
    answer = asked(api, body(api, SETPOINT, 1200.0))
    assert answer.status_code == 502
    assert "device shows 1465 rpm instead of 1200 rpm" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("address", "value", "changes", "role", "status"),
    [
        (SETPOINT, 5000.0, {}, Role.OPERATOR, 422),
        (SETPOINT, 1200.0, {"hold_s": 1e9}, Role.OPERATOR, 422),
        (SETPOINT, 1200.0, {"reason": ""}, Role.OPERATOR, 422),
        (SETPOINT, 1200.0, {"colour": "red"}, Role.OPERATOR, 422),
        ("detector-101/alarm", 0.0, {}, Role.SUPERVISOR, 422),
        (SETPOINT, 1200.0, {}, Role.ENGINEER, 403),
        (SETPOINT, 1200.0, {}, Role.TECHNICIAN, 403),
        (SETPOINT, 1200.0, {"holder": 7}, Role.OPERATOR, 409),
    ],
)
def test_what_may_not_be_is_refused_and_nothing_is_written(  # noqa: PLR0917  # pytest passes parameters by name
    api: RunningApi,
    plant: Plant,
    address: str,
    value: float,
    changes: dict[str, object],
    role: Role,
    status: int,
) -> None:
    answer = asked(api, body(api, address, value, **changes), role)
    assert answer.status_code == status, answer.text
    assert plant.writes == []
    assert get(api, "/api/commands", state="all")["total"] == 0


def test_a_command_is_taken_back_listed_and_gone_from_the_snapshot(api: RunningApi, plant: Plant) -> None:
    command = asked(api, body(api, LOCK, 0.0)).json()
    assert [each["id"] for each in get(api, "/api/snapshot")["commands"]] == [command["id"]]
    with api.client(Role.SUPERVISOR) as client:
        path = f"/api/commands/{command['id']}/take-back"
        answers = [client.post(path, json={"reason": "guard is back"}) for _ in range(2)]
    assert [answer.json()["state"] for answer in answers] == ["relinquished", "relinquished"]
    assert plant.writes == [(LOCK, 0.0, 8), (LOCK, 1.0, 8)]
    assert get(api, "/api/snapshot")["commands"] == []
    assert get(api, "/api/commands", state="all", asset_id="door-1")["total"] == 1
    journal = get(api, f"/api/commands/{command['id']}")["journal"]
    assert ("taken_back", "Supervisor", "guard is back") in {
        (line["transition"], line["actor"], line["comment"]) for line in journal
    }


def test_the_site_says_what_may_be_commanded_and_within_which_limits(api: RunningApi) -> None:
    points = {
        f"{asset['id']}/{point['name']}": point
        for asset in get(api, "/api/facility")["assets"]
        for point in asset["points"]
    }
    assert points[SETPOINT]["commandable"] == {
        "low": 600.0,
        "high": 1480.0,
        "codes": [],
        "roles": ["operator", "supervisor"],
        "longest_s": 3600.0,
    }
    assert points[LOCK]["commandable"]["codes"] == [0, 1]
    assert points["detector-101/alarm"]["commandable"] is None


def test_where_no_gateway_runs_nothing_is_commanded_and_the_site_stays(tmp_path: Path) -> None:
    with running_api(tmp_path) as api:
        with api.client(Role.SUPERVISOR) as client:
            request = {"request_id": "request-1", "point_key": 1, "value": 1.0, "reason": "why not"}
            command = client.post("/api/commands", json=request)
            site = client.post("/api/site", json={"text": "", "reason": "why not"})
        assert (command.status_code, site.status_code) == (422, 422)
        assert "No gateway runs in this process" in command.json()["detail"]
        assert "at its start only" in site.json()["detail"]
        with api.client(Role.OPERATOR) as client:
            assert client.post("/api/site", json={"text": "", "reason": "why not"}).status_code == 403
