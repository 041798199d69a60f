"""Carries commands out: writes, reads back, and takes back what is over, also after a restart.

The database is the truth. Whoever asks writes a command down there and wakes the commander, which looks at what is due
about once a second anyway: expiries, what a process that died left behind, and what other processes wrote down.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections import defaultdict
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from facility.clock import Clock
from facility.errors import DeviceRefusedError, DeviceUnreachableError, NotFoundError, StaleCommandError
from facility.model import Point
from facility.quality import BAD_FROM
from facility.samples import Sample
from facility.storage.database import reading
from facility.units import display_unit
from gateway.breaker import backoff_s, draw_jitter
from gateway.commands import repository, service
from gateway.commands.lifecycle import IN_FLIGHT, RELEASING, CommandState, Happening
from gateway.commands.model import Command, Release
from gateway.commands.service import Site
from gateway.drivers.driver import PointWrite

log: Final = structlog.get_logger(__name__)

LOOK_S: Final = 1.0
"""Wall seconds between two looks at what is due."""
SEND_WITHIN_S: Final = 30.0
"""Facility seconds after which a command that nobody sent is not sent any more: its person has given up on it."""
ANSWER_S: Final = 10.0
"""Wall seconds after which a driver's write counts as unanswered, whatever the driver itself would still try."""
READ_AGAIN_S: Final = 0.2
"""Wall seconds between two reads of a device that does not show the value yet."""
OUTCOME_S: Final = 5.0
"""Wall seconds that an outcome may take beyond what the device is given to answer and to show the value."""


Outcome = concurrent.futures.Future[None]
"""Done once a command is decided: shown, refused, failed or let go."""


class Devices(Protocol):
    """Whoever reaches the devices, on the event loop that runs :meth:`Commander.run`."""

    async def write(self, write: PointWrite) -> None:
        """Write to the point's device; see :meth:`gateway.drivers.driver.Driver.write`."""
        ...

    async def read(self, point: Point) -> Sample:
        """Read the point anew; see :meth:`gateway.drivers.driver.Driver.read`."""
        ...


class Commander:
    """Carries out the commands that the database holds; belongs to one event loop, woken from any thread."""

    def __init__(
        self, *, database: Engine, devices: Devices, site: Site, clock: Clock, on_change: Callable[[], None]
    ) -> None:
        """Prepare; nothing is sent before :meth:`run`.

        Args:
            database: Where commands are.
            devices: Who writes and reads.
            site: What may be commanded; replace it when the site changes.
            clock: Facility time, for expiry.
            on_change: Called from any thread after each commit.
        """
        self.site = site
        self._database = database
        self._devices = devices
        self._clock = clock
        self._on_change = on_change
        self._busy: dict[int, asyncio.Task[None]] = {}
        """By command; one that failed unexpectedly stays, so that it is not begun again before the next start."""
        self._outcomes: defaultdict[int, Outcome] = defaultdict(concurrent.futures.Future)
        self._turn = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        self._is_lost = False
        """Whether the loss of the database has been logged."""

    def wake(self) -> None:
        """Say, from any thread, that a command was written down."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop closed: the next start continues
                self._loop.call_soon_threadsafe(self._news.set)

    def expect(self, command: Command) -> Outcome:
        """Return what :meth:`await_outcome` waits for; call it before the command's transaction ends."""
        with self._turn:
            return self._outcomes[command.id]

    def await_outcome(self, command: Command, outcome: Outcome) -> None:
        """Wake up, and block this thread until a command that is under way is decided, or long enough to give up."""
        self.wake()
        with contextlib.suppress(concurrent.futures.TimeoutError):
            outcome.result(ANSWER_S + command.confirm_s + OUTCOME_S)
        self._decide(command.id)

    async def run(self) -> None:
        """Carry out what is due until cancelled; what is under way then is continued by the next start."""
        self._loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    for command in await asyncio.to_thread(self._due):
                        self._begin(group, command)
                    await self._until_news()
        finally:
            for command_id in list(self._outcomes):
                self._decide(command_id)

    def _due(self) -> list[Command]:
        try:
            with reading(self._database) as connection:
                due = repository.due(connection, self._clock.now_ns())
        except OperationalError as error:
            if not self._is_lost:
                log.warning("database lost; no command is sent or taken back until it is back", error=str(error.orig))
            self._is_lost = True
            return []
        if self._is_lost:
            log.info("database back; commands go on")
        self._is_lost = False
        return due

    async def _until_news(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await self._news.wait()
        self._news.clear()

    def _begin(self, group: asyncio.TaskGroup, command: Command) -> None:
        if command.id in self._busy:
            return
        self._busy[command.id] = group.create_task(self._guard(command), name=f"command {command.id}")

    async def _guard(self, command: Command) -> None:
        """Carry a command out; an error of ours must not keep the others from being taken back."""
        try:
            await self._carry_out(command)
        except (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # the edge: some libraries' errors are no Exception (bacpypes3)
            log.exception("command not carried out; the next start looks at it again", command=command.id)
        else:
            del self._busy[command.id]
        finally:
            self._decide(command.id)

    def _decide(self, command_id: int) -> None:
        """Let whoever waits for a command go on."""
        with self._turn:
            outcome = self._outcomes.pop(command_id, None)
        if outcome is not None:
            outcome.set_result(None)

    async def _carry_out(self, command: Command) -> None:
        """Take a command as far as it goes now."""
        try:
            if command.state in IN_FLIGHT:
                command = await self._bring(command)
            if command.state is CommandState.CONFIRMED and command.expires_at_ns <= self._clock.now_ns():
                command = await self._note(command, Happening.EXPIRE)
            if command.state is not CommandState.RETURNING:
                self._decide(command.id)  # taking back what failed may take as long as the device is away
            await self._let_go(command)
        except StaleCommandError as error:
            log.warning("a command changed while it was carried out", command=command.id, reason=str(error))
        except OperationalError as error:
            log.warning("database lost; the command is continued later", command=command.id, error=str(error.orig))

    async def _bring(self, command: Command) -> Command:
        """Send a command, or, if a process died while it was sent, only look whether it arrived."""
        if command.state is CommandState.REQUESTED:
            if service.is_too_old(command, self._clock.now_ns(), send_within_s=SEND_WITHIN_S):
                return await self._note(command, Happening.LAPSE, detail="nobody sent it in time; it never left")
            command = await self._note(command, Happening.SEND)
            happening, detail = await self._answer_to(self._write(command, command.value))
            if happening is not Happening.SHOW:
                return await self._note(command, happening, detail=detail)
        return await self._confirm(command)

    async def _confirm(self, command: Command) -> Command:
        """Read the point until it shows the value, or for as long as its profile allows."""
        point = self._point(command)
        loop = asyncio.get_running_loop()
        until_s = loop.time() + command.confirm_s
        shown: float | None = None
        reason: str | None = None
        while True:
            try:
                async with asyncio.timeout(max(until_s - loop.time(), READ_AGAIN_S)):
                    sample = await self._devices.read(point)
                shown = sample.value if sample.quality < BAD_FROM else shown
                if sample.quality < BAD_FROM and service.is_shown(command, sample.value):
                    return await self._note(command, Happening.SHOW, shown=shown)
            except (DeviceUnreachableError, DeviceRefusedError, NotFoundError) as error:
                reason = str(error)
            except TimeoutError:
                reason = reason or f"it did not report {point.name} within {command.confirm_s:g} s"
            if loop.time() >= until_s:
                break
            await asyncio.sleep(READ_AGAIN_S)
        if shown is None:
            detail = f"{point.address} could not be read back: {reason}"
            return await self._note(command, Happening.SILENCE, detail=detail)
        detail = (
            f"{point.address}: device shows {_words(point, shown)} instead of {_words(point, command.value)}. "
            f"Look for what holds it: local control, an interlock or a higher priority."
        )
        return await self._note(command, Happening.DISOBEY, shown=shown, detail=detail)

    async def _let_go(self, command: Command) -> None:
        """Take a command back from its device, for as long as that takes."""
        attempts = 0
        while command.state in RELEASING:
            happening, detail = await self._answer_to(self._release(command))
            if happening is Happening.SILENCE:
                if not attempts:
                    command = await self._note(command, happening, detail=f"{detail} It is tried until it answers.")
                    self._decide(command.id)
                attempts += 1
                await asyncio.sleep(backoff_s(attempts, jitter=draw_jitter()))
                continue
            done = Happening.RELEASE if happening is Happening.SHOW else happening
            command = await self._note(command, done, detail=detail)

    async def _release(self, command: Command) -> None:
        if command.release is not Release.NOTHING:
            await self._write(command, command.written_back)

    async def _write(self, command: Command, value: float | None) -> None:
        await self._devices.write(PointWrite(point=self._point(command), value=value, priority=command.priority))

    async def _answer_to(self, doing: Coroutine[Any, Any, None]) -> tuple[Happening, str | None]:
        """Return what came of a write: ``SHOW`` stands for taken."""
        try:
            async with asyncio.timeout(ANSWER_S):
                await doing
        except DeviceUnreachableError as error:
            return Happening.SILENCE, str(error)
        except TimeoutError:
            return Happening.SILENCE, f"no answer within {ANSWER_S:g} s."
        except (DeviceRefusedError, NotFoundError) as error:
            return Happening.REFUSE, str(error)
        return Happening.SHOW, None

    async def _note(
        self, command: Command, happening: Happening, *, shown: float | None = None, detail: str | None = None
    ) -> Command:
        """Write down what happened, and tell."""
        noted = await asyncio.to_thread(self._commit, command, happening, shown, detail)
        self._on_change()
        return noted

    def _commit(self, command: Command, happening: Happening, shown: float | None, detail: str | None) -> Command:
        with self._database.begin() as connection:
            return service.happen(
                connection, command, happening, now_ns=self._clock.now_ns(), shown=shown, detail=detail
            )

    def _point(self, command: Command) -> Point:
        """Return a command's point, also one that the site no longer has: its driver then says so."""
        return self.site.facility.ever.points[command.point_key]


def _words(point: Point, value: float) -> str:
    """Return a value as people read it: with its unit, or the name of its state."""
    names = {code: name for name, code in point.definition.states.items()}
    if names:
        return names.get(round(value), f"{value:g}")
    return f"{value:g} {display_unit(point.definition.unit)}".rstrip()
