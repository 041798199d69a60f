"""The history is tidied beside everything else, and a restart shows what was known."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.history_tidying import HistoryTidying
from app.system import open_system
from facility.clock import NS_PER_S, VirtualClock
from facility.errors import HistoryUnavailableError
from facility.history.duckdb_history import DuckDbHistory
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from facility.settings import Settings
from tests.app.troubled_plant import SITE_FILE

NOON_NS = 1_800_000_000 * NS_PER_S
DAY_NS = 86_400 * NS_PER_S


class Full(DuckDbHistory):
    """A history whose disk is full while it is asked to tidy."""

    is_full = True

    def tidy(self, now_ns: int) -> None:
        if self.is_full:
            raise HistoryUnavailableError("the disk", "no space left")
        super().tidy(now_ns)


def test_a_full_disk_is_told_once_and_so_is_its_end(tmp_path: Path) -> None:
    history = Full(tmp_path)
    history.append(SampleBatch.of([Sample(1, NOON_NS, NOON_NS, 1.0, Quality.GOOD)]))
    history.commit()
    tidying = HistoryTidying(history, VirtualClock(NOON_NS + 2 * DAY_NS))
    with capture_logs() as logs:
        tidying.step()
        tidying.step()
        history.is_full = False
        tidying.step()
        tidying.step()
    assert [(entry["log_level"], entry["event"].split(";")[0]) for entry in logs] == [
        ("warning", "history cannot be tidied"),
        ("info", "history of a day sorted"),
        ("info", "history can be tidied again"),
    ]
    assert len(history.read(1, 0, NOON_NS + DAY_NS, 10)) == 1
    history.close()


def test_a_restart_shows_what_was_known_as_stale_and_closes_the_days_that_ended_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=tmp_path, site_file=SITE_FILE)
    for device in ("MQTT_CLIENT", "MQTT_PORT", "MODBUS_PORT", "BACNET_PORT"):  # nobody connects
        monkeypatch.setenv(f"WATCHKEEPER_{device}", "9")
    with open_system(settings, clock=VirtualClock(NOON_NS)) as system:
        key = min(system.facility.points)
        sample = Sample(key, NOON_NS, NOON_NS, 3.5, Quality.GOOD)
        system.services.history.append(SampleBatch.of([sample]))
        system.services.history.commit()
    with open_system(settings, clock=VirtualClock(NOON_NS + 600 * NS_PER_S)) as system:
        (known,) = system.services.latest.changed_since(0)[1]
        assert (known.point, known.value, known.quality) == (key, 3.5, Quality.UNCERTAIN_STALE)
        assert system.services.latest.samples == 0
    with open_system(settings, clock=VirtualClock(NOON_NS + 2 * DAY_NS)) as system:
        assert system.services.latest.changed_since(0)[1] == []
        assert system.services.history.read(key, 0, NOON_NS + DAY_NS, 10).rows() == [sample]
    assert len(list((tmp_path / "history").glob("*.parquet"))) == 1
