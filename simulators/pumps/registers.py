"""How the two makes of drive lay their readings out in holding registers: one ``struct.pack`` a block."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from simulators.pumps.pump import Readings

UINT16_MAX = 0xFFFF
INT16_MIN, INT16_MAX = -0x8000, 0x7FFF
UINT32_MAX = 0xFFFF_FFFF

_VFD_A = struct.Struct(">10fdIHf")
_VFD_B = struct.Struct(">HhhhHHHhhHHHHHHH")


@dataclass(frozen=True, slots=True)
class RegisterMap:
    """One make's holding registers."""

    start: int
    """Address of the first."""
    count: int
    encode: Callable[[Readings], list[int]]
    """Returns ``count`` registers."""
    setpoint: int
    """Address of the speed set-point, which may be written."""
    setpoint_count: int
    setpoint_rpm: Callable[[list[int]], float]
    """Returns the set-point that its registers say."""


def registers_of(block: bytes) -> list[int]:
    """Return bytes as 16-bit registers, most significant byte first as Modbus fixes."""
    return list(struct.unpack(f">{len(block) // 2}H", block))


def encode_vfd_a(readings: Readings) -> list[int]:
    """Lay out ``pump-vfd-a``: floats and wide integers with the most significant word first."""
    wide = (readings.run_hours, readings.starts & UINT32_MAX)
    return registers_of(_VFD_A.pack(*readings[:10], *wide, _bits(readings), readings.speed_setpoint_rpm))


def encode_vfd_b(readings: Readings) -> list[int]:
    """Lay out ``pump-vfd-b``: scaled 16-bit integers, and 32-bit ones with the least significant word first."""
    run_millihours = int(readings.run_hours * 1000) & UINT32_MAX
    starts = readings.starts & UINT32_MAX
    return registers_of(
        _VFD_B.pack(
            _unsigned(readings.speed_rpm, 1),
            _signed(readings.flow_m3h, 0.1),
            _signed(readings.inlet_pressure_bar, 0.001),
            _signed(readings.outlet_pressure_bar, 0.001),
            _unsigned(readings.motor_current_a, 0.01),
            _unsigned(readings.motor_voltage_v, 0.1),
            _unsigned(readings.motor_power_kw, 0.01),
            _signed(readings.winding_temperature_c, 0.1),
            _signed(readings.bearing_temperature_c, 0.1),
            _unsigned(readings.vibration_mm_s, 0.01),
            run_millihours & UINT16_MAX,
            run_millihours >> 16,
            starts & UINT16_MAX,
            starts >> 16,
            _bits(readings),
            _unsigned(readings.speed_setpoint_rpm, 1),
        )
    )


def setpoint_of_vfd_a(registers: list[int]) -> float:
    """Return the speed that a float's two registers say; NaN is one, too."""
    value: float = struct.unpack(">f", struct.pack(">2H", *registers))[0]
    return value


def setpoint_of_vfd_b(registers: list[int]) -> float:
    """Return the speed that a single register says."""
    return float(registers[0])


def _bits(readings: Readings) -> int:
    flags = (readings.running, readings.seal_leak, readings.drive_fault, readings.remote_control)
    return sum(1 << bit for bit, flag in enumerate(flags) if flag)


def _unsigned(value: float, resolution: float) -> int:
    return min(max(round(value / resolution), 0), UINT16_MAX)


def _signed(value: float, resolution: float) -> int:
    return min(max(round(value / resolution), INT16_MIN), INT16_MAX)


REGISTER_MAPS: Mapping[str, RegisterMap] = {
    "pump-vfd-a": RegisterMap(0, _VFD_A.size // 2, encode_vfd_a, 27, 2, setpoint_of_vfd_a),
    "pump-vfd-b": RegisterMap(100, _VFD_B.size // 2, encode_vfd_b, 115, 1, setpoint_of_vfd_b),
}
"""Device profile to the registers that it reads."""
