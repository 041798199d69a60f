"""From rows to rules: several limits are one condition with a priority that rises and falls."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias

from facility.priority import Priority
from rules import kernel
from rules.events import Evaluation, MeterDue, Reason, RuleTransition, TransitionKind
from rules.layout import Record
from rules.rows import Row
from rules.signals.signal import Evidence

Told: TypeAlias = Callable[[str, int], Evidence | None]
"""Owner and step to what was computed for it then; ``None``: the record itself is the evidence."""

_BY_CODE = (Reason.STATE, Reason.FORBIDDEN_STATE, Reason.BAD_QUALITY)
"""Conditions that are held against a code: the one that decided is the evidence."""
_WITHOUT_VALUE = (Reason.BAD_QUALITY, Reason.COMPOSITE)
"""Conditions whose value in the kernel says nothing to people."""


@dataclass(slots=True)
class Standing:
    """A rule whose condition is true."""

    priority: Priority
    """As last announced."""
    began_ns: dict[int, int] = field(default_factory=dict)
    """Active row to when its condition began."""


class Fold:
    """Remembers which rows are active, for the few rules where any is."""

    def __init__(self, rows: Sequence[Row], followed: Collection[str] = ()) -> None:
        """Begin with nothing active.

        Args:
            rows: What each row of the kernel means.
            followed: Owners of which :meth:`take_turned` tells when their condition begins or ceases to stand.
        """
        self._rows = rows
        self._followed = frozenset(followed)
        self._turned: list[tuple[str, bool]] = []
        self._standing: dict[str, Standing] = {}
        self._announced_anew: set[int] = set()

    def restore(self, row: int, began_ns: int, announced: Priority) -> None:
        """Take over an active row whose rule was announced before the restart."""
        standing = self._standing.setdefault(self._rows[row].owner.key, Standing(announced))
        standing.began_ns[row] = began_ns

    def take_over(self, before: Fold, places: Mapping[int, int]) -> None:
        """Go on with what stood until an edit.

        Args:
            before: What remembered it until now.
            places: Of the rows of unchanged rules: where a row was, and where it is.
        """
        for owner, standing in before._standing.items():
            began_ns = {places[row]: began_ns for row, began_ns in standing.began_ns.items() if row in places}
            if began_ns:
                self._standing[owner] = Standing(standing.priority, began_ns)

    def began_ns(self, row: int) -> int | None:
        """Return when an active row's condition began; ``None`` while it is not active."""
        standing = self._standing.get(self._rows[row].owner.key)
        return standing.began_ns.get(row) if standing else None

    def priority(self, row: int) -> Priority:
        """Return what the row's rule was announced with; the row's own while the rule is quiet."""
        standing = self._standing.get(self._rows[row].owner.key)
        return standing.priority if standing else self._rows[row].priority

    @property
    def announced_anew(self) -> Collection[int]:
        """Return the active rows whose rule was announced with another priority than what is saved."""
        return self._announced_anew

    def note_saved(self) -> None:
        """Note that what was announced is saved."""
        self._announced_anew.clear()

    def stands(self, owner: str) -> bool:
        """Tell whether a rule's condition stands."""
        return owner in self._standing

    def take_turned(self) -> list[tuple[str, bool]]:
        """Return the followed owners whose condition began or ceased to stand since the last call, in order."""
        turned, self._turned = self._turned, []
        return turned

    def take(self, records: Iterable[Record], told: Told | None = None) -> Evaluation:
        """Fold records into transitions; what one sample did to one rule is one transition.

        Args:
            records: From one call of the kernel.
            told: Evidence of rules that signals decide; ``None``: there are none.
        """
        ordered = self._ordered(records)
        due = [self._due(record) for _, record in ordered if record.code == kernel.PASSED]
        changes = [entry for entry in ordered if entry[1].code != kernel.PASSED]
        groups = ([record for _, record in group] for _, group in groupby(changes, key=itemgetter(0)))
        transitions = [self._transition(group, told) for group in groups]
        return Evaluation(transitions=tuple(filter(None, transitions)), due=tuple(due))

    def _ordered(self, records: Iterable[Record]) -> list[tuple[tuple[int, int, str], Record]]:
        """Put records in the order of time, with what they are ordered by.

        A rule's rows may run on two clocks, the source's and the gateway's: its own records stay in the order of the
        samples that made them.
        """
        newest: dict[str, int] = {}
        ordered = []
        for record in sorted(records, key=lambda record: (record.step, record.at)):
            owner = self._rows[record.row].owner.key
            newest[owner] = max(newest.get(owner, record.at), record.at)
            ordered.append(((newest[owner], record.step, owner), record))
        return sorted(ordered, key=itemgetter(0))

    def _due(self, record: Record) -> MeterDue:
        owner = self._rows[record.row].owner
        return MeterDue(
            asset_id=owner.asset_id,
            plan=owner.plan,
            due_key=record.began,
            value=record.value,
            at_ns=record.at,
        )

    def _transition(self, records: list[Record], told: Told | None) -> RuleTransition | None:
        owner = self._rows[records[0].row].owner
        before = self._standing.get(owner.key)
        led = self._leading(before) if before else None
        standing = before or Standing(Priority.LOW)
        began_ns = min(standing.began_ns.values(), default=records[0].began)
        for record in records:
            if record.code == kernel.RAISED:
                standing.began_ns[record.row] = record.began
            elif record.code == kernel.CLEARED:
                standing.began_ns.pop(record.row, None)
        stands = bool(standing.began_ns)
        if stands:
            self._standing[owner.key] = standing
        else:
            self._standing.pop(owner.key, None)
        if stands is not (led is not None) and owner.key in self._followed:
            self._turned.append((owner.key, stands))
        if owner.is_inner:
            return None
        evidence = told(owner.key, records[-1].step) if told else None
        if stands:
            return self._standing_changed(records[-1], standing, evidence, is_new=led is None)
        return None if led is None else self._cleared(records[-1], led, began_ns, evidence)

    def _leading(self, standing: Standing) -> int:
        return min(standing.began_ns, key=lambda row: self._rows[row].urgency)

    def _standing_changed(
        self, record: Record, standing: Standing, evidence: Evidence | None, *, is_new: bool
    ) -> RuleTransition | None:
        leading = self._leading(standing)
        row = self._rows[leading]
        announced, standing.priority = standing.priority, row.priority
        if row.priority != announced:
            self._announced_anew.update(standing.began_ns)
        if is_new:
            kind = TransitionKind.RAISED
        elif row.priority == announced:
            return None
        else:
            kind = TransitionKind.ESCALATED if row.priority < announced else TransitionKind.EASED
        value, limit = self._shown(record, row, evidence)
        return RuleTransition(
            rule_id=_rule_id(row),
            kind=kind,
            reason=row.reason,
            priority=row.priority,
            at_ns=record.at,
            since_ns=standing.began_ns[leading],
            value=value,
            limit=limit,
            side=row.side,
            explanation=evidence.explanation if evidence else "",
        )

    def _cleared(self, record: Record, led: int, began_ns: int, evidence: Evidence | None) -> RuleTransition:
        row = self._rows[led]
        decider = self._rows[record.row]
        return RuleTransition(
            rule_id=_rule_id(row),
            kind=TransitionKind.CLEARED,
            reason=Reason.NORMAL,
            priority=row.owner.priority,
            at_ns=record.at,
            since_ns=began_ns,
            value=self._shown(record, decider, evidence)[0],
            limit=row.limit if evidence is None else evidence.limits.get(row.point, row.limit),
        )

    @staticmethod
    def _shown(record: Record, row: Row, evidence: Evidence | None) -> tuple[float, float]:
        """Return value and limit as people are shown them."""
        if evidence is not None:
            return evidence.value, evidence.limits.get(row.point, row.limit)
        value = math.nan if row.reason in _WITHOUT_VALUE else record.value
        return value, record.value if row.reason in _BY_CODE else row.limit


def _rule_id(row: Row) -> int:
    if row.owner.rule_id is None:
        raise AssertionError(f"{row.owner.key} is a plan and has no condition")  # kernel's kinds exclude it
    return row.owner.rule_id
