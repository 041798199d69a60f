"""What a Prometheus server gets, and who else gets it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from facility.clock import NS_PER_S
from gateway.events import LATENCY_BOUNDS_S, ConnectionState, GatewayStatus, UnitStatus
from people.model import Role
from tests.dashboards.running_api import RunningApi, running_api

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
PUMP = {"connection": "wire", "asset": "pump-1"}
WIRE = {"connection": "wire", "protocol": "mqtt"}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RunningApi]:
    with running_api(tmp_path) as server:
        yield server


def scraped(api: RunningApi) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
    """Return every series by name and labels."""
    with api.client(None) as client:
        answer = client.get("/metrics")
    assert answer.status_code == 200
    series: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            series.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return series


def labelled(**labels: str) -> frozenset[tuple[str, str]]:
    return frozenset(labels.items())


def let_a_pump_be_slow(api: RunningApi) -> None:
    """Let the drivers' figures be those of a pump that has answered thrice and been silent once."""
    wire = api.connections["wire"]
    wire.state, wire.samples, wire.errors, wire.duplicates = ConnectionState.UP, 120, 3, 2
    unit = UnitStatus(asset_id="pump-1", state=ConnectionState.DOWN, detail="no answer", requests=4, timeouts=1)
    unit.refusals, unit.overruns, unit.openings, unit.last_good_ns = 5, 6, 7, 1_800_000_000 * NS_PER_S
    wire.suppressed, wire.stalls, unit.skew_s, unit.clock_jumps = 8, 1, 90.5, 2
    for seconds in (0.004, 0.3, 99.0):
        unit.latency.add(seconds)
    wire.units["pump-1"] = unit


def let_a_gateway_fall_behind(api: RunningApi) -> None:
    """Let a gateway that runs apart have lost the bus some time ago."""
    api.gateways["roof"] = GatewayStatus(
        gateway_id="roof",
        detail="it is not connected to the bus",
        reported_ns=1_800_000_100 * NS_PER_S,
        waiting_by_lane={"state": 7, "telemetry": 900},
        waiting_bytes=50_000,
        oldest_ns=1_800_000_000 * NS_PER_S,
        dropped_by_lane={"telemetry": 3},
    )


def test_a_scrape_tells_how_every_connection_and_device_is(api: RunningApi) -> None:
    let_a_pump_be_slow(api)
    series = scraped(api)
    assert series["watchkeeper_connection_up"] == {labelled(**WIRE): 1}
    assert series["watchkeeper_connection_samples_total"] == {labelled(**WIRE): 120}
    assert series["watchkeeper_connection_bad_samples_total"] == {labelled(**WIRE): 3}
    assert series["watchkeeper_connection_duplicates_total"] == {labelled(**WIRE): 2}
    assert series["watchkeeper_connection_suppressed_samples_total"] == {labelled(**WIRE): 8}
    assert series["watchkeeper_connection_stalls_total"] == {labelled(**WIRE): 1}
    assert series["watchkeeper_unit_clock_behind_seconds"] == {labelled(**PUMP): 90.5}
    figures = {"requests": 4, "timeouts": 1, "refusals": 5, "overruns": 6, "breaker_openings": 7, "clock_jumps": 2}
    for name, value in figures.items():
        assert series[f"watchkeeper_unit_{name}_total"] == {labelled(**PUMP): value}
    assert series["watchkeeper_unit_up"] == {labelled(**PUMP): 0}
    assert series["watchkeeper_unit_last_good_timestamp_seconds"] == {labelled(**PUMP): 1_800_000_000}


def test_the_histogram_of_answers_is_cumulative_and_ends_with_all_of_them(api: RunningApi) -> None:
    let_a_pump_be_slow(api)
    series = scraped(api)
    buckets = series["watchkeeper_unit_response_seconds_bucket"]
    counts = [buckets[labelled(**PUMP, le=str(bound))] for bound in (*LATENCY_BOUNDS_S, "+Inf")]
    assert counts == [0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3]
    assert series["watchkeeper_unit_response_seconds_count"] == {labelled(**PUMP): 3}
    [total] = series["watchkeeper_unit_response_seconds_sum"].values()
    assert total == pytest.approx(99.304)


def test_a_scrape_tells_what_waits_and_what_was_dropped(api: RunningApi) -> None:
    api.samples(("pump-1/seal_leak", 1.0))
    series = scraped(api)
    assert series["watchkeeper_queue_waiting_samples"] == {labelled(queue="inbox"): 0, labelled(queue="history"): 1}
    assert series["watchkeeper_queue_dropped_samples_total"][labelled(queue="inbox")] == 0
    assert series["watchkeeper_samples_total"] == {labelled(): 1}
    assert set(series["watchkeeper_event_loop_lag_seconds"]) == {labelled(quantile=q) for q in ("0.5", "0.99", "1")}
    assert series["process_resident_memory_bytes"][labelled()] > 0


def test_a_scraper_that_asks_for_open_metrics_gets_it(api: RunningApi) -> None:
    let_a_pump_be_slow(api)
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    with api.client(None) as client:
        answer = client.get("/metrics", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    families = openmetrics_families(answer.text)  # type: ignore[no-untyped-call]  # prometheus-client has no types here
    assert any(family.name == "watchkeeper_unit_response_seconds" for family in families)


def test_without_a_token_a_request_that_a_proxy_passes_on_is_refused(api: RunningApi) -> None:
    with api.client(Role.SUPERVISOR) as client:
        for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
            answer = client.get("/metrics", headers={header: "127.0.0.1"})
            assert answer.status_code == 403, header
            assert "WATCHKEEPER_METRICS_TOKEN" in answer.json()["detail"]


def test_with_a_token_only_who_brings_it_is_answered(tmp_path: Path) -> None:
    with running_api(tmp_path, metrics_token="open sesame") as api, api.client(Role.SUPERVISOR) as client:
        for wrong in ({}, {"Authorization": "Bearer open"}, {"Authorization": "open sesame"}):
            assert client.get("/metrics", headers=wrong).status_code == 401
        proxied = {"Authorization": "Bearer open sesame", "X-Forwarded-For": "10.0.0.9"}
        assert client.get("/metrics", headers=proxied).status_code == 200


def test_a_gateway_that_runs_apart_tells_what_waits_in_its_spool(api: RunningApi) -> None:
    let_a_gateway_fall_behind(api)
    series = scraped(api)
    assert series["watchkeeper_gateway_up"] == {labelled(gateway="roof"): 0}
    assert series["watchkeeper_gateway_spool_waiting"] == {
        labelled(gateway="roof", lane="state"): 7,
        labelled(gateway="roof", lane="telemetry"): 900,
    }
    assert series["watchkeeper_gateway_spool_dropped_total"] == {labelled(gateway="roof", lane="telemetry"): 3}
    assert series["watchkeeper_gateway_spool_oldest_timestamp_seconds"] == {labelled(gateway="roof"): 1_800_000_000}


def test_the_documentation_names_every_figure_and_no_other(api: RunningApi) -> None:
    let_a_pump_be_slow(api)
    let_a_gateway_fall_behind(api)
    given = {name for name in scraped(api) if name.startswith("watchkeeper_")}
    given = {re.sub(r"_(bucket|count|sum|created)$", "", name) for name in given if not name.endswith("_created")}
    text = OPERATIONS.read_text(encoding="utf-8")
    table = re.findall(r"^\| `(watchkeeper_\w+)", text, flags=re.MULTILINE)
    assert sorted(table) == sorted(given)
    used = {re.sub(r"_bucket$", "", name) for name in re.findall(r"watchkeeper_\w+", text)}
    assert used <= given, "the example rules ask for figures that there are not"
