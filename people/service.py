"""Accounts and log-ins.

Passwords are kept as argon2id hashes with the parameters that OWASP's Password Storage Cheat Sheet names first. A
session is an opaque random token in the person's cookie; the database knows only its SHA-256, so a stolen copy of the
database logs nobody in.
"""

from __future__ import annotations

import hashlib
import secrets
from functools import cache
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, Engine, Row, delete, insert, select, update

from facility.clock import NS_PER_S
from facility.errors import InvalidCommandError, NotFoundError, UnauthenticatedError
from facility.storage.database import reading
from facility.storage.statements import insert_if_absent
from people.model import Account, Permission, Role
from people.tables import LOGIN_LENGTH, log_in_failure, session
from people.tables import account as account_table

FREE_FAILURES = 5
"""Wrong passwords in a row that cost no waiting."""
FIRST_WAIT_S = 10
"""Seconds to wait after the last free failure; each further failure doubles them."""
LONGEST_WAIT_S = 900
"""Where the doubling ends, so that nobody can lock someone else out for long."""
FORGET_FAILURES_S = 86_400
"""Failures older than this no longer count."""

_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_TOKEN_BYTES = 32
_ACCOUNT_COLUMNS = (account_table.c.id, account_table.c.login, account_table.c.name, account_table.c.role)
_WRONG = "No account has this login and password. Check both, or ask a supervisor for a new password."


def create_account(connection: Connection, *, login: str, name: str, role: Role, password: str, now_ns: int) -> Account:
    """Add someone who can log in.

    Raises:
        InvalidCommandError: The login is taken.
    """
    row = {
        "login": login,
        "name": name,
        "role": role.value,
        "password_hash": _HASHER.hash(password),
        "created_at_ns": now_ns,
    }
    made = connection.execute(insert_if_absent(connection, account_table).values(row).returning(account_table.c.id))
    account_id = made.scalar()
    if account_id is None:
        raise InvalidCommandError(f"The login {login!r} is taken. Choose another one.")
    return Account(id=account_id, login=login, name=name, role=role)


def accounts(connection: Connection, *, may: Permission | None = None) -> list[Account]:
    """Return everyone by name; with ``may``, only those whose role includes the permission."""
    rows = connection.execute(select(*_ACCOUNT_COLUMNS).order_by(account_table.c.name, account_table.c.id))
    everyone = [_account(row) for row in rows]
    return [person for person in everyone if may is None or person.may(may)]


def account(connection: Connection, account_id: int) -> Account:
    """Return one account.

    Raises:
        NotFoundError: There is none with this id.
    """
    row = connection.execute(select(*_ACCOUNT_COLUMNS).where(account_table.c.id == account_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no account {account_id}. Choose someone from the list of accounts.")
    return _account(row)


def log_in(database: Engine, login: str, password: str, *, now_ns: int, valid_for_s: float) -> tuple[str, Account]:
    """Check a password and open a session; return its token and whose it is.

    The slow check lies between two transactions, so that no alarm waits behind it for the write lock.

    Raises:
        UnauthenticatedError: Login or password is wrong, or there were too many failures and it is not yet time.
    """
    key = login[:LOGIN_LENGTH]
    with reading(database) as connection:
        _failures_before(connection, key, now_ns=now_ns)
        row = connection.execute(select(account_table).where(account_table.c.login == login)).one_or_none()
    right = _matches(row.password_hash if row else _decoy_hash(), password)
    with database.begin() as connection:
        failures = _failures_before(connection, key, now_ns=now_ns)  # again: others may have tried in the meantime
        if right and row is not None:
            connection.execute(delete(log_in_failure).where(log_in_failure.c.login == key))
            return _open_session(connection, row.id, now_ns=now_ns, valid_for_s=valid_for_s), _account(row)
        _remember_failure(connection, key, failures + 1, now_ns=now_ns)
    raise UnauthenticatedError(_WRONG)


def account_of_token(connection: Connection, token: str, *, now_ns: int) -> Account:
    """Return who holds the session.

    Raises:
        UnauthenticatedError: No session has this token, or it has ended.
    """
    statement = (
        select(*_ACCOUNT_COLUMNS)
        .join(session, session.c.account_id == account_table.c.id)
        .where(session.c.token_sha256 == _digest(token), session.c.expires_at_ns > now_ns)
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        raise UnauthenticatedError("The session has ended. Log in again.")
    return _account(row)


def log_out(connection: Connection, token: str) -> None:
    """End the session at once; a token that is not known is no error."""
    connection.execute(delete(session).where(session.c.token_sha256 == _digest(token)))


def wait_after(failures: int) -> int:
    """Return the seconds to wait after so many failures in a row; 0 while they are free."""
    if failures < FREE_FAILURES:
        return 0
    doublings = min(failures - FREE_FAILURES, LONGEST_WAIT_S.bit_length())
    return min(FIRST_WAIT_S << doublings, LONGEST_WAIT_S)


def _failures_before(connection: Connection, login: str, *, now_ns: int) -> int:
    row = connection.execute(select(log_in_failure).where(log_in_failure.c.login == login)).one_or_none()
    if row is None or row.last_at_ns < now_ns - FORGET_FAILURES_S * NS_PER_S:
        return 0
    if row.retry_at_ns > now_ns:
        wait_s = -(-(row.retry_at_ns - now_ns) // NS_PER_S)
        raise UnauthenticatedError(f"Too many wrong passwords for {login!r}. Try again in {wait_s} s.")
    failures: int = row.failures
    return failures


def _remember_failure(connection: Connection, login: str, failures: int, *, now_ns: int) -> None:
    connection.execute(
        delete(log_in_failure).where(log_in_failure.c.last_at_ns < now_ns - FORGET_FAILURES_S * NS_PER_S)
    )
    values = {"failures": failures, "last_at_ns": now_ns, "retry_at_ns": now_ns + wait_after(failures) * NS_PER_S}
    connection.execute(insert_if_absent(connection, log_in_failure).values(login=login, **values))
    connection.execute(update(log_in_failure).where(log_in_failure.c.login == login).values(values))


def _open_session(connection: Connection, account_id: int, *, now_ns: int, valid_for_s: float) -> str:
    connection.execute(delete(session).where(session.c.expires_at_ns <= now_ns))
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    row = {
        "token_sha256": _digest(token),
        "account_id": account_id,
        "created_at_ns": now_ns,
        "expires_at_ns": now_ns + round(valid_for_s * NS_PER_S),
    }
    connection.execute(insert(session).values(row))
    return token


def _matches(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _decoy_hash() -> str:
    """Return a hash that an unknown login is checked against, so that it takes as long as a known one."""
    return _HASHER.hash(secrets.token_urlsafe(_TOKEN_BYTES))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _account(row: Row[*tuple[Any, ...]]) -> Account:
    return Account(id=row.id, login=row.login, name=row.name, role=Role(row.role))
