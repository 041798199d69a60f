"""An MQTT broker inside the process, for demos on machines that have only Python.

It knows one account. Not for production: see the limits of amqtt in ``docs/decisions/dependencies.md``.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from amqtt.broker import Broker
from argon2 import PasswordHasher


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedBroker:
    """Where the broker listens and the account that it accepts."""

    port: int
    username: str
    password: str


@asynccontextmanager
async def embedded_broker(port: int, folder: Path) -> AsyncIterator[EmbeddedBroker]:
    """Run a broker on loopback until the block ends.

    Its password is made anew each time and kept hashed in ``folder``.
    """
    account = EmbeddedBroker(port=port, username="harbour", password=secrets.token_urlsafe(16))
    password_file = folder / "broker-passwords"
    password_file.write_text(f"{account.username}:{PasswordHasher(time_cost=1).hash(account.password)}\n")
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "timeout_disconnect_delay": 2,
            "plugins": {"amqtt.plugins.authentication.FileAuthPlugin": {"password_file": str(password_file)}},
        }
    )
    await broker.start()
    try:
        yield account
    finally:
        await broker.shutdown()
