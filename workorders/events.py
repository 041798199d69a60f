"""What work orders hand to the console."""

from __future__ import annotations

from dataclasses import dataclass

from facility.equipment import OrderKind


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEvent:
    """One row of the order lifecycle that was taken."""

    order_id: int
    asset_id: str
    transition: str
    """The row's name in :mod:`workorders.lifecycle`."""
    kind: OrderKind
    at_ns: int
