"""Requests that no console sends, answered alike on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.system import listening_socket, open_system
from facility.clock import VirtualClock
from facility.settings import Settings
from people.model import Role
from tests.dashboards.running_api import serving
from tests.databases import employ

SITE = """\
site: {id: house, name: House, time_zone: Asia/Shanghai}
spaces: [{id: house, kind: building}]
connections: []
assets: []
"""


@pytest.fixture
def client(tmp_path: Path, database_url: str) -> Iterator[httpx.Client]:
    site_file = tmp_path / "site.yaml"
    site_file.write_text(SITE, encoding="utf-8")
    settings = Settings(site_file=site_file, data_dir=tmp_path / "data", database_url=database_url)
    with open_system(settings, clock=VirtualClock(10**18)) as system:
        with system.database.begin() as connection:
            employ(connection, Role.SUPERVISOR)
        with (
            listening_socket("127.0.0.1", 0) as listener,
            serving(system.services, listener) as address,
            httpx.Client(base_url=address, headers={"X-Watchkeeper": "1"}) as client,
        ):
            yield client


def test_what_no_database_can_hold_is_refused_and_not_a_failure(client: httpx.Client) -> None:
    for login in ("nobody\0", "x" * 10_000, "\U0001f525" * 100):
        answer = client.post("/api/session", json={"login": login, "password": "secret"})
        assert answer.status_code in {401, 422}, answer.text
    answer = client.post("/api/session", json={"login": "supervisor", "password": "secret"})
    assert answer.status_code == 200, answer.text
    for path, params in (
        (f"/api/alarms/{10**30}", {}),
        (f"/api/work-orders/{2**40}", {}),
        ("/api/alarms", {"offset": str(10**30)}),
        ("/api/work-orders", {"asset_id": "pump\0"}),
    ):
        answer = client.get(path, params=params)
        assert answer.status_code in {200, 404, 422}, (path, answer.text)
    answer = client.post(f"/api/work-orders/{10**30}/cancel", json={"version": 10**30, "reason": "none"})
    assert answer.status_code in {404, 422}, answer.text
    answer = client.post("/api/alarms/1/acknowledge", json={"version": 1, "comment": "seen\0"})
    assert answer.status_code == 422
    assert "U+0000" in answer.json()["detail"]
