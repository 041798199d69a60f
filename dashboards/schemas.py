"""The API's words: what the console sends and gets, in JSON.

Times are ISO 8601 in UTC. Texts that people read come in both languages, so the console switches without asking again.
Every command carries the ``version`` that the person saw; a command on an older version is answered with 409.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from facility.conditions import LimitSide
from facility.definition import LocalText
from facility.equipment import OrderKind, PointKind, System
from facility.priority import ConsequenceClass, Priority
from people.model import Permission, Role


class View(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(from_attributes=True)


class Command(BaseModel):
    """Base of all commands: unknown keys are refused, and so is the one character that no database keeps."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*")
    @classmethod
    def _without_nul(cls, value: object) -> object:
        if isinstance(value, str) and "\0" in value:
            raise ValueError("remove the character U+0000")
        return value


class Problem(View):
    """RFC 9457 problem details, sent as ``application/problem+json``."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


# Session


class LogIn(Command):
    """A login and its password."""

    login: str
    password: str


class AccountView(View):
    """Someone who can be named."""

    id: int
    login: str
    name: str
    role: Role


class SessionView(View):
    """Who is logged in and what they may do."""

    account: AccountView
    permissions: list[Permission]


# Facility


class SpaceView(View):
    """A building, floor, zone or room."""

    id: str
    name: LocalText
    kind: str
    parent: str | None


class CommandableView(View):
    """Within which limits a point may be commanded."""

    low: float | None
    """Least value in the point's unit; null for states."""
    high: float | None
    codes: list[int]
    """Of the states that may be commanded; empty for numbers."""
    roles: list[Role]
    longest_s: float
    """The longest a command may hold."""


class PointView(View):
    """One point and how to show it."""

    key: int
    name: str
    title: LocalText
    kind: PointKind
    unit: str
    """As people write it, such as ``m³/h``."""
    overview: bool
    states: dict[int, LocalText]
    """Code to words; empty for numbers."""
    commandable: CommandableView | None
    """Null: it is only read."""


class AssetView(View):
    """One asset with its points."""

    id: str
    name: LocalText
    class_name: str
    class_title: LocalText
    system: System
    space_id: str
    parent_id: str | None
    connection_id: str
    points: list[PointView]


class FacilityView(View):
    """The whole site; changes only when its configuration does."""

    site_id: str
    name: LocalText
    time_zone: str
    spaces: list[SpaceView]
    assets: list[AssetView]


ValueRow = tuple[int, float | None, int, int]
"""Point key, value (null for none), quality code (< 64 good, < 128 uncertain, else bad), source time in ms UTC."""


# Alarms


class AlarmView(View):
    """One episode, as a row of the alarm list."""

    id: int
    version: int
    rule: str
    title: LocalText
    asset_id: str
    asset_name: LocalText
    space_name: LocalText
    system: System
    priority: Priority
    state: Literal["A", "B", "C", "D", "L"]
    """ISA-18.2: A normal (closed), B unacknowledged, C acknowledged, D returned to normal unacknowledged; L is normal
    and acknowledged but latched until a reset."""
    active: bool
    acknowledged: bool
    life_safety: bool
    reason: str
    """Named reason, such as ``high_high`` or ``no_data``."""
    value: float | None
    limit: float | None
    unit: str
    """Of value and limit, as people read it."""
    explanation: str
    """What made it so, in words; empty where value and limit say it all."""
    raised_at: datetime
    cleared_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    comment: str | None
    closed_at: datetime | None
    order_id: int | None


class JournalEntry(View):
    """One line of what happened to an alarm or an order."""

    at: datetime
    transition: str
    """The lifecycle row's name."""
    actor: str
    comment: str | None


class AlarmDetail(AlarmView):
    """One episode with what to do about it."""

    point_key: int
    cause: LocalText
    consequence: LocalText
    corrective_action: LocalText
    consequence_class: ConsequenceClass
    """Of the limit that is exceeded, where it has one of its own; so is the time."""
    time_to_respond_min: float
    journal: list[JournalEntry]


class AlarmList(View):
    """Alarms, the most urgent and newest first."""

    alarms: list[AlarmView]
    total: int
    """How many there are without the filter."""


class Acknowledge(Command):
    """Someone has seen it. Priority 1 needs a comment."""

    version: int
    comment: str = Field(default="", max_length=2000)


class Reset(Command):
    """Release a latched alarm that is clear and acknowledged."""

    version: int


# Work orders


class StepView(View):
    """One step of the checklist as it was when the order opened."""

    number: int
    text: LocalText
    mandatory: bool
    done: bool
    done_by: str | None
    done_at: datetime | None


class WorkOrderView(View):
    """One order, as a row of the list."""

    id: int
    number: str
    """What people say on the phone, such as ``WO-000042``."""
    version: int
    kind: OrderKind
    state: Literal["triaged", "dispatched", "in_progress", "completed", "cancelled"]
    title: LocalText
    priority: Priority
    asset_id: str
    asset_name: LocalText
    space_name: LocalText
    system: System
    life_safety: bool
    opened_at: datetime
    assignee: str | None
    started_at: datetime | None
    completed_at: datetime | None
    alarm_count: int


class WorkOrderDetail(WorkOrderView):
    """One order with its steps, alarms and journal."""

    assignee_id: int | None
    steps: list[StepView]
    alarms: list[AlarmView]
    plan: str | None
    """Name of the maintenance plan that asked for it."""
    source: str | None
    """The standard behind the plan."""
    remark: str | None
    journal: list[JournalEntry]


class WorkOrderList(View):
    """Orders, the most urgent and oldest first."""

    work_orders: list[WorkOrderView]
    total: int


class Assign(Command):
    """Give the order to someone who may execute orders."""

    version: int
    assignee_id: int


class Start(Command):
    """The assignee begins."""

    version: int


class TickStep(Command):
    """Mark one step done or not done."""

    version: int
    done: bool


class Complete(Command):
    """The assignee is done: mandatory steps ticked, alarms clear or a reason why not."""

    version: int
    remark: str = Field(default="", max_length=4000)
    override_reason: str = Field(default="", max_length=2000)
    """Why it is complete although an alarm still stands."""


class Cancel(Command):
    """Not needed after all; never for life safety."""

    version: int
    reason: str = Field(min_length=1, max_length=2000)


class ChangeSite(Command):
    """Make the site what a site file says."""

    text: str = Field(max_length=10_000_000)
    """The whole file."""
    reason: str = Field(min_length=1, max_length=1000)


# Commands to devices


class CommandView(View):
    """A value that somebody wants a point to have, for a time."""

    id: int
    version: int
    request_id: str
    point_key: int
    asset_id: str
    value: float
    """In the point's unit, or the code of a state."""
    priority: int
    """BACnet's; other protocols ignore it."""
    state: Literal[
        "requested",
        "sent",
        "confirmed",
        "expiring",
        "returning",
        "failing",
        "expired",
        "relinquished",
        "superseded",
        "refused",
        "failed",
    ]
    reason: str
    author: str
    requested_at: datetime
    expires_at: datetime
    shown: float | None
    """What the device showed last."""
    detail: str | None
    """Why it is not as it should be."""
    ended_at: datetime | None


class CommandDetail(CommandView):
    """One command with what happened to it."""

    journal: list[JournalEntry]


class CommandList(View):
    """Commands, the newest first."""

    commands: list[CommandView]
    total: int


class RequestCommand(Command):
    """Have a point take a value for a time."""

    request_id: str = Field(min_length=8, max_length=64)
    """Your own identity of this request, such as a UUID: sent again, it does nothing twice."""
    point_key: int
    value: float = Field(allow_inf_nan=False)
    """In the point's unit, or the code of a state."""
    hold_s: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    """Seconds after which it is taken back; null: the longest that the point allows."""
    reason: str = Field(min_length=1, max_length=2000)
    holder: int | None = None
    """The command that held the point when the person looked; null for none."""


class TakeBack(Command):
    """Let the device go before the command expires."""

    reason: str = Field(min_length=1, max_length=2000)


# Live


class Snapshot(View):
    """Everything that the live channel keeps up to date, as of ``seq``."""

    epoch: str
    """Changes when the server's ring begins anew; a client with another epoch takes a snapshot."""
    seq: int
    alarms: list[AlarmView]
    """Open ones."""
    work_orders: list[WorkOrderView]
    """Unfinished ones."""
    commands: list[CommandView]
    """Those that have not ended."""
    values: list[ValueRow]


class ConnectionView(View):
    """How one gateway connection is."""

    id: str
    state: Literal["connecting", "up", "down"]
    detail: str
    samples: int
    errors: int
    dropped: int
    last_good_at: datetime | None


class UnitView(View):
    """How one device on a connection is; counts are since the start."""

    asset_id: str
    name: LocalText
    state: Literal["connecting", "up", "down"]
    detail: str
    """Why it is down; empty while it is up."""
    requests: int
    """On MQTT, messages received."""
    timeouts: int
    refusals: int
    overruns: int
    """Polls left out since the one before was not done."""
    openings: int
    """Times that its breaker opened."""
    last_good_at: datetime | None
    latency_p50_ms: float | None
    """Of the answers of the last minute; ``null`` without any."""
    latency_p99_ms: float | None


class GatewayConnectionView(ConnectionView):
    """One connection with its devices."""

    protocol: str
    endpoint: str
    """Host and port, or a serial port."""
    samples_per_s: float
    """Over the last minute."""
    duplicates: int
    units: list[UnitView]
    """Those that are down come first."""


class QueueView(View):
    """Where samples wait."""

    name: str
    """``inbox`` before the engine, ``history`` before the history."""
    waiting: int
    dropped: int
    """Since the start."""


class RemoteGatewayView(View):
    """How one gateway is that runs apart, as it last reported."""

    id: str
    present: bool
    """Whether it is connected to the bus now."""
    detail: str
    """What is wrong with it; empty while nothing is."""
    reported_at: datetime | None
    waiting: dict[str, int]
    """Samples and events in its spool, by lane."""
    oldest_at: datetime | None
    """Of what waits there; ``null`` for an empty spool."""
    dropped: dict[str, int]
    """Samples and events that its spool had to drop, by lane."""


class GatewayView(View):
    """How the gateway is."""

    now: datetime
    connections: list[GatewayConnectionView]
    """Those that are down come first, then those with devices that are."""
    gateways: list[RemoteGatewayView]
    """Those that run apart, absent ones first; empty where this process reads the devices itself."""
    queues: list[QueueView]
    loop_lag_p99_ms: float
    """How late the event loop was within the last minute."""
    loop_lag_worst_ms: float


class IsolatedRuleView(View):
    """A rule that was switched off to protect the others, until the rules are loaded again."""

    rule_id: int
    asset_id: str
    asset_name: LocalText
    rule: str
    title: LocalText
    mistake: str
    """The exception, for those who maintain Watchkeeper."""


class StatusView(View):
    """How Watchkeeper itself is."""

    now: datetime
    started_at: datetime
    points: int
    rules: int
    samples: int
    connections: list[ConnectionView]
    isolated: list[IsolatedRuleView]
    """Rules that are watched no more, because something went wrong while they were evaluated."""


class HistoryView(View):
    """Raw samples of one point, oldest first, as columns."""

    time_ms: list[int]
    value: list[float | None]
    quality: list[int]


class LimitView(View):
    """A limit line on a trend."""

    side: LimitSide
    value: float
    priority: Priority
