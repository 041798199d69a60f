"""What of the rules' live state outlives the process."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from rules import kernel


class Phase(IntEnum):
    """Where a row stands; see the diagram in :mod:`rules.kernel`."""

    NORMAL = kernel.NORMAL
    PENDING = kernel.PENDING
    """True, and its on-delay is running; for a silence, more than half of the timeout is over."""
    ACTIVE = kernel.ACTIVE
    LEAVING = kernel.LEAVING
    """No longer true, and its off-delay is running."""
    OVERDUE = kernel.OVERDUE
    """Its on-delay ended while nobody watched."""
    OVERDUE_LEAVING = kernel.OVERDUE_LEAVING
    """Its off-delay ended while nobody watched."""
    CHANGED = kernel.CHANGED
    """Active under a rule that was edited since."""
    ARMED = kernel.ARMED
    """A meter whose newest multiple is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedState:
    """One row as it has to be after a restart."""

    owner: str
    """``rule:12`` or ``plan:pump-1/bearing_service``."""
    row: int
    """The row within its owner."""
    fingerprint: str
    """Of the owner's condition when the row was saved."""
    phase: Phase
    since_ns: int
    """When the phase began; for a meter the newest multiple that was passed."""
    began_ns: int | None
    """When the condition of an active row began, before any delay; ``None`` while it is not active."""
    seen_ns: int
    """Source time of the newest sample that the row had seen: whatever is older was decided already."""
    value: float
    """That sample's value; NaN where there was none. Of a row that watches quality: the code that the point had."""
    priority: int
    """Announced with the row's rule; lets an edited priority be announced again."""
