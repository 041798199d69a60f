from __future__ import annotations

import os
from pathlib import Path

import pytest

from facility.clock import ScaledClock
from facility.errors import ConfigurationError, NotFoundError
from simulators.recording import (
    RecordedRow,
    Recording,
    RecordingLayout,
    TimeColumn,
    read_layout,
    read_recording,
    shipped_layout,
)
from simulators.replay_mqtt import MqttPlayer
from tests.servers import Mosquitto
from tests.simulators.listening_client import listening, until
from tests.simulators.sites import mqtt_connection

DATA = Path(os.environ.get("WATCHKEEPER_DATA", Path(__file__).parents[3] / "shared" / "data"))

BENCH = RecordingLayout(
    delimiter=";",
    time=TimeColumn(column="datetime", format="%Y-%m-%d %H:%M:%S"),
    label="anomaly",
    columns={"Flow": "flow", "Current": "motor_current"},
)


def recorded(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the recording {name} is not in WATCHKEEPER_DATA ({DATA})")
    return path


def written(folder: Path, text: str) -> Path:
    path = folder / "recording.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return path


def test_times_count_from_the_first_row_and_labels_make_windows(tmp_path: Path) -> None:
    text = (
        "datetime;Flow;Current;anomaly\r\n"
        "2020-03-09 10:00:59;32.0;1.1;0.0\r\n"
        "2020-03-09 10:01:00;31.0;1.2;1.0\r\n"
        "2020-03-09 10:01:02;30.0;1.3;1.0\r\n"
        "2020-03-09 10:01:03;32.0;1.4;0.0\r\n"
        "2020-03-09 10:01:04;32.0;1.4;1.0\r\n"
    )
    recording = read_recording(written(tmp_path, text), BENCH)
    assert [row.offset_s for row in recording.rows] == [0.0, 1.0, 3.0, 4.0, 5.0]
    assert recording.rows[1] == RecordedRow(1.0, {"flow": "31.0", "motor_current": "1.2"})
    assert recording.labelled_windows() == [(1, 3), (4, 5)]


def test_a_file_without_labels_has_no_windows(tmp_path: Path) -> None:
    text = "datetime;Flow;Current\n2020-03-09 10:00:59;32.0;1.1\n"
    assert read_recording(written(tmp_path, text), BENCH).labelled_windows() == []


def test_rows_without_a_time_follow_each_other_at_the_period(tmp_path: Path) -> None:
    layout = RecordingLayout(period_s=0.25, columns={"vibration": "vibration"})
    recording = read_recording(written(tmp_path, "vibration\n18\n18. Jan\n\n"), layout)
    assert [row.offset_s for row in recording.rows] == [0.0, 0.25]
    assert recording.rows[1].cells == {"vibration": "18. Jan"}


def test_what_is_wrong_with_a_recording_is_told_at_once_with_its_lines(tmp_path: Path) -> None:
    text = "datetime;Flow;Current;anomaly\nyesterday;1;2;0\n2020-03-09 10:00:59;1\n2020-03-09 10:01:00;1;2;yes\n"
    with pytest.raises(ConfigurationError) as raised:
        read_recording(written(tmp_path, text), BENCH)
    assert [mistake.line for mistake in raised.value.mistakes] == [2, 3, 4]


def test_a_missing_column_is_told_with_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'Flows'"):
        read_recording(written(tmp_path, "datetime;Flows;Current\n"), BENCH)


def test_a_layout_with_mistakes_says_where(tmp_path: Path) -> None:
    path = tmp_path / "layout.yaml"
    path.write_text("delimiter: ';'\nperiod: 1\ncolumns: {Flow: flow}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as raised:
        read_layout(path)
    (mistake,) = raised.value.mistakes
    assert mistake.line == 2
    assert "period_s" in mistake.message


def test_an_unknown_layout_is_told_with_the_nearest_one() -> None:
    with pytest.raises(NotFoundError, match="did you mean 'lift-vibration'"):
        shipped_layout("lift-vibrations")


def test_the_pump_experiment_is_read_with_its_labelled_window() -> None:
    recording = read_recording(recorded("pump-testbed/0.csv"), shipped_layout("pump-testbed"))
    assert len(recording.rows) == 1147
    assert recording.labelled_windows() == [(573, 974)]
    assert recording.rows[0].cells["flow"].startswith("32")


def test_the_lift_recording_is_read_with_its_mangled_cells() -> None:
    recording = read_recording(recorded("lift-vibration/lift.csv"), shipped_layout("lift-vibration"))
    assert len(recording.rows) == 112_001
    assert recording.rows[10].cells["vibration"] == "18. Jan"
    assert sum("." in row.cells["vibration"] and " " in row.cells["vibration"] for row in recording.rows) > 100


async def test_a_player_sends_numbers_as_numbers_and_mangled_cells_as_they_stand(mosquitto: Mosquitto) -> None:
    cells = ["18", "18. Jan", "-1.5e3", "nan", "", " 7 ", "Mrz 19", "1_000"]
    rows = [RecordedRow(number * 0.25, {"vibration": cell}) for number, cell in enumerate(cells)]
    recording = Recording(rows, [False] * len(rows))
    clock = ScaledClock(start_ns=5_000_000, speed=50.0)
    with listening(mosquitto.port, "replay-test/mangled/#") as heard:
        await MqttPlayer(mqtt_connection(mosquitto.port), "replay-test/mangled", recording, clock).run()
        await until(lambda: len(heard.messages) == len(cells), "every row")
    bodies = [message.body for message in heard.messages]
    assert [body["vibration"] for body in bodies] == [18.0, "18. Jan", -1500.0, "nan", "", 7.0, "Mrz 19", "1_000"]
    assert [body["row"] for body in bodies] == list(range(len(cells)))
    offsets_ms = [body["t_ms"] - bodies[0]["t_ms"] for body in bodies]
    assert offsets_ms == pytest.approx([number * 250.0 for number in range(len(cells))])
    assert {message.topic for message in heard.messages} == {"replay-test/mangled/telemetry"}


async def test_a_player_keeps_the_pace_of_its_clock_and_loses_no_row(mosquitto: Mosquitto) -> None:
    rows = [RecordedRow(number * 0.25, {"vibration": "18.5"}) for number in range(4000)]
    clock = ScaledClock(start_ns=0, speed=1000.0)
    with listening(mosquitto.port, "replay-test/pace/#") as heard:
        await MqttPlayer(
            mqtt_connection(mosquitto.port), "replay-test/pace", Recording(rows, [False] * len(rows)), clock
        ).run()
        assert clock.now_ns() >= 999.75e9
        await until(lambda: len(heard.messages) == len(rows), "every row")
    assert [message.body["row"] for message in heard.messages] == list(range(len(rows)))
