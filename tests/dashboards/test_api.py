"""The API over HTTP, as a console or a colleague's program would use it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facility.clock import NS_PER_MS
from people.model import Role
from tests.dashboards.running_api import PASSWORD, RunningApi, running_api


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RunningApi]:
    with running_api(tmp_path) as server:
        yield server


def raise_fire(api: RunningApi) -> dict[str, Any]:
    """Let the detector alarm and return its alarm."""
    api.samples(("detector-101/alarm", 1.0))
    with api.client(Role.OPERATOR) as client:
        [alarm] = client.get("/api/alarms", params={"system": "fire"}).json()["alarms"]
    result: dict[str, Any] = alarm
    return result


def test_nobody_sees_the_building_without_logging_in(api: RunningApi) -> None:
    with api.client(None) as client:
        for path in (
            "/api/session",
            "/api/facility",
            "/api/snapshot",
            "/api/alarms",
            "/api/work-orders",
            "/api/status",
        ):
            answer = client.get(path)
            assert answer.status_code == 401, path
            assert answer.headers["content-type"] == "application/problem+json"
            assert "Log in" in answer.json()["detail"]


def test_a_wrong_password_is_refused_and_the_session_cookie_is_out_of_reach_of_scripts(api: RunningApi) -> None:
    with api.client(None) as client:
        assert client.post("/api/session", json={"login": "operator", "password": "no"}).status_code == 401
        answer = client.post("/api/session", json={"login": "operator", "password": PASSWORD})
        assert answer.json()["account"]["name"] == "Operator"
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert client.delete("/api/session").status_code == 204
        assert client.get("/api/session").status_code == 401


def test_a_change_without_our_header_is_refused_for_another_sites_page_could_have_sent_it(api: RunningApi) -> None:
    alarm = raise_fire(api)
    with api.client(Role.OPERATOR) as client:
        del client.headers["X-Watchkeeper"]
        answer = client.post(f"/api/alarms/{alarm['id']}/acknowledge", json={"version": alarm["version"]})
    assert answer.status_code == 403
    assert "X-Watchkeeper" in answer.json()["detail"]


def test_a_fire_reaches_the_operator_who_acknowledges_it_with_a_comment(api: RunningApi) -> None:
    alarm = raise_fire(api)
    assert (alarm["state"], alarm["priority"], alarm["life_safety"]) == ("B", 1, True)
    path = f"/api/alarms/{alarm['id']}/acknowledge"
    with api.client(Role.OPERATOR) as client:
        bare = client.post(path, json={"version": alarm["version"]})
        assert bare.status_code == 422
        assert "comment" in bare.json()["detail"]
        done = client.post(path, json={"version": alarm["version"], "comment": "crew on its way"})
        assert (done.json()["state"], done.json()["acknowledged_by"]) == ("C", "Operator")
        late = client.post(path, json={"version": alarm["version"], "comment": "me too"})
        assert late.status_code == 409
        assert "Operator" in late.json()["detail"]
        detail = client.get(f"/api/alarms/{alarm['id']}").json()
    assert [line["actor"] for line in detail["journal"]] == ["Watchkeeper", "Operator"]
    assert (detail["consequence_class"], detail["time_to_respond_min"]) == ("severe", 10.0)


def test_a_technician_looks_but_does_not_acknowledge(api: RunningApi) -> None:
    alarm = raise_fire(api)
    with api.client(Role.TECHNICIAN) as client:
        answer = client.post(f"/api/alarms/{alarm['id']}/acknowledge", json={"version": 1, "comment": "x"})
    assert answer.status_code == 403
    assert "supervisor" in answer.json()["detail"]


def test_an_order_is_assigned_worked_and_completed_by_the_people_who_did_it(api: RunningApi) -> None:
    alarm = raise_fire(api)
    path = f"/api/work-orders/{alarm['order_id']}"
    technician = api.accounts[Role.TECHNICIAN]
    with api.client(Role.OPERATOR) as operator, api.client(Role.TECHNICIAN) as hands:
        order = operator.get(path).json()
        assert (order["kind"], order["state"]) == ("emergency", "triaged")
        order = operator.post(f"{path}/assign", json={"version": order["version"], "assignee_id": technician.id}).json()
        order = hands.post(f"{path}/start", json={"version": order["version"]}).json()
        early = hands.post(f"{path}/complete", json={"version": order["version"]})
        assert early.status_code == 422
        for step in order["steps"]:
            if step["mandatory"]:
                order = hands.post(
                    f"{path}/steps/{step['number']}", json={"version": order["version"], "done": True}
                ).json()
        standing = hands.post(f"{path}/complete", json={"version": order["version"]})
        assert standing.status_code == 422
        order = hands.post(
            f"{path}/complete", json={"version": order["version"], "override_reason": "detector isolated"}
        ).json()
    assert (order["state"], order["assignee"]) == ("completed", technician.name)
    assert {line["actor"] for line in order["journal"]} == {"Watchkeeper", "Operator", "Technician"}


def test_values_history_limits_and_status_show_what_came_in(api: RunningApi) -> None:
    api.samples(("pump-1/bearing_temperature", 61.5))
    api.clock.advance(1)
    api.samples(("pump-1/bearing_temperature", 62.5))
    api.history.step()
    key = next(p.key for p in api.facility.points.values() if p.address == "pump-1/bearing_temperature")
    with api.client(Role.ENGINEER) as client:
        rows = client.get("/api/snapshot").json()["values"]
        history = client.get(f"/api/points/{key}/history").json()
        limits = client.get(f"/api/points/{key}/limits").json()
        status = client.get("/api/status").json()
        assert client.get("/api/points/999999/history").status_code == 404
    assert [row[1] for row in rows if row[0] == key] == [62.5]
    assert history["value"] == [61.5, 62.5]
    assert [(limit["side"], limit["value"]) for limit in limits] == [("high", 80.0), ("high_high", 95.0)]
    assert status["samples"] == 2


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/api/session", {"login": 1}, "login"),
        ("/api/alarms/1/acknowledge", {"version": "x"}, "version"),
        ("/api/alarms/1/acknowledge", {"version": 1, "colour": "red"}, "colour"),
    ],
)
def test_a_request_that_does_not_fit_is_told_where(api: RunningApi, path: str, body: object, where: str) -> None:
    with api.client(Role.OPERATOR) as client:
        answer = client.post(path, json=body)
    assert answer.status_code == 422
    assert where in answer.json()["detail"]


def test_unknown_things_and_paths_are_problems_too(api: RunningApi) -> None:
    with api.client(Role.OPERATOR) as client:
        for path in ("/api/alarms/4711", "/api/work-orders/4711", "/api/nothing"):
            answer = client.get(path)
            assert answer.status_code == 404, path
            assert answer.headers["content-type"] == "application/problem+json"


def test_the_api_describes_every_answer_it_gives(api: RunningApi) -> None:
    with api.client(None) as client:
        schema = client.get("/openapi.json").json()
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            assert operation["description"], (method, path)
            assert {"200", "204"} & set(operation["responses"]), (method, path)
            assert "4XX" in operation["responses"], (method, path)


def test_alarms_and_orders_of_a_stretch_of_time_are_those_that_stood_or_were_opened_in_it(api: RunningApi) -> None:
    began_ms = api.clock.now_ns() // NS_PER_MS
    api.samples(("pump-1/bearing_temperature", 90.0))
    api.clock.advance(600)
    api.samples(("pump-1/bearing_temperature", 60.0))
    ended_ms = api.clock.now_ns() // NS_PER_MS
    spans = {"before": (0, began_ms), "around": (began_ms - 1, began_ms + 1), "amid": (began_ms + 1, ended_ms - 1)}
    spans["after"] = (ended_ms + 1, ended_ms + 1_000)
    with api.client(Role.OPERATOR) as client:
        for name, (from_ms, to_ms) in spans.items():
            asked: dict[str, str | int] = {"state": "all", "asset_id": "pump-1", "from_ms": from_ms, "to_ms": to_ms}
            alarms = client.get("/api/alarms", params=asked).json()["total"]
            orders = client.get("/api/work-orders", params=asked).json()["total"]
            assert (alarms, orders) == {"around": (1, 1), "amid": (1, 0)}.get(name, (0, 0)), name
        assert client.get("/api/alarms", params={"from_ms": 10**15}).status_code == 422
