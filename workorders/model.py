"""Work orders and their checklists."""

from __future__ import annotations

from dataclasses import dataclass

from facility.definition import LocalText
from facility.equipment import OrderKind
from facility.priority import Priority
from workorders.lifecycle import OrderState


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrder:
    """One piece of work, from what asked for it until it is done or called off."""

    id: int
    version: int
    """Grows by one with every change; a command names the version that its person saw."""
    kind: OrderKind
    state: OrderState
    title: LocalText
    """As the template said when the order opened."""
    priority: Priority
    """The template's, or the alarm's where that became more urgent than its rule."""
    asset_id: str
    correlation_key: str | None
    """Asset and failure family; at most one unfinished order has it. ``None`` for planned work."""
    life_safety: bool
    """Fire and entrapment: cannot be cancelled."""
    opened_at_ns: int
    assignee_id: int | None = None
    assignee: str | None = None
    """Name of who is to do it."""
    started_at_ns: int | None = None
    """When work first began."""
    completed_at_ns: int | None = None
    plan: str | None = None
    """Name of the maintenance plan that asked for it; ``None`` for work that an alarm asked for."""
    due_key: int | None = None
    """Which occurrence of the plan."""
    source: str | None = None
    """The standard behind the plan."""
    remark: str | None = None
    """What its executor said at the end, or why it was cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of an order's checklist, as the template said when the order opened."""

    number: int
    """Counted from 1."""
    text: LocalText
    mandatory: bool
    done: bool = False
    done_by: str | None = None
    done_at_ns: int | None = None
