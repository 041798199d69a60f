"""Which class computes the quantity of which condition."""

from __future__ import annotations

from facility.conditions import Condition, CounterIncrease, Forecast, RateOfChange, StuckValue, WindowStatistic
from rules.signals.counter import CounterSignal
from rules.signals.forecast import ForecastSignal
from rules.signals.rate import RateSignal
from rules.signals.signal import Quantity
from rules.signals.statistic import statistic_signal
from rules.signals.stuck import StuckSignal


def quantity_of(condition: Condition) -> Quantity | None:
    """Return what computes a condition's quantity from its point; ``None``: it is of more than one point, or direct."""
    match condition:
        case RateOfChange():
            return RateSignal(condition)
        case StuckValue():
            return StuckSignal(condition)
        case WindowStatistic():
            return statistic_signal(condition)
        case CounterIncrease():
            return CounterSignal(condition)
        case Forecast():
            return ForecastSignal(condition)
    return None
