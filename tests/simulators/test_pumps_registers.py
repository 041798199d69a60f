"""Both makes of drive lay their registers out as the wire's description says."""

from __future__ import annotations

import struct

import pytest

from simulators.pumps.pump import Readings
from simulators.pumps.registers import REGISTER_MAPS, encode_vfd_a, encode_vfd_b

READINGS = Readings(
    speed_rpm=1465.0,
    flow_m3h=117.5,
    inlet_pressure_bar=-0.725,
    outlet_pressure_bar=3.75,
    motor_current_a=19.25,
    motor_voltage_v=400.5,
    motor_power_kw=10.75,
    winding_temperature_c=63.5,
    bearing_temperature_c=-4.5,
    vibration_mm_s=1.25,
    run_hours=499.996,
    starts=70_000,
    running=True,
    seal_leak=False,
    drive_fault=True,
    remote_control=True,
    speed_setpoint_rpm=1200.0,
)


def test_make_a_sends_the_most_significant_word_first() -> None:
    registers = encode_vfd_a(READINGS)
    assert len(registers) == REGISTER_MAPS["pump-vfd-a"].count == 29
    assert registers[0:2] == list(struct.unpack(">2H", struct.pack(">f", 1465.0)))
    assert registers[4:6] == list(struct.unpack(">2H", struct.pack(">f", -0.725)))
    assert registers[20:24] == list(struct.unpack(">4H", struct.pack(">d", 499.996)))
    assert registers[24:26] == [70_000 >> 16, 70_000 & 0xFFFF]
    assert registers[26] == 0b1101
    assert registers[27:29] == list(struct.unpack(">2H", struct.pack(">f", 1200.0)))


def test_make_b_sends_scaled_integers_and_the_least_significant_word_first() -> None:
    registers = encode_vfd_b(READINGS)
    assert len(registers) == REGISTER_MAPS["pump-vfd-b"].count == 16
    assert registers[0:2] == [1465, 1175]
    assert registers[2] == 0x10000 - 725
    assert registers[3:8] == [3750, 1925, 4005, 1075, 635]
    assert registers[8:10] == [0x10000 - 45, 125]
    assert registers[10:12] == [499_996 & 0xFFFF, 499_996 >> 16]
    assert registers[12:14] == [70_000 & 0xFFFF, 70_000 >> 16]
    assert registers[14:16] == [0b1101, 1200]


@pytest.mark.parametrize("flow", [1e6, -1e6, 3276.7])
def test_a_value_beyond_its_register_stops_at_the_end(flow: float) -> None:
    registers = encode_vfd_b(READINGS._replace(flow_m3h=flow))
    assert registers[1] == (0x8000 if flow < 0 else 0x7FFF)
