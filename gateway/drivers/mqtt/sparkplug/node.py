"""The state of one edge node: whether it lives, whether we missed a message of it, and whether to ask for its birth.

A pure state machine over values, after the Sparkplug 3.0 specification: every message of a node but its death has the
next number of 0 to 255, births begin anew at 0, and a death belongs to the birth whose ``bdSeq`` it names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple

SEQUENCE: Final = 256
"""Numbers that messages count through."""


class NodeState(StrEnum):
    """Where a node stands."""

    UNKNOWN = "unknown"
    """We have not seen its birth, so its aliases mean nothing to us."""
    ONLINE = "online"
    DOUBTFUL = "doubtful"
    """It lives, but we missed something it said."""
    OFFLINE = "offline"
    """It died."""


class Signal(StrEnum):
    """What is heard of a node."""

    BIRTH = "birth"
    NEXT = "next"
    """Its next message."""
    GAP = "gap"
    """A message, but not the next one."""
    STRANGE = "strange"
    """It names an alias or a device of which no birth told."""
    DEATH = "death"
    OLD_DEATH = "old_death"
    """The death of an earlier life."""


class Row(NamedTuple):
    """One row of the state table."""

    state: NodeState
    takes_data: bool
    """What the message says counts."""
    asks_birth: bool
    """The node is to be asked for its birth certificates."""
    why: str


_S, _G = NodeState, Signal
TABLE: Final[Mapping[tuple[NodeState, Signal], Row]] = {
    (_S.UNKNOWN, _G.BIRTH): Row(_S.ONLINE, takes_data=True, asks_birth=False, why="it says what it has"),
    (_S.UNKNOWN, _G.NEXT): Row(_S.UNKNOWN, takes_data=False, asks_birth=True, why="its birth was missed"),
    (_S.UNKNOWN, _G.GAP): Row(_S.UNKNOWN, takes_data=False, asks_birth=True, why="its birth was missed"),
    (_S.UNKNOWN, _G.STRANGE): Row(_S.UNKNOWN, takes_data=False, asks_birth=True, why="its birth was missed"),
    (_S.UNKNOWN, _G.DEATH): Row(_S.OFFLINE, takes_data=True, asks_birth=False, why="it died"),
    (_S.ONLINE, _G.BIRTH): Row(_S.ONLINE, takes_data=True, asks_birth=False, why="it was born again"),
    (_S.ONLINE, _G.NEXT): Row(_S.ONLINE, takes_data=True, asks_birth=False, why="it works"),
    (_S.ONLINE, _G.GAP): Row(_S.DOUBTFUL, takes_data=True, asks_birth=True, why="a message was missed"),
    (_S.ONLINE, _G.STRANGE): Row(_S.DOUBTFUL, takes_data=True, asks_birth=True, why="a birth was missed"),
    (_S.ONLINE, _G.DEATH): Row(_S.OFFLINE, takes_data=True, asks_birth=False, why="it died"),
    (_S.DOUBTFUL, _G.BIRTH): Row(_S.ONLINE, takes_data=True, asks_birth=False, why="it says all anew"),
    (_S.DOUBTFUL, _G.NEXT): Row(_S.DOUBTFUL, takes_data=True, asks_birth=True, why="its birth is awaited"),
    (_S.DOUBTFUL, _G.GAP): Row(_S.DOUBTFUL, takes_data=True, asks_birth=True, why="its birth is awaited"),
    (_S.DOUBTFUL, _G.STRANGE): Row(_S.DOUBTFUL, takes_data=True, asks_birth=True, why="its birth is awaited"),
    (_S.DOUBTFUL, _G.DEATH): Row(_S.OFFLINE, takes_data=True, asks_birth=False, why="it died"),
    (_S.OFFLINE, _G.BIRTH): Row(_S.ONLINE, takes_data=True, asks_birth=False, why="it is back"),
    (_S.OFFLINE, _G.NEXT): Row(_S.OFFLINE, takes_data=False, asks_birth=True, why="the dead do not speak"),
    (_S.OFFLINE, _G.GAP): Row(_S.OFFLINE, takes_data=False, asks_birth=True, why="the dead do not speak"),
    (_S.OFFLINE, _G.STRANGE): Row(_S.OFFLINE, takes_data=False, asks_birth=True, why="the dead do not speak"),
}
"""State and signal to what follows; a signal without a row changes nothing and says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One edge node as it stands."""

    state: NodeState = NodeState.UNKNOWN
    seq: int = 0
    """Number of its last message."""
    bd_seq: int | None = None
    """Number of its birth; ``None``: the birth did not say."""

    def born(self, seq: int | None, bd_seq: int | None) -> Node:
        """Return the node after its birth certificate."""
        row = TABLE[self.state, Signal.BIRTH]
        return Node(state=row.state, seq=seq or 0, bd_seq=bd_seq)

    def said(self, seq: int | None) -> tuple[Node, Row]:
        """Return the node after any other message, and what follows; without a number nothing can be checked."""
        is_next = seq == (self.seq + 1) % SEQUENCE
        row = TABLE[self.state, Signal.NEXT if is_next else Signal.GAP]
        return replace(self, state=row.state, seq=self.seq if seq is None else seq), row

    def strange(self) -> tuple[Node, Row]:
        """Return the node after a message named what no birth told of, and what follows."""
        row = TABLE[self.state, Signal.STRANGE]
        return replace(self, state=row.state), row

    def died(self, bd_seq: int | None) -> tuple[Node, bool]:
        """Return the node after a death certificate, and whether that is the death of its present life."""
        is_old = None not in {bd_seq, self.bd_seq} and bd_seq != self.bd_seq and self.state is not NodeState.UNKNOWN
        row = TABLE.get((self.state, Signal.OLD_DEATH if is_old else Signal.DEATH))
        return (self, False) if row is None else (replace(self, state=row.state), True)
