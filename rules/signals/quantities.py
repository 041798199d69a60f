"""Which class computes the quantity of which condition, and what it was over a stretch of history."""

from __future__ import annotations

import math

import numpy as np

from facility.conditions import Condition, CounterIncrease, Forecast, RateOfChange, StuckValue, WindowStatistic
from facility.quality import BAD_FROM, Quality
from facility.samples import Sample, SampleBatch
from rules.signals.counter import CounterSignal
from rules.signals.forecast import ForecastSignal
from rules.signals.inputs import Held
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


def computed_samples(quantity: Quantity, samples: SampleBatch) -> SampleBatch:
    """Return what a quantity was at each sample of its point: what a rule on it would have been decided on.

    Args:
        quantity: Which has heard nothing yet.
        samples: Of one point; they are heard in the order of arrival, some ten microseconds each.
    """
    held, found = Held(), []
    order = np.argsort(samples.gateway_time_ns, kind="stable")
    columns = (samples.source_time_ns, samples.gateway_time_ns, samples.value, samples.quality)
    rows = zip(samples.point[order].tolist(), *(column[order].tolist() for column in columns), strict=True)
    for key, source_ns, gateway_ns, value, quality in rows:
        if quality < BAD_FROM and math.isfinite(value) and held.is_news(source_ns, value):
            held.take(source_ns, gateway_ns, value)
            computed = quantity.take(source_ns, value)
            if computed is not None:
                found.append(Sample(key, source_ns, gateway_ns, computed, Quality.GOOD))
    return SampleBatch.of(found)
