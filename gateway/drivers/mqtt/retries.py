"""When to call a broker again, and when two clients of one name throw each other out."""

from __future__ import annotations

from typing import Final, NamedTuple, Self

from gateway.breaker import backoff_s

SETTLED_S: Final = 10.0
"""Wall seconds after which a connection counts as having worked, so that the next try comes soon."""

SUSPICIOUS: Final = 3
"""So many connections in a row that broke off as soon as they were made look like two clients of one name."""

LONGEST_WAIT: Final = 10
"""Number of the try from which on the wait is the longest; whoever was thrown out by a client of the same name begins
here, so that the two do not throw each other out all the time."""


class Retries(NamedTuple):
    """How the last tries went."""

    attempt: int = -1
    """Number of the coming try, from 0; -1 before the first connection ended."""
    briefs: int = 0
    """Connections in a row that broke off as soon as they were made."""

    def after(self, lasted_s: float | None, *, taken_over: bool = False) -> Self:
        """Return how things stand after a connection ended.

        Args:
            lasted_s: Wall seconds that it lasted; ``None``: the broker did not let us in.
            taken_over: The broker says that another client has our name.
        """
        is_settled = lasted_s is not None and lasted_s >= SETTLED_S
        attempt = 0 if is_settled else self.attempt + 1
        return type(self)(
            attempt=max(attempt, LONGEST_WAIT) if taken_over else attempt,
            briefs=0 if is_settled or lasted_s is None else self.briefs + 1,
        )

    @property
    def is_suspicious(self) -> bool:
        """Tell whether another client may have our name although the broker does not say so (MQTT 3.1.1 cannot)."""
        return self.briefs >= SUSPICIOUS

    def wait_s(self, jitter: float) -> float:
        """Return the wall seconds until the next try; ``jitter`` is a random number from 0 to 1."""
        return backoff_s(max(self.attempt, 0), jitter=jitter)
