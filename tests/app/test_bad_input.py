"""Bad input, the whole way: a clear error or a bad sample, told once, and nothing else disturbed."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from pymodbus.constants import ExcCodes
from structlog.testing import capture_logs

from app.process import EXIT_REFUSED
from facility.class_files import load_classes
from facility.errors import ConfigurationError
from facility.quality import Quality
from tests.app.troubled_plant import GOOD_STATE, SEAL_LEAK, registers_a, registers_b, troubled_plant
from tests.gateway.driver_site import until
from tests.servers import Mosquitto

Entry = MutableMapping[str, Any]
TEN_MEGABYTES = 10_000_000

NONSENSE: dict[str, tuple[bytes, Quality]] = {
    "cut JSON": (b'{"door": "clo', Quality.BAD_MALFORMED),
    "no JSON": (b"\xff\xfe\x00", Quality.BAD_MALFORMED),
    "a number that JSON does not know": (b'{"battery_v": NaN}', Quality.BAD_MALFORMED),
    "not a number as text": (orjson.dumps({**GOOD_STATE, "battery_v": "nan"}), Quality.BAD_NOT_A_NUMBER),
    "a date": (orjson.dumps({**GOOD_STATE, "battery_v": "18. Jan"}), Quality.BAD_MALFORMED),
    "out of range": (orjson.dumps({**GOOD_STATE, "battery_v": -1e9}), Quality.BAD_OUT_OF_RANGE),
    "10 MB": (orjson.dumps({**GOOD_STATE, "battery_v": 1.0, "padding": "x" * TEN_MEGABYTES}), Quality.BAD_MALFORMED),
}
"""What a door may publish as its state, and what becomes of its battery's voltage."""


def told(logs: Sequence[Entry]) -> list[tuple[str, str]]:
    """Return level and beginning of everything that was logged by the drivers."""
    return [(entry["log_level"], entry["event"].split(";")[0]) for entry in logs]


@pytest.mark.parametrize(("payload", "quality"), NONSENSE.values(), ids=list(NONSENSE))
async def test_nonsense_from_one_door_is_told_once_and_the_next_door_still_raises_its_alarm(
    mosquitto: Mosquitto, tmp_path: Path, payload: bytes, quality: Quality
) -> None:
    async with troubled_plant(mosquitto.port, tmp_path) as plant:
        with capture_logs() as logs:
            for _ in range(3):
                plant.say("door-1", payload)
            await until(lambda: plant.quality("door-1", "battery_voltage") is quality)
            await plant.keeps_flowing("door-2", "battery_voltage")
            plant.states["door-2"] = {**GOOD_STATE, "door": "forced"}
            await until(plant.alarms)
            await plant.keeps_flowing("pump-1", "flow")
            assert plant.quality("door-1", "battery_voltage") is quality
            plant.states["door-1"] = GOOD_STATE
            await until(lambda: len(told_of_mqtt(logs)) > 1)
            await until(lambda: plant.quality("door-1", "battery_voltage") is Quality.GOOD)
        assert told_of_mqtt(logs) == [
            ("warning", "MQTT payload has bad values"),
            ("info", "MQTT payload is good again"),
        ]
        assert plant.alarms() == [("door-2", "forced")]
        assert plant.orders() == 1


def told_of_mqtt(logs: Sequence[Entry]) -> list[tuple[str, str]]:
    """Return what was logged, which is about one topic or the test fails; BACnet objects that lack are not at issue."""
    entries = [entry for entry in logs if "object" not in entry]
    assert {entry["topic"] for entry in entries} <= {"bad-input/door-1/state"}, entries
    return told(entries)


@pytest.mark.parametrize(
    ("trouble", "quality"),
    [
        ("exception", Quality.BAD_DEVICE_EXCEPTION),
        (math.nan, Quality.BAD_NOT_A_NUMBER),
        (math.inf, Quality.BAD_NOT_A_NUMBER),
        (-1e9, Quality.BAD_OUT_OF_RANGE),
    ],
)
async def test_a_pump_that_answers_nonsense_is_told_once_and_its_neighbour_on_the_line_still_raises_its_alarm(
    mosquitto: Mosquitto, tmp_path: Path, trouble: str | float, quality: Quality
) -> None:
    async with troubled_plant(mosquitto.port, tmp_path) as plant:
        with capture_logs() as logs:
            if isinstance(trouble, str):
                plant.pumps[1].exception = ExcCodes.DEVICE_FAILURE
            else:
                plant.pumps[1].registers[:] = registers_a(flow=trouble)
            await until(lambda: plant.quality("pump-1", "flow") is quality)
            plant.pumps[2].registers[:] = registers_b(SEAL_LEAK)
            await plant.keeps_flowing("pump-2", "flow")
            await until(plant.alarms)
            await plant.keeps_flowing("door-1", "battery_voltage")
            plant.pumps[1].exception = None
            plant.pumps[1].registers[:] = registers_a()
            await until(lambda: plant.quality("pump-1", "flow") is Quality.GOOD)
            await until(lambda: len(told_of_pumps(logs)) > 1)
        assert told_of_pumps(logs) == [
            ("warning", "Modbus points have bad values"),
            ("info", "Modbus points are good again"),
        ]
        assert plant.alarms() == [("pump-2", "seal_leak")]
        assert plant.orders() == 1


def told_of_pumps(logs: Sequence[Entry]) -> list[tuple[str, str]]:
    """Return what was logged, which is about one pump or the test fails."""
    entries = [entry for entry in logs if "object" not in entry]
    assert {entry["asset"] for entry in entries} <= {"pump-1"}, entries
    return told(entries)


async def test_an_object_that_the_panel_does_not_have_is_told_once_and_a_call_point_still_raises_its_alarm(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    with capture_logs() as logs:
        async with troubled_plant(mosquitto.port, tmp_path, speed=5.0) as plant:
            await until(lambda: plant.quality("detector-101", "obscuration") is Quality.BAD_CONFIGURATION)
            assert plant.quality("detector-101", "heat") is Quality.BAD_CONFIGURATION
            assert plant.quality("detector-101", "state") is Quality.GOOD
            await plant.keeps_flowing("pump-1", "flow")
            plant.panel.object("binary-input", 1).presentValue = "active"
            await until(plant.alarms)
            plant.panel.add_analog(101)
            plant.panel.object("analog-input", 101).presentValue = 0.1
            await until(lambda: plant.quality("detector-101", "obscuration") is Quality.GOOD)
            await until(lambda: len(told_of("analog-input,101", logs)) > 1)
            assert plant.alarms() == [("call-point-1", "activated")]
            assert plant.orders() == 1
    assert [level for level, _ in told_of("analog-input,101", logs)] == ["warning", "info"]
    assert told_of("analog-input,1101", logs) == [("warning", "BACnet object has a bad value")]
    assert {entry.get("object") for entry in logs} == {"analog-input,101", "analog-input,1101"}, logs


def told_of(name: str, logs: Sequence[Entry]) -> list[tuple[str, str]]:
    """Return what was logged of one BACnet object."""
    return told([entry for entry in logs if entry.get("object") == name])


def watchkeeper(*arguments: str) -> tuple[int, str]:
    """Run a command to its end; return its exit code and what it said on standard error."""
    command = [sys.executable, "-m", "app.cli", *arguments]
    outcome = subprocess.run(command, capture_output=True, timeout=60, check=False)  # noqa: S603  # our own command
    return outcome.returncode, outcome.stderr.decode()


WRONG_SITE = """site: {id: wrong, name: {en: Wrong, zh: 错误}, time_zone: UTC}
spaces:
  - {id: tower, kind: building}
connections:
  - {id: line, protocol: modbus, host: 127.0.0.1, port: 1502}
assets:
  - {id: pump-1, class: pump, space: tower, connection: line, profile: pump-vfd-a, address: {unit: 1}}
  - {id: pump-2, class: pump, space: tower, connection: line, profile: pump-vfd-a, address: {unit: 1}}
  - {id: pump-3, class: pumpe, space: tower, connection: line, profile: pump-vfd-a, address: {unit: 3}}
  - id: pump-4
    class: pump
    space: tower
    connection: line
    profile: pump-vfd-a
    address: {unit: 4}
    rules:
      seal_leek: {on_delay_s: 3}
"""


def test_every_mistake_of_a_site_file_is_told_at_once_with_line_and_remedy(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(WRONG_SITE)
    code, said = watchkeeper("site", "check", str(site))
    assert code == EXIT_REFUSED
    lines = said.splitlines()
    assert [line.removeprefix(f"{site}:").split(":")[0] for line in lines] == ["8", "9", "17"], said
    assert "pump-2 has the address of" in lines[0]
    assert "give each device its own" in lines[0]
    assert "did you mean 'pump'?" in lines[1]
    assert "did you mean 'seal_leak'?" in lines[2]


@pytest.mark.parametrize("command", [("site", "check"), ("run", "--site")], ids=["check", "run"])
def test_a_file_that_is_no_yaml_is_told_with_its_line(tmp_path: Path, command: tuple[str, ...]) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("site: {id: wrong}\nspaces:\n\t- {id: tower}\n")
    code, said = watchkeeper(*command, str(site))
    assert code == EXIT_REFUSED
    assert f"{site}:3: is not YAML here" in said
    assert "indent with spaces, not with a tab" in said
    assert "Traceback" not in said


def test_a_class_whose_rule_names_an_unknown_point_is_told_with_its_line_and_the_nearest_point(tmp_path: Path) -> None:
    pump = (Path(__file__).parents[2] / "facility" / "classes" / "pump.yaml").read_text()
    line = next(n for n, text in enumerate(pump.splitlines(), 1) if text.strip() == "point: seal_leak")
    (tmp_path / "pump.yaml").write_text(pump.replace("point: seal_leak", "point: seal_leek"))
    with pytest.raises(ConfigurationError) as raised:
        load_classes(tmp_path)
    [mistake] = raised.value.mistakes
    assert (mistake.line, Path(mistake.file).name) == (line, "pump.yaml")
    assert "did you mean 'seal_leak'?" in mistake.message
