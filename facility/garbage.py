"""Rest for Python's garbage collector while very much is made of which nothing is garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_MANY: Final = 100_000
"""New objects of which it is worth the trouble to make old ones."""


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Let nothing be searched for garbage meanwhile; also to be used as a decorator.

    The collector looks again at all there is whenever that has grown by a quarter. While 100,000 rules are loaded, that
    was more than half of the time. Afterwards the many objects that were made count as old: the next search, which is
    for what is young, would take half a second to find nothing. What a server froze after its start stays frozen.
    """
    was_at_work = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_at_work:
            if gc.get_count()[0] > _MANY and gc.get_freeze_count() == 0:
                gc.freeze()
                gc.unfreeze()  # into the oldest generation
            gc.enable()
