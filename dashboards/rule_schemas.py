"""The API's words about rules, their revisions and changes.

A definition is a rule as class files write it, without its name, which the rule has already.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from dashboards.schemas import Command, JournalEntry, View
from facility.definition import LocalText
from facility.equipment import System
from facility.priority import Priority
from rules.changes.lifecycle import ChangeState
from rules.changes.model import Source

RuleContent = dict[str, Any]
"""A definition without its name."""

Text = Annotated[str, Field(min_length=1, max_length=2_000)]


class DifferenceView(View):
    """One value that is not the same."""

    path: list[str]
    """The way to it in the definition, such as ``["condition", "limits", "high", "value"]``; empty: the whole rule."""
    before: Any
    """Null: it was absent; of the whole rule, off."""
    after: Any
    text: str
    """For people who read a file or a terminal, in English: ``high 80 → 85 °C``."""


class RevisionView(View):
    """What a change makes, or made, of one rule."""

    change_id: int | None
    """Null: the rule's first definition, before any change."""
    rule_id: int | None
    """Null: a new rule that is not live yet."""
    asset_id: str
    name: str
    unit: str
    """Of its point, as people write it."""
    base: int
    """The revision that it builds on; 0: there was no such rule."""
    number: int | None
    """Null: it was never live."""
    restores: int | None
    """The earlier revision that a roll-back names."""
    definition: RuleContent | None
    """Null: the rule is off."""
    note: str | None
    """Why Watchkeeper decided so by itself."""
    differences: list[DifferenceView]
    """Against what was live before."""


class RuleChangeView(View):
    """A set of revisions that are live together or not at all, as a row of a list."""

    id: int
    version: int
    state: ChangeState
    source: Source
    reason: str
    author: str
    proposed_at: datetime
    reviewer: str | None
    comment: str | None
    decided_at: datetime | None
    size: int
    """How many revisions it has."""


class RuleChangeDetail(RuleChangeView):
    """A change with its revisions and what happened to it."""

    revisions: list[RevisionView]
    """One page of them."""
    journal: list[JournalEntry]


class RuleChangeList(View):
    """One page of changes, the newest first."""

    changes: list[RuleChangeView]
    total: int


class ImportedView(View):
    """An import of the site that brought a rule."""

    at: datetime
    author: str
    reason: str


class HistoryEntry(View):
    """One revision of a rule that is or was live, and who decided so."""

    revision: RevisionView
    change: RuleChangeView | None
    """Null: it is the rule's first definition, which an import of the site brought."""
    imported: ImportedView | None
    """Null: a change made it, or nobody wrote down who imported it."""


class RuleView(View):
    """One rule as it is live, as a row of a list."""

    id: int
    asset_id: str
    asset_name: LocalText
    system: System
    name: str
    title: LocalText
    point_key: int
    unit: str
    """Of its point, as people write it."""
    condition: str
    """Its type, such as ``threshold``."""
    priority: Priority
    life_safety: bool


class RuleList(View):
    """One page of rules, by asset."""

    rules: list[RuleView]
    total: int


class RuleDetail(RuleView):
    """One rule with its definition, its history and what is proposed."""

    on: bool
    """False: somebody switched it off, or its asset is gone; the definition is its last one."""
    revision: int
    """Number of the live one; a proposal names it as its base."""
    definition: RuleContent
    history: list[HistoryEntry]
    """All that it ever was, its first definition first."""
    open_changes: list[RuleChangeView]
    """What waits for a review."""


class PlannedView(View):
    """What a file would change of one rule."""

    asset_id: str
    name: str
    line: int
    differences: list[DifferenceView]


class MistakeView(View):
    """One thing wrong in a file."""

    line: int
    message: str
    """What is wrong and what to write instead."""


class ImportReport(View):
    """What a file changes, or would change."""

    changes: list[PlannedView]
    mistakes: list[MistakeView]
    """With any, nothing can be changed."""
    unchanged: int
    """Rules that the file has as they are live."""
    change: RuleChangeView | None
    """What was proposed; null after a dry run."""


class ImportRules(Command):
    """A file of rules, to be proposed as one change."""

    text: str
    reason: str = Field(default="", max_length=2_000)
    """May be empty for a dry run only."""


class RevisionWanted(Command):
    """What somebody wants of one rule: of ``rule_id``, or of the rule ``name`` of ``asset_id``, which may be new."""

    rule_id: int | None = None
    asset_id: str = ""
    name: str = ""
    base: int = Field(ge=0)
    """The revision that the person saw; 0 to add a rule."""
    definition: RuleContent | None
    """Null switches the rule off."""


class ProposeRuleChange(Command):
    """Revisions of rules for somebody else to review."""

    reason: Text
    revisions: list[RevisionWanted] = Field(min_length=1, max_length=200_000)


class ReviewRuleChange(Command):
    """Approve or reject."""

    version: int
    comment: Text


class WithdrawRuleChange(Command):
    """Take a proposal back."""

    version: int
    comment: str = Field(default="", max_length=2_000)


class RollBack(Command):
    """Make an earlier revision of a rule live again."""

    to: int = Field(ge=1)
    """Number of the earlier revision."""
    base: int = Field(ge=1)
    """Number of the revision that is live as far as the person knows."""
    reason: Text
