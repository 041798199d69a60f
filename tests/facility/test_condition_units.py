from __future__ import annotations

import pytest

from facility.condition_units import quantity_unit
from facility.units import display_unit
from tests.rules.test_joined_conditions import DRY_RUN, OFF_TARGET, TWO_ALARMS, condition

HIGH = {"high": {"value": 1}}


@pytest.mark.parametrize(
    ("written", "unit", "shown"),
    [
        (condition("threshold", limits=HIGH), "degC", "°C"),
        (condition("rate_of_change", window_s=60, limits=HIGH), "degC", "K/min"),
        (condition("rate_of_change", window_s=60, per="h", limits=HIGH), "bar", "bar/h"),
        (condition("rate_of_change", window_s=60, per="s", limits=HIGH), "", "1/s"),
        (OFF_TARGET, "degC", "K"),
        (OFF_TARGET, "bar", "bar"),
        (condition("stuck", for_s=60), "degC", "s"),
        (condition("no_data", timeout_s=60), "degC", "s"),
        (condition("forecast", limit=1, direction="rising", horizon_h=1, window_h=1), "degC", "h"),
        (condition("counter", window_s=60, limits=HIGH), "h", "h"),
        (TWO_ALARMS, "", ""),
        (DRY_RUN, "m**3/h", ""),
    ],
)
def test_people_read_the_unit_of_what_was_computed(written: object, unit: str, shown: str) -> None:
    assert display_unit(quantity_unit(written, unit)) == shown  # type: ignore[arg-type]  # any condition
