"""History over the API: raw, gathered, and to take away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from facility.clock import NS_PER_MS, NS_PER_S
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from people.model import Role
from tests.dashboards.running_api import START_NS, RunningApi, running_api

START_MS = START_NS // NS_PER_MS


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RunningApi]:
    with running_api(tmp_path) as running:
        yield running


@pytest.fixture
def client(api: RunningApi) -> Iterator[httpx.Client]:
    with api.client(Role.OPERATOR) as client:
        yield client


def key_of(api: RunningApi, address: str) -> int:
    return next(point.key for point in api.facility.points.values() if point.address == address)


@pytest.fixture
def key(api: RunningApi) -> int:
    """A point with a sample a second for ten seconds: their numbers, the fifth bad and the sixth uncertain."""
    key = key_of(api, "pump-1/bearing_temperature")
    qualities = {4: Quality.BAD_COMMUNICATION, 5: Quality.UNCERTAIN_STALE}
    rows = [
        Sample(key, START_NS + s * NS_PER_S, START_NS + s * NS_PER_S, float(s), qualities.get(s, Quality.GOOD))
        for s in range(10)
    ]
    api.services.history.append(SampleBatch.of([*rows, rows[0]._replace(point=key + 1)]))
    api.services.history.commit()
    return key


def test_samples_of_a_period_come_as_columns_and_of_too_many_the_newest(client: httpx.Client, key: int) -> None:
    path = f"/api/points/{key}/samples"
    period = {"from_ms": START_MS + 2_000, "to_ms": START_MS + 6_000}
    answer = client.get(path, params=period).json()
    assert answer == {
        "time_ms": [START_MS + second * 1_000 for second in (2, 3, 4, 5)],
        "value": [2.0, 3.0, 4.0, 5.0],
        "quality": [0, 0, 128, 64],
    }
    assert client.get(path, params={**period, "limit": 1}).json()["value"] == [5.0]


def test_buckets_leave_out_what_is_bad_and_count_what_is_good(client: httpx.Client, key: int) -> None:
    params = {"from_ms": START_MS, "to_ms": START_MS + 12_000, "count": 4}
    assert client.get(f"/api/points/{key}/buckets", params=params).json() == {
        "time_ms": [START_MS, START_MS + 3_000, START_MS + 6_000, START_MS + 9_000],
        "minimum": [0.0, 3.0, 6.0, 9.0],
        "maximum": [2.0, 5.0, 8.0, 9.0],
        "mean": [1.0, 4.0, 7.0, 9.0],
        "last": [2.0, 5.0, 8.0, 9.0],
        "good": [3, 1, 3, 1],
        "count": [3, 3, 3, 1],
    }
    lonely = {"from_ms": START_MS + 4_000, "to_ms": START_MS + 5_000, "count": 1}
    bad = client.get(f"/api/points/{key}/buckets", params=lonely).json()
    assert (bad["mean"], bad["last"], bad["good"], bad["count"]) == ([None], [None], [0], [1])


def test_an_export_is_a_file_with_a_name(client: httpx.Client, key: int) -> None:
    params: dict[str, int | str | list[int]] = {"point": [key, key + 1], "from_ms": START_MS, "to_ms": START_MS + 2_000}
    text = client.get("/api/history/export", params=params)
    assert text.status_code == 200, text.text
    assert text.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert text.headers["Content-Disposition"] == 'attachment; filename="watchkeeper-history.csv"'
    lines = text.text.splitlines()
    assert lines[0] == "time,point,value,unit,quality"
    assert len(lines) == 1 + 3
    assert any(line.endswith("Z,pump-1/bearing_temperature,1.0,°C,good") for line in lines)
    parquet = client.get("/api/history/export", params={**params, "format": "parquet"})
    assert parquet.content[:4] == parquet.content[-4:] == b"PAR1"
    assert parquet.headers["Content-Type"] == "application/vnd.apache.parquet"


def test_an_export_leaves_nothing_behind(
    client: httpx.Client, key: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    params = {"point": key, "from_ms": START_MS, "to_ms": START_MS + 2_000}
    assert client.get("/api/history/export", params=params).status_code == 200
    assert client.get("/api/facility").status_code == 200
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    "path",
    [
        "/api/points/999999/samples?from_ms=0&to_ms=1",
        "/api/points/999999/buckets?from_ms=0&to_ms=1",
        "/api/history/export?point=999999&from_ms=0&to_ms=1",
    ],
)
def test_a_point_that_never_was_is_not_found(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "from_ms=5&to_ms=5",
        "from_ms=5",
        "from_ms=-1&to_ms=5",
        f"from_ms=0&to_ms={10**13}",
        "from_ms=0&to_ms=x",
        "from_ms=0&to_ms=5&limit=0&count=0&format=xml",
    ],
)
def test_an_odd_period_is_refused(client: httpx.Client, key: int, query: str) -> None:
    paths = (f"/api/points/{key}/samples?", f"/api/points/{key}/buckets?", f"/api/history/export?point={key}&")
    for path in paths:
        assert client.get(f"{path}{query}").status_code == 422, path


def test_who_is_not_logged_in_takes_nothing_away(api: RunningApi, key: int) -> None:
    with api.client(None) as stranger:
        answer = stranger.get("/api/history/export", params={"point": key, "from_ms": 0, "to_ms": 1})
    assert answer.status_code == 401
