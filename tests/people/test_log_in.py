from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from facility.clock import NS_PER_S
from facility.errors import InvalidCommandError, NotFoundError, UnauthenticatedError
from facility.storage.outbox import Topic, announce
from people import service
from people.model import Account, Permission, Role
from people.service import FREE_FAILURES, LONGEST_WAIT_S, wait_after
from people.tables import account as account_table
from people.tables import log_in_failure, session
from tests.databases import employ


@pytest.fixture
def engineer(database: Engine) -> Account:
    with database.begin() as connection:
        return employ(connection, Role.ENGINEER)


def log_in(database: Engine, password: str, *, login: str = "engineer", at_s: int = 0) -> tuple[str, Account]:
    return service.log_in(database, login, password, now_ns=at_s * NS_PER_S, valid_for_s=3600)


def fail(database: Engine, *, times: int, login: str = "engineer", at_s: int = 0) -> None:
    for _ in range(times):
        with pytest.raises(UnauthenticatedError):
            log_in(database, "wrong", login=login, at_s=at_s)


def test_whoever_logs_in_is_known_by_their_token_until_the_session_ends(database: Engine, engineer: Account) -> None:
    token, account = log_in(database, "secret")
    assert account == engineer
    with database.begin() as connection:
        assert service.account_of_token(connection, token, now_ns=3599 * NS_PER_S) == engineer
        with pytest.raises(UnauthenticatedError, match="Log in again"):
            service.account_of_token(connection, token, now_ns=3600 * NS_PER_S)


def test_a_log_out_ends_the_session_at_once_and_twice_is_no_error(database: Engine, engineer: Account) -> None:
    token, _ = log_in(database, "secret")
    with database.begin() as connection:
        service.log_out(connection, token)
        service.log_out(connection, token)
        with pytest.raises(UnauthenticatedError):
            service.account_of_token(connection, token, now_ns=0)
    assert engineer.login == "engineer"


@pytest.mark.usefixtures("engineer")
def test_a_copy_of_the_database_holds_neither_password_nor_token(database: Engine) -> None:
    token, _ = log_in(database, "secret")
    with database.begin() as connection:
        rows = [*connection.execute(select(account_table)), *connection.execute(select(session))]
    written = repr(rows)
    assert token not in written
    assert "secret" not in written
    assert "$argon2id$" in written


@pytest.mark.usefixtures("engineer")
def test_a_wrong_password_and_an_unknown_login_are_answered_alike(database: Engine) -> None:
    answers = []
    for login in ("engineer", "nobody"):
        with pytest.raises(UnauthenticatedError) as refused:
            log_in(database, "wrong", login=login)
        answers.append(str(refused.value))
    assert answers[0] == answers[1]


@pytest.mark.usefixtures("engineer")
@pytest.mark.parametrize("login", ["engineer", "nobody"])
def test_after_too_many_failures_even_the_right_password_waits(database: Engine, login: str) -> None:
    fail(database, times=FREE_FAILURES, login=login)
    with pytest.raises(UnauthenticatedError, match="Try again in 10 s"):
        log_in(database, "secret", login=login)


@pytest.mark.usefixtures("engineer")
def test_waiting_opens_the_door_again_and_success_forgets_the_failures(database: Engine) -> None:
    fail(database, times=FREE_FAILURES)
    log_in(database, "secret", at_s=10)
    with database.begin() as connection:
        assert connection.execute(select(log_in_failure)).all() == []


@pytest.mark.usefixtures("engineer")
def test_failures_of_yesterday_are_forgotten(database: Engine) -> None:
    fail(database, times=FREE_FAILURES - 1)
    fail(database, times=1, at_s=86_401)
    log_in(database, "secret", at_s=86_401)


@pytest.mark.usefixtures("engineer")
def test_guessing_on_many_threads_gets_no_more_answers_than_guessing_on_one(database: Engine) -> None:
    answers: list[str] = []
    gate = threading.Barrier(FREE_FAILURES + 3)

    def guess() -> None:
        gate.wait()
        try:
            log_in(database, "wrong")
        except UnauthenticatedError as error:
            answers.append(str(error))

    threads = [threading.Thread(target=guess) for _ in range(gate.parties)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(answer.startswith("No account") for answer in answers) == FREE_FAILURES
    assert sum(answer.startswith("Too many") for answer in answers) == 3
    with pytest.raises(UnauthenticatedError, match="Try again in 10 s"):
        log_in(database, "secret")


def test_an_alarm_is_committed_while_someones_password_is_checked(
    database: Engine, engineer: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(_hash: str, password: str) -> bool:
        with database.begin() as connection:  # would wait for ever if the log-in held the lock
            announce(connection, Topic.ALARM, [1], 0)
        return password == "secret"

    monkeypatch.setattr(service, "_matches", check)
    assert log_in(database, "secret")[1] == engineer
    fail(database, times=1)


@given(st.integers(0, 10_000))
def test_the_wait_grows_with_every_failure_and_never_locks_anyone_out_for_long(failures: int) -> None:
    assert wait_after(failures) <= wait_after(failures + 1) <= LONGEST_WAIT_S
    assert (wait_after(failures) == 0) == (failures < FREE_FAILURES)


def test_a_login_is_given_once(database: Engine, engineer: Account) -> None:
    with database.begin() as connection, pytest.raises(InvalidCommandError, match="is taken"):
        employ(connection, Role.OPERATOR, login=engineer.login)


def test_people_are_listed_by_name_and_by_what_they_may_do(database: Engine, engineer: Account) -> None:
    with database.begin() as connection:
        boss = employ(connection, Role.SUPERVISOR, login="anna")
        assert service.accounts(connection) == [boss, engineer]
        assert service.accounts(connection, may=Permission.CANCEL_ORDER) == [boss]
        assert service.account(connection, engineer.id) == engineer
        with pytest.raises(NotFoundError, match="no account 99"):
            service.account(connection, 99)
