"""Everything the API needs from the running system, handed in once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import Engine

from dashboards.backtest_schemas import BacktestView, StartBacktest, SuggestionView, SuggestRule, TryRule
from dashboards.hub import LiveHub
from facility.clock import Clock
from facility.history.history import History
from facility.latest import LatestValues
from facility.model import Facility
from gateway.commands.commander import Commander
from gateway.commands.model import Writables
from gateway.commands.service import Site
from gateway.events import ConnectionStatus, GatewayStatus
from gateway.loop_lag import LoopLag
from people.model import Account
from rules.changes.model import RuleChange


class Queue(Protocol):
    """Somewhere samples wait, within a bound."""

    @property
    def waiting(self) -> int:
        """Samples that wait now."""
        ...

    @property
    def dropped(self) -> int:
        """Samples dropped since the start, since too many waited."""
        ...


class ChangeableSite(Protocol):
    """Whoever can put another version of the site into the running system."""

    def change(self, text: str, *, author: Account, reason: str) -> None:
        """Make the site what a file's text says; return when every part has taken it over.

        Raises:
            ConfigurationError: Something has mistakes; lists every one, and nothing has changed.
        """
        ...


class Backtests(Protocol):
    """Whoever runs rules on history beside live work."""

    def start(self, asked: StartBacktest, facility: Facility, *, author: Account) -> BacktestView:
        """Put a back-test in line.

        Raises:
            NotFoundError: A rule does not exist.
            ConfigurationError: A draft has mistakes; lists all of them.
            InvalidCommandError: Too many wait already.
        """
        ...

    def all(self) -> list[BacktestView]:
        """Return those that are not forgotten, the newest first, without what came out."""
        ...

    def one(self, number: int) -> BacktestView:
        """Return one.

        Raises:
            NotFoundError: There is none, or it was forgotten.
        """
        ...

    def cancel(self, number: int) -> BacktestView:
        """End one; what is over stays as it is.

        Raises:
            NotFoundError: There is none, or it was forgotten.
        """
        ...

    def preview(self, rule_id: int, asked: TryRule, facility: Facility) -> bytes:
        """Try a draft of one rule at once, on its newest samples of the stretch, and return the TryView as JSON.

        Raises:
            NotFoundError: There is no such rule.
            ConfigurationError: The draft has mistakes; lists all of them.
        """
        ...

    def suggest(self, rule_id: int, asked: SuggestRule, facility: Facility) -> SuggestionView:
        """Search for settings of a rule that meet a target.

        Raises:
            NotFoundError: There is no such rule.
            InvalidCommandError: Nothing can be suggested; the message says why.
        """
        ...


class ChangeableRules(Protocol):
    """Whoever can make revisions of rules live in the running system; see :mod:`rules.changes.service`."""

    def approve(self, change_id: int, *, version: int, comment: str, actor: Account) -> RuleChange:
        """Make all revisions of a change live; return when every part has taken them over."""
        ...

    def roll_back(self, rule_id: int, *, to: int, base: int, reason: str, actor: Account) -> RuleChange:
        """Make an earlier revision of a rule live again; return when every part has taken it over."""
        ...


@dataclass(slots=True, kw_only=True)
class Services:
    """The parts that routes reach through ``request.app.state.services``."""

    database: Engine
    facility: Facility
    """As it stands now: a change of the site puts another one here."""
    clock: Clock
    latest: LatestValues
    history: History
    hub: LiveHub
    connections: Mapping[str, ConnectionStatus]
    started_at_ns: int
    session_valid_for_s: float
    queues: Mapping[str, Queue] = field(default_factory=dict)
    """Where samples wait in this process, by name: ``inbox``, ``history``."""
    gateways: Mapping[str, GatewayStatus] = field(default_factory=dict)
    """Gateways that run apart, by id; empty where this process reads the devices itself."""
    loop_lag: LoopLag = field(default_factory=LoopLag)
    """Of the event loop that runs the API; the API runs it."""
    metrics_token: str = ""
    """What ``GET /metrics`` must bring; empty: it is answered on this machine only."""
    writables: Writables = field(default_factory=dict)
    """What may be commanded, as the site stands now."""
    commander: Commander | None = None
    """Who carries commands out in this process; ``None``: another process does."""

    isolated_rules: Callable[[], Mapping[int, str]] = dict
    """Rules that raised an exception and are watched no more, by id, with what it said."""
    site: ChangeableSite | None = None
    """``None``: the site of this process changes only at its start."""
    backtests: Backtests | None = None
    """``None``: this process runs none."""
    rules: ChangeableRules | None = None
    """``None``: the rules do not run in this process."""

    @property
    def command_site(self) -> Site:
        """Return what commands are held against."""
        return Site(facility=self.facility, writables=self.writables)
