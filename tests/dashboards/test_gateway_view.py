"""How the gateway is, as the API tells it: what is down first, and how fast devices answer now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.recent import SPAN_S, Recent, quantile_s
from gateway.events import LATENCY_BOUNDS_S, ConnectionState, ConnectionStatus, GatewayStatus, Latency, UnitStatus
from people.model import Role
from tests.dashboards.running_api import RunningApi, running_api

UP, DOWN, CONNECTING = ConnectionState.UP, ConnectionState.DOWN, ConnectionState.CONNECTING


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RunningApi]:
    with running_api(tmp_path) as server:
        yield server


def connection(name: str, state: ConnectionState, **units: ConnectionState) -> ConnectionStatus:
    return ConnectionStatus(
        connection_id=name,
        state=state,
        units={asset: UnitStatus(asset_id=asset, state=unit) for asset, unit in units.items()},
    )


def test_what_is_down_comes_first_and_then_who_has_devices_that_are(api: RunningApi) -> None:
    statuses = [
        connection("broker", UP, lift=UP),
        connection("cellar", UP, fan=UP, pump=DOWN, door=CONNECTING),
        connection("new", CONNECTING),
        connection("panel", DOWN, detector=DOWN),
    ]
    api.connections.clear()
    api.connections.update({status.connection_id: status for status in statuses})
    with api.client(Role.OPERATOR) as client:
        shown = client.get("/api/gateway").json()["connections"]
    assert [each["id"] for each in shown] == ["panel", "new", "cellar", "broker"]
    assert [unit["asset_id"] for unit in shown[2]["units"]] == ["pump", "door", "fan"]


def test_a_device_is_shown_by_its_name_with_what_happened_to_it(api: RunningApi) -> None:
    unit = UnitStatus(asset_id="pump-1", state=DOWN, detail="no answer", requests=9, timeouts=2, openings=1)
    unit.latency.add(0.02)
    with api.client(Role.OPERATOR) as client:  # who has logged in finds the first note taken
        api.connections["wire"].units["pump-1"] = unit
        answer = client.get("/api/gateway").json()
    [wire] = answer["connections"]
    [shown] = wire["units"]
    assert (wire["protocol"], wire["endpoint"]) == ("mqtt", "127.0.0.1:1883")
    assert shown["name"] == {"en": "pump-1", "zh": "中 pump-1"}
    assert (shown["detail"], shown["timeouts"], shown["openings"]) == ("no answer", 2, 1)
    assert 10 <= shown["latency_p50_ms"] <= shown["latency_p99_ms"] <= 25
    assert [queue["name"] for queue in answer["queues"]] == ["inbox", "history"]


def test_nobody_sees_the_gateway_without_logging_in(api: RunningApi) -> None:
    with api.client(None) as client:
        assert client.get("/api/gateway").status_code == 401


def test_rates_and_answers_are_of_the_last_minute() -> None:
    status = connection("line", UP, pump=UP)
    unit, recent = status.units["pump"], Recent()
    assert recent.samples_per_s(status, 0.0) == 0.0
    for second in range(0, 300, 5):
        recent.note([status], float(second))
        status.samples += 5 if second < 150 else 50
        unit.latency.add(2.0 if second < 150 else 0.002)
    assert recent.samples_per_s(status, 300.0) == pytest.approx(10.0, rel=0.01)
    answers = recent.answers("line", unit)
    assert sum(answers) <= SPAN_S / 5 + 1
    slowest = quantile_s(answers, 1.0)
    assert slowest is not None
    assert slowest <= 0.0025


def test_a_gateway_that_starts_again_counts_anew_and_shows_no_negative_rate() -> None:
    status = connection("line", UP, pump=UP)
    recent = Recent()
    status.samples = 1_000
    for _ in range(50):
        status.units["pump"].latency.add(0.002)
    recent.note([status], 0.0)
    anew = connection("line", UP, pump=UP)
    anew.units["pump"].latency.add(0.3)
    assert recent.samples_per_s(anew, 10.0) == 0.0
    assert sum(recent.answers("line", anew.units["pump"])) == 1


def test_a_gateway_that_runs_apart_is_shown_with_what_waits_there(api: RunningApi) -> None:
    api.gateways["roof"] = GatewayStatus(gateway_id="roof", is_present=True, waiting_by_lane={"telemetry": 4})
    api.gateways["cellar"] = GatewayStatus(gateway_id="cellar", detail="it is not connected to the bus")
    with api.client(Role.OPERATOR) as client:
        shown = client.get("/api/gateway").json()["gateways"]
    assert [each["id"] for each in shown] == ["cellar", "roof"]
    assert shown[0]["detail"] == "it is not connected to the bus"
    assert (shown[1]["waiting"], shown[1]["oldest_at"]) == ({"telemetry": 4}, None)


def test_a_device_that_came_after_the_first_note_shows_all_its_answers() -> None:
    status = connection("line", UP)
    recent = Recent()
    recent.note([status], 0.0)
    status.units["pump"] = UnitStatus(asset_id="pump")
    status.units["pump"].latency.add(0.1)
    assert sum(recent.answers("line", status.units["pump"])) == 1


@given(st.lists(st.floats(0.0, 10.0), min_size=1, max_size=50), st.floats(0.01, 1.0))
def test_a_quantile_lies_in_the_class_of_the_answer_that_it_is_about(seconds: list[float], share: float) -> None:
    latency = Latency()
    for each in seconds:
        latency.add(each)
    estimate = quantile_s(latency.counts, share)
    assert estimate is not None
    exact = sorted(seconds)[max(0, -int(-share * len(seconds) // 1) - 1)]
    above = next((bound for bound in LATENCY_BOUNDS_S if exact <= bound), LATENCY_BOUNDS_S[-1])
    below = max((bound for bound in LATENCY_BOUNDS_S if bound < exact), default=0.0)
    assert below <= estimate + 1e-9
    assert estimate <= above + 1e-9


def test_a_device_that_never_answered_has_no_latency() -> None:
    assert quantile_s(Latency().counts, 0.99) is None
