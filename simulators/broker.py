"""An MQTT broker inside the process, for demos on machines that have only Python.

It knows one account. Not for production: see the limits of amqtt in ``docs/decisions/dependencies.md``.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

from amqtt.broker import Broker
from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAccount:
    """The one account that an embedded broker accepts."""

    username: str
    password: str

    @classmethod
    def drawn(cls) -> BrokerAccount:
        """Return an account whose password nobody can guess."""
        return cls(username="harbour", password=secrets.token_urlsafe(16))


class OneAccountPlugin(BaseAuthPlugin):  # type: ignore[misc]  # amqtt is untyped to mypy here
    """Lets one account in.

    amqtt's own plugins verify a slow hash on the event loop, a tenth of a second or more in which no message passes. A
    password that lives in memory and is random from end to end needs none.
    """

    @dataclass
    class Config:
        """What the plugin is given."""

        username: str
        password: str

    async def authenticate(self, *, session: Session) -> bool:
        """Tell whether a client showed the account."""
        wanted = f"{self.config.username}:{self.config.password}"
        shown = f"{session.username}:{session.password}"
        return hmac.compare_digest(wanted.encode(), shown.encode())


@asynccontextmanager
async def embedded_broker(port: int, account: BrokerAccount) -> AsyncIterator[None]:
    """Run a broker on loopback until the block ends."""
    plugin = f"{OneAccountPlugin.__module__}.{OneAccountPlugin.__qualname__}"
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "timeout_disconnect_delay": 2,
            "plugins": {plugin: asdict(account)},
        }
    )
    await broker.start()
    try:
        yield
    finally:
        await broker.shutdown()
