"""Connections that were opened in one moment are not read in one moment."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers.modbus.schedule import FIRST_READING_S, Pace, spread
from gateway.phase import phase_of


@given(st.text())
def test_a_connection_keeps_its_phase_through_every_restart(name: str) -> None:
    assert 0.0 <= phase_of(name) < 1.0
    assert phase_of(name) == phase_of(name)


def test_hundreds_of_connections_spread_over_the_whole_period() -> None:
    hundredths = Counter(int(100 * phase_of(f"modbus-{number}")) for number in range(300))
    assert len(hundredths) > 80
    assert max(hundredths.values()) < 15


@given(
    st.floats(0.0, 1.0, exclude_max=True),
    st.lists(st.floats(0.1, 3600.0), min_size=1, max_size=20),
)
def test_whatever_its_phase_a_line_reads_everything_soon_after_it_opened(phase: float, periods_s: list[float]) -> None:
    paces = [Pace(unit=number, period_s=period_s) for number, period_s in enumerate(periods_s)]
    spread(paces, 100.0, phase=phase)
    for pace in paces:
        assert 100.0 <= pace.due_s <= 100.0 + min(pace.period_s, FIRST_READING_S)
        assert pace.due_s <= pace.grid_s <= 100.0 + pace.period_s
