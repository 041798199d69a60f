"""What the demo tells the person in front of the terminal: what fails, and what Watchkeeper makes of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import typer

from app.demo.measure import Summary
from app.demo.people import DEMO_ACCOUNTS, DEMO_PASSWORD
from app.engine import Commit
from facility.clock import NS_PER_S
from facility.model import Asset, Facility
from facility.priority import Priority
from simulators.simulation import Injection, Simulation

ALARM_COLOURS = {
    Priority.CRITICAL: typer.colors.BRIGHT_RED,
    Priority.HIGH: typer.colors.YELLOW,
}
"""On a terminal that has colours; all other priorities keep the terminal's own."""
ORDER_OPENINGS = ("opened_by_alarm", "opened_by_plan")
"""Rows of the order lifecycle that tell of a new order."""


class Progress:
    """The terminal; a headless run stays silent."""

    def __init__(self, *, silent: bool) -> None:
        self._silent = silent

    def say(self, line: str, *, colour: str | None = None) -> None:
        """Print one line; ``None`` as colour keeps the terminal's own."""
        if not self._silent:
            typer.secho(line, fg=colour)


class Story:
    """Gathers what happens, from any thread, and tells it in one place: a slow terminal keeps nobody waiting."""

    def __init__(self, simulations: Sequence[Simulation], progress: Progress) -> None:
        self._simulations = simulations
        self._progress = progress
        self._commits: deque[Commit] = deque()
        self._faults_told = [0] * len(simulations)

    def on_commit(self, commit: Commit) -> None:
        """Take what a transaction made durable."""
        if commit.alarms or commit.orders:
            self._commits.append(commit)

    def begin(self, address: str) -> None:
        """Say where to look and as whom."""
        self._progress.say(greeting(address))

    def tell(self, facility: Facility) -> None:
        """Tell what happened since the last time: faults, then the alarms and work orders that they led to."""
        for fault in self._new_faults():
            self._line(fault.at_ns, "fault", facility.assets[fault.asset_id], fault.fault.replace("_", " "))
        while self._commits:
            self._tell_commit(facility, self._commits.popleft())

    def _new_faults(self) -> Iterator[Injection]:
        for index, simulation in enumerate(self._simulations):
            news = simulation.injections[self._faults_told[index] :]
            self._faults_told[index] += len(news)
            yield from news

    def _tell_commit(self, facility: Facility, commit: Commit) -> None:
        for event in commit.alarms:
            if event.opened:
                title = facility.rules[event.rule_id].definition.title.en
                colour = ALARM_COLOURS.get(event.priority)
                self._line(event.at_ns, "ALARM", facility.assets[event.asset_id], title, colour=colour)
        for order in commit.orders:
            if order.transition in ORDER_OPENINGS:
                self._line(order.at_ns, "order", facility.assets[order.asset_id], f"{order.kind.value} work order")

    def _line(self, at_ns: int, kind: str, asset: Asset, what: str, *, colour: str | None = None) -> None:
        at = datetime.fromtimestamp(at_ns / NS_PER_S, tz=UTC).astimezone()
        self._progress.say(f"  {at:%H:%M:%S}  {kind}  {asset.name.en:<24} {what}", colour=colour)


def greeting(address: str) -> str:
    """Return what the person needs to know: where, and as whom."""
    people = "\n".join(f"    {login:<8} {name:<12} {role.value}" for login, name, role in DEMO_ACCOUNTS)
    return (
        f"\nHarbour Tower is running. Open {address}\n\n"
        f"  Log in as one of these with the password {DEMO_PASSWORD}\n{people}\n\n"
        f"  Faults begin in a few seconds. Ctrl-C stops everything.\n"
    )


def farewell(summary: Summary) -> str:
    """Return what happened, in three lines."""
    p50 = ", ".join(f"{name} {latency.p50:g} ms" for name, latency in summary.latency_ms.items() if latency.n)
    alarms, orders = sum(summary.alarms_raised.values()), sum(summary.work_orders.values())
    samples = sum(summary.samples.values())
    lines = [f"{samples:,} samples, {alarms} alarms and {orders} work orders in {summary.seconds:.0f} s."]
    if p50:
        lines.append(f"From a device's change to the committed alarm and to the console, median: {p50}.")
    return "\n" + "\n".join([*lines, "Stopped."])
