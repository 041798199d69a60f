"""The people of Harbour Tower; everyone's password is printed when the demo starts."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from people.model import Role
from people.service import accounts, create_account


class DemoAccount(NamedTuple):
    """Someone to log in as."""

    login: str
    name: str
    role: Role


DEMO_ACCOUNTS = (
    DemoAccount("olivia", "Olivia Chen", Role.OPERATOR),
    DemoAccount("samuel", "Samuel Wong", Role.SUPERVISOR),
    DemoAccount("emma", "Emma Liu", Role.ENGINEER),
    DemoAccount("tom", "Tom Zhang", Role.TECHNICIAN),
)

DEMO_PASSWORD = "harbour-tower"  # noqa: S105  # the demo listens on loopback and prints it


def add_demo_accounts(connection: Connection, *, now_ns: int) -> None:
    """Add whoever of them is not there yet."""
    present = {account.login for account in accounts(connection)}
    for login, name, role in DEMO_ACCOUNTS:
        if login not in present:
            create_account(connection, login=login, name=name, role=role, password=DEMO_PASSWORD, now_ns=now_ns)
