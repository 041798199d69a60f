"""Changes of rules and their revisions, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from facility.equipment import RuleDefinition
from rules.changes.lifecycle import ChangeState

Written = Mapping[str, Any]
"""A rule's definition as JSON, with its name."""


Address = tuple[str, str]
"""Asset and name of a rule."""


class Source(StrEnum):
    """Where a change comes from."""

    PROPOSAL = "proposal"
    """Somebody proposed it, and somebody else reviews it."""
    SITE_FILE = "site_file"
    """The site file changed the rules; whoever may change the site decided."""
    ROLL_BACK = "roll_back"
    """Somebody made an earlier revision live again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody wants of one rule, as they wrote it."""

    rule_id: int | None = None
    """``None``: the rule is known by asset and name, or is new."""
    asset_id: str = ""
    """Empty where ``rule_id`` says it."""
    name: str = ""
    base: int
    """The rule's revision that the person saw; 0 for a rule that there never was."""
    definition: Mapping[str, Any] | None
    """Without the name; ``None`` switches the rule off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What somebody wants of one rule, checked."""

    rule_id: int | None
    """``None``: a rule that there never was."""
    asset_id: str
    name: str
    base: int
    before: Written | None
    """What is live; ``None``: it is off, or new."""
    definition: RuleDefinition | None
    """``None``: off."""

    @property
    def address(self) -> str:
        """Return the name people use, such as ``pump-1/vibration_high``."""
        return f"{self.asset_id}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """A set of revisions that go live together or not at all."""

    id: int
    version: int
    """Grows by one with everything that happens to it; a command names the one that its person saw."""
    state: ChangeState
    source: Source
    reason: str
    """The author's."""
    author_id: int | None
    """``None``: Watchkeeper itself."""
    author: str
    """Their name."""
    proposed_at_ns: int
    reviewer: str | None = None
    """Name of who approved, rejected or withdrew it; ``None``: nobody has, or nobody had to."""
    comment: str | None = None
    """What they said."""
    decided_at_ns: int | None = None
    size: int
    """How many revisions it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRevision:
    """What a change makes of one rule, or what the rule was before any."""

    change_id: int | None
    """``None``: the first definition, which an import of the site brought."""
    rule_id: int | None
    """``None``: a new rule that is not live yet."""
    asset_id: str
    name: str
    base: int
    """Number of the revision that it builds on; 0: there was no such rule."""
    number: int | None
    """``None``: it was never live."""
    restores: int | None
    """Number of the earlier revision that a roll-back made live again."""
    before: Written | None
    """``None``: the rule was off, or new."""
    definition: Written | None
    """``None``: it switches the rule off."""
    note: str | None
    """Why Watchkeeper decided so by itself; ``None``: a person did."""


class Imported(NamedTuple):
    """The import of the site that brought a rule."""

    at_ns: int
    author: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRule:
    """A rule as it stands in the database."""

    rule_id: int
    asset_id: str
    name: str
    point_key: int
    revision: int
    definition: Written
    """The live one; of a rule that is off, the last one."""
    is_on: bool

    @property
    def address(self) -> str:
        """Return the name people use, such as ``pump-1/vibration_high``."""
        return f"{self.asset_id}/{self.name}"

    @property
    def now(self) -> Written | None:
        """Return what is live; ``None``: it is off."""
        return self.definition if self.is_on else None


class Head(NamedTuple):
    """Where a rule stands, without what it says."""

    rule_id: int
    revision: int
    is_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision that was written down, and the rules that are different by it."""

    change: RuleChange
    rules: tuple[LiveRule, ...]
