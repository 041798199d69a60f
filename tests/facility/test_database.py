"""Units of work and the outbox, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, func, insert, select

from alarms.tables import alarm_episode
from facility.storage.database import open_database, reading
from facility.storage.outbox import (
    Announcement,
    Topic,
    announce,
    announcements_after,
    forget_before,
    last_seq,
    outbox,
)
from facility.storage.statements import new_ids

WRITERS = 4
ROUNDS = 8


def together(*deeds: Callable[[], None]) -> None:
    """Run the deeds on threads of their own; the test fails if one does not end."""
    threads = [threading.Thread(target=deed, daemon=True) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def test_a_new_file_is_opened_by_many_at_once(tmp_path: Path) -> None:
    for number in range(20):
        url, ready = f"sqlite:///{tmp_path / str(number)}.db", threading.Barrier(WRITERS)
        opened: list[str] = []

        def open_it(url: str = url, ready: threading.Barrier = ready, opened: list[str] = opened) -> None:
            engine = open_database(url)
            ready.wait()
            with engine.begin() as connection:
                opened.append(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())
            engine.dispose()

        together(*[open_it] * WRITERS)
        assert opened == ["wal"] * WRITERS


def test_a_query_sees_one_instant_and_keeps_no_writer_waiting(database: Engine) -> None:
    with reading(database) as connection:
        assert last_seq(connection) == 0
        with database.begin() as writer:
            announce(writer, Topic.ALARM, [7], 1)
        assert last_seq(connection) == 0
        assert connection.scalar(select(func.count()).select_from(outbox)) == 0
    with reading(database) as connection:
        assert announcements_after(connection, 0) == [Announcement(1, Topic.ALARM, 7, 1)]


def test_a_reader_of_the_outbox_misses_nothing_however_many_write_at_once(database: Engine) -> None:
    seen: list[int] = []
    done = threading.Event()

    def write() -> None:
        for number in range(ROUNDS):
            with database.begin() as connection:
                announce(connection, Topic.ALARM, [number], 0)
                announce(connection, Topic.WORK_ORDER, [number], 0)

    def read() -> None:
        while True:
            finished = done.is_set()
            with reading(database) as connection:
                news = announcements_after(connection, seen[-1] if seen else 0, limit=3)
            seen.extend(one.seq for one in news)
            if finished and not news:
                return

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    together(*[write] * WRITERS)
    done.set()
    reader.join(30)
    assert len(seen) == len(set(seen)) == WRITERS * ROUNDS * 2
    with database.begin() as connection:
        forget_before(connection, seen[-2])
        assert [one.seq for one in announcements_after(connection, 0)] == seen[-1:]


def test_writers_who_need_the_same_things_in_another_order_wait_for_each_other_and_not_in_a_circle(
    database: Engine,
) -> None:
    def write(first: Topic, second: Topic) -> None:
        for _ in range(ROUNDS):
            with database.begin() as connection:
                for topic in (first, second):
                    held = select(outbox).where(outbox.c.topic == topic.value).with_for_update()
                    connection.execute(held).all()
                    announce(connection, topic, [1], 0)

    together(
        lambda: write(Topic.ALARM, Topic.WORK_ORDER),
        lambda: write(Topic.WORK_ORDER, Topic.ALARM),
    )
    with reading(database) as connection:
        assert last_seq(connection) == ROUNDS * 4


def test_reserved_numbers_are_given_once_also_after_the_row_is_gone(database: Engine) -> None:
    given: list[int] = []

    def reserve() -> None:
        for count in (1, 5, 2):
            with database.begin() as connection:
                ids = new_ids(connection, alarm_episode, count)
                connection.execute(insert(alarm_episode), [episode(number) for number in ids])
                given.extend(ids)

    together(*[reserve] * WRITERS)
    assert sorted(given) == list(range(1, WRITERS * 8 + 1))
    with database.begin() as connection:
        connection.execute(alarm_episode.delete())
        assert min(new_ids(connection, alarm_episode, 1)) == max(given) + 1


def episode(number: int) -> dict[str, object]:
    """Return a row of an episode that is over."""
    whole = dict.fromkeys(("version", "rule_id", "priority", "since_ns", "raised_at_ns", "closed_at_ns"), 1)
    return {
        "id": number,
        "asset_id": "pump-1",
        "reason": "high",
        "active": False,
        "acknowledged": True,
        "latched": False,
        **whole,
    }
