"""When within its period a connection is read, so that a gateway of hundreds does not read all of them at once."""

from __future__ import annotations

import zlib


def phase_of(connection_id: str) -> float:
    """Return a connection's own phase, from 0 to below 1: the same at every start, and not its neighbours'.

    A gateway opens hundreds of connections within a moment; without it each would be read in the same moment of every
    period, and the event loop would be late by as long as all of them take.
    """
    return zlib.crc32(connection_id.encode()) / 2**32
