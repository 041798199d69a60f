"""Rules and assets that a site file no longer names, as people see them through the API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.system import System, listening_socket, open_system
from facility.clock import NS_PER_S, VirtualClock
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from facility.settings import Settings
from gateway.events import Delivery
from people.model import Account, Role
from people.service import accounts
from tests.dashboards.running_api import serving
from tests.databases import employ

HEAD = """\
site: {id: house, name: House, time_zone: Asia/Shanghai}
spaces: [{id: house, kind: building}]
connections: [{id: line, protocol: modbus, host: 127.0.0.1, port: 502}]
assets:
  - {id: pump-2, class: pump, profile: pump-vfd-b, space: house, connection: line, address: {unit: 2}}
"""
PUMP = """\
  - {id: pump-1, name: Old pump, class: pump, profile: pump-vfd-b, space: cellar, connection: line, address: {unit: 1}}
"""
WITH_CELLAR = HEAD.replace("kind: building}", "kind: building}, {id: cellar, name: Old cellar, kind: room}")
WHOLE = WITH_CELLAR + PUMP
WITHOUT_RULE = WITH_CELLAR + PUMP.replace("unit: 1}}", "unit: 1}, rules: {vibration_high: {enabled: false}}}")
WITHOUT_PUMP = HEAD


@dataclass(frozen=True)
class House:
    """One start of Watchkeeper on the house's database, with a supervisor at the console."""

    system: System
    clock: VirtualClock
    client: httpx.Client
    supervisor: Account

    def vibrate(self) -> None:
        """Let the old pump vibrate for longer than its rule waits."""
        [key] = [point.key for point in self.system.facility.points.values() if point.address == "pump-1/vibration"]
        for _ in range(2):
            self.clock.advance(6)
            now_ns = self.clock.now_ns()
            batch = SampleBatch.of([Sample(key, now_ns, now_ns, 20.0, Quality.GOOD)])
            self.system.engine.step([Delivery(connection_id="line", batch=batch)])

    def get(self, path: str, **params: str) -> dict[str, Any]:
        """Return what the API answers."""
        answer = self.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def alarms(self, state: str, **params: str) -> list[dict[str, Any]]:
        """Return the alarms of the old pump's vibration."""
        found = self.get("/api/alarms", state=state, **params)["alarms"]
        return [alarm for alarm in found if (alarm["asset_id"], alarm["rule"]) == ("pump-1", "vibration_high")]


Start = Callable[[str], AbstractContextManager[House]]


@pytest.fixture
def start(tmp_path: Path, database_url: str) -> Start:
    """Starts Watchkeeper with the text of a site file, every time on the same database."""
    site_file, clock = tmp_path / "site.yaml", VirtualClock(1_800_000_000 * NS_PER_S)
    settings = Settings(site_file=site_file, data_dir=tmp_path / "data", database_url=database_url)

    @contextmanager
    def started(site: str) -> Iterator[House]:
        site_file.write_text(site, encoding="utf-8")
        clock.advance(60)
        with open_system(settings, clock=clock) as system:
            with system.database.begin() as connection:
                supervisor, *_ = accounts(connection) or [employ(connection, Role.SUPERVISOR)]
            with (
                listening_socket("127.0.0.1", 0) as listener,
                serving(system.services, listener) as address,
                httpx.Client(base_url=address, headers={"X-Watchkeeper": "1"}) as client,
            ):
                answer = client.post("/api/session", json={"login": supervisor.login, "password": "secret"})
                assert answer.status_code == 200, answer.text
                yield House(system, clock, client, supervisor)

    return started


@pytest.mark.parametrize("site", [WITHOUT_RULE, WITHOUT_PUMP], ids=["rule", "asset and space"])
def test_what_is_removed_with_an_alarm_open_leaves_history_and_an_order_to_decide_about(
    start: Start, site: str
) -> None:
    with start(WHOLE) as house:
        house.vibrate()
        [before] = house.alarms("open")
        assert before["state"] == "B"
    with start(site) as house:
        assert house.alarms("open") == []
        assert before["id"] not in [alarm["id"] for alarm in house.get("/api/snapshot")["alarms"]]
        [alarm] = house.alarms("all", system="pump", asset_id="pump-1")
        words = ("title", "asset_name", "space_name", "unit", "system", "value", "limit", "order_id", "raised_at")
        assert {word: alarm[word] for word in words} == {word: before[word] for word in words}
        assert (alarm["state"], alarm["cleared_at"], alarm["acknowledged_by"]) == ("A", None, None)
        assert alarm["closed_at"] is not None
        detail = house.get(f"/api/alarms/{alarm['id']}")
        assert [(line["transition"], line["actor"]) for line in detail["journal"]] == [
            ("raised", "Watchkeeper"),
            ("retired", "Watchkeeper"),
        ]
        assert house.get(f"/api/points/{detail['point_key']}/history")["value"] is not None
        late = house.client.post(f"/api/alarms/{alarm['id']}/acknowledge", json={"version": before["version"]})
        assert late.status_code == 409
        assert "Vibration high) was retired (Watchkeeper)" in late.json()["detail"]
        check_order(house, before["order_id"])


def check_order(house: House, order_id: int) -> None:
    """See that the order stands, says why someone has to decide, and lets them."""
    assert order_id in [order["id"] for order in house.get("/api/work-orders")["work_orders"]]
    order = house.get(f"/api/work-orders/{order_id}")
    assert (order["state"], order["asset_name"]["en"], order["space_name"]["en"]) == (
        "triaged",
        "Old pump",
        "Old cellar",
    )
    assert [line["transition"] for line in order["journal"]] == ["opened_by_alarm", "alarm_retired"]
    answer = house.client.post(
        f"/api/work-orders/{order_id}/cancel", json={"version": order["version"], "reason": "the pump is gone"}
    )
    assert answer.json()["state"] == "cancelled"
    assert order_id in [order["id"] for order in house.get("/api/work-orders", state="all")["work_orders"]]


def test_a_pump_that_comes_back_still_vibrating_alarms_again_and_joins_its_order(start: Start) -> None:
    with start(WHOLE) as house:
        house.vibrate()
        [first] = house.alarms("open")
    for _ in range(2):  # the second time there is nothing left to retire
        with start(WITHOUT_PUMP) as house:
            assert len(house.get(f"/api/alarms/{first['id']}")["journal"]) == 2
            assert len(house.get(f"/api/work-orders/{first['order_id']}")["journal"]) == 2
    with start(WHOLE) as house:
        assert house.alarms("open") == []
        house.vibrate()
        [again] = house.alarms("open")
        order = house.get(f"/api/work-orders/{first['order_id']}")
    assert again["id"] != first["id"]
    assert again["order_id"] == first["order_id"]
    assert [line["transition"] for line in order["journal"]] == ["opened_by_alarm", "alarm_retired", "raised_again"]
    assert [alarm["state"] for alarm in order["alarms"]] == ["A", "B"]


def test_whoever_works_on_the_order_goes_on_and_completes_it(start: Start) -> None:
    with start(WHOLE) as house:
        house.vibrate()
        [alarm] = house.alarms("open")
        path = f"/api/work-orders/{alarm['order_id']}"
        order = house.get(path)
        order = command(house, f"{path}/assign", {"version": order["version"], "assignee_id": house.supervisor.id})
        order = command(house, f"{path}/start", {"version": order["version"]})
    with start(WITHOUT_RULE) as house:
        assert house.get(path)["journal"][-1]["transition"] == "alarm_retired"
        for step in order["steps"]:
            order = command(house, f"{path}/steps/{step['number']}", {"version": order["version"], "done": True})
        done = command(house, f"{path}/complete", {"version": order["version"]})
    assert done["state"] == "completed"


def command(house: House, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Send a command that is accepted."""
    answer = house.client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    after: dict[str, Any] = answer.json()
    return after
