"""The spool against a simple model: whatever is put, acknowledged, killed, torn or too much, the books are right."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from facility.clock import NS_PER_S
from gateway.spool.intervals import Interval
from gateway.spool.lanes import Lane
from gateway.spool.spool import (
    Limits,
    NewRecord,
    Spool,
    SpoolDamagedError,
    SpoolFullError,
    SpoolTakenError,
    put_aside,
)

START_NS = 1_800_000_000 * NS_PER_S
LIMITS = Limits(size=4_000, age_s=3_600.0)
ROOMY = Limits(size=10**9, age_s=10**6)
OVERHEAD = 64


@dataclass(frozen=True)
class Kept:
    """A record as the model knows it."""

    lane: Lane
    at_ns: int
    samples: int
    body: bytes

    @property
    def size(self) -> int:
        return len(self.body) + OVERHEAD


class ModelOfSpool(RuleBasedStateMachine):
    """Every write is one transaction that a kill leaves whole, also one in the middle of the next write."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.lives = 0
        self.now_ns = START_NS
        self.next_seq = 1
        self.kept: dict[int, Kept] = {}
        self.dropped = dict.fromkeys(Lane, 0)
        self.spool = Spool(self.file, LIMITS)

    @property
    def file(self) -> Path:
        return self.folder / f"life-{self.lives}" / "spool.db" if self.lives else self.folder / "spool.db"

    @rule(
        records=st.lists(
            st.tuples(st.sampled_from(Lane), st.integers(1, 50), st.integers(0, 1_500)), min_size=1, max_size=4
        )
    )
    def put(self, records: list[tuple[Lane, int, int]]) -> None:
        new = [NewRecord(lane, samples, bytes(size)) for lane, samples, size in records]
        self.spool.write(new, now_ns=self.now_ns)
        self.drop_old()
        for lane, samples, body in new:
            self.kept[self.next_seq] = Kept(lane, self.now_ns, samples, body)
            self.next_seq += 1
        self.drop_beyond_size()

    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        first = data.draw(st.integers(0, self.next_seq))
        last = data.draw(st.integers(first, first + 5))
        self.spool.write(done=[Interval(first, last)], now_ns=self.now_ns)
        self.kept = {seq: kept for seq, kept in self.kept.items() if not first <= seq <= last}
        self.drop_old()
        self.drop_beyond_size()

    @rule(seconds=st.sampled_from([1.0, 600.0, 4_000.0]))
    def time_passes(self, seconds: float) -> None:
        self.now_ns += round(seconds * NS_PER_S)

    @rule()
    def restart(self) -> None:
        self.spool.close()
        self.spool = Spool(self.file, LIMITS)

    @rule()
    def kill(self) -> None:
        self.copy_files_as_a_kill_leaves_them()
        self.spool = Spool(self.file, LIMITS)

    @rule(torn=st.binary(min_size=1, max_size=6_000))
    def kill_in_the_middle_of_a_write(self, torn: bytes) -> None:
        self.copy_files_as_a_kill_leaves_them()
        with self.file.with_name("spool.db-wal").open("ab") as log:
            log.write(torn)
        self.spool = Spool(self.file, LIMITS)

    def copy_files_as_a_kill_leaves_them(self) -> None:
        before = self.file
        self.lives += 1
        self.file.parent.mkdir()
        for part in before.parent.glob("spool.db*"):
            shutil.copy(part, self.file.parent)
        self.spool.close()

    def drop_old(self) -> None:
        oldest_ns = self.now_ns - round(LIMITS.age_s * NS_PER_S)
        for seq in sorted(self.telemetry()):
            if self.kept[seq].at_ns >= oldest_ns:
                break
            self.drop(seq)

    def drop_beyond_size(self) -> None:
        for seq in sorted(self.telemetry()):
            if sum(kept.size for kept in self.kept.values()) <= LIMITS.size:
                break
            self.drop(seq)

    def telemetry(self) -> list[int]:
        return [seq for seq, kept in self.kept.items() if kept.lane is Lane.TELEMETRY]

    def drop(self, seq: int) -> None:
        gone = self.kept.pop(seq)
        self.dropped[gone.lane] += gone.samples

    @invariant()
    def the_spool_holds_what_the_model_holds(self) -> None:
        for lane in Lane:
            expected = {seq: kept for seq, kept in sorted(self.kept.items()) if kept.lane is lane}
            found = self.spool.page(lane, after=0, count=10_000)
            assert [(r.seq, r.lane, r.spooled_ns, r.samples, r.body) for r in found] == [
                (seq, kept.lane, kept.at_ns, kept.samples, kept.body) for seq, kept in expected.items()
            ]
            tally = self.spool.figures.held[lane]
            assert tally == (
                len(expected),
                sum(kept.samples for kept in expected.values()),
                sum(kept.size for kept in expected.values()),
            )
        assert self.spool.figures.dropped == self.dropped

    @invariant()
    def no_state_change_was_dropped(self) -> None:
        assert self.spool.figures.dropped[Lane.STATE] == self.spool.figures.dropped[Lane.LIFE_SAFETY] == 0

    @invariant()
    def it_is_over_only_without_telemetry(self) -> None:
        assert not (self.spool.is_over and self.spool.figures.held[Lane.TELEMETRY].records)

    @invariant()
    def numbers_are_never_given_twice(self) -> None:
        assert self.spool.next_seq == self.next_seq
        assert self.spool.oldest_seq() == min(self.kept, default=self.next_seq)

    def teardown(self) -> None:
        self.spool.close()
        shutil.rmtree(self.folder)


TestModelOfSpool = ModelOfSpool.TestCase
TestModelOfSpool.settings = settings(max_examples=25, stateful_step_count=25)


def records(*sizes: int, lane: Lane = Lane.TELEMETRY) -> list[NewRecord]:
    """Return records with bodies of so many bytes, ten samples each."""
    return [NewRecord(lane, 10, bytes([number % 256]) * size) for number, size in enumerate(sizes)]


def bodies(spool: Spool, lane: Lane = Lane.TELEMETRY) -> list[bytes]:
    return [record.body for record in spool.page(lane, after=0, count=1_000)]


def test_a_last_write_torn_at_any_place_is_there_altogether_or_not_at_all(tmp_path: Path) -> None:
    log = tmp_path / "spool.db-wal"
    spool = Spool(tmp_path / "spool.db", ROOMY)
    spool.write(records(100), now_ns=START_NS)
    written = log.stat().st_size
    spool.write(records(9_000, 50), now_ns=START_NS)
    outcomes = set()
    for number, size in enumerate(range(written, log.stat().st_size, 509)):
        torn = tmp_path / f"torn-{number}"
        torn.mkdir()
        shutil.copy(tmp_path / "spool.db", torn)
        (torn / "spool.db-wal").write_bytes(log.read_bytes()[:size])
        survivor = Spool(torn / "spool.db", ROOMY)
        outcomes.add(tuple(map(len, bodies(survivor))))
        survivor.close()
    spool.close()
    assert outcomes == {(100,)}


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", ROOMY)
    with pytest.raises(SpoolTakenError, match="WATCHKEEPER_DATA_DIR"):
        Spool(tmp_path / "spool.db", ROOMY)
    spool.close()


def test_on_a_full_disk_the_oldest_telemetry_gives_way_to_an_alarm(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", ROOMY)
    spool.write(records(*[3_000] * 20), now_ns=START_NS)
    (pages,) = spool._connection.execute("PRAGMA page_count").fetchone()
    spool._connection.execute(f"PRAGMA max_page_count={pages}")
    spool.write(records(9_000, lane=Lane.LIFE_SAFETY), now_ns=START_NS)
    assert list(map(len, bodies(spool, Lane.LIFE_SAFETY))) == [9_000]
    assert spool.figures.dropped[Lane.TELEMETRY] > 0
    assert bodies(spool)[-1] == records(*[3_000] * 20)[-1].body
    spool.close()


def test_on_a_full_disk_without_telemetry_nothing_changes_until_there_is_room(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", ROOMY)
    spool.write(records(3_000, 3_000, lane=Lane.STATE), now_ns=START_NS)
    (pages,) = spool._connection.execute("PRAGMA page_count").fetchone()
    spool._connection.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(SpoolFullError, match="Make room"):
        spool.write(records(90_000, lane=Lane.STATE), now_ns=START_NS)
    assert list(map(len, bodies(spool, Lane.STATE))) == [3_000, 3_000]
    spool._connection.execute("PRAGMA max_page_count=1000000")
    spool.write(records(90_000, lane=Lane.STATE), now_ns=START_NS)
    assert list(map(len, bodies(spool, Lane.STATE))) == [3_000, 3_000, 90_000]
    spool.close()


def test_a_file_that_is_no_spool_is_named_and_can_be_put_aside(tmp_path: Path) -> None:
    file = tmp_path / "spool.db"
    file.write_bytes(b"not a spool at all, but long enough to be looked at " * 100)
    with pytest.raises(SpoolDamagedError, match="a new one begun"):
        Spool(file, ROOMY)
    aside = put_aside(file, START_NS)
    assert aside.read_bytes().startswith(b"not a spool")
    spool = Spool(file, ROOMY)
    spool.write(records(10), now_ns=START_NS)
    assert len(bodies(spool)) == 1
    spool.close()


def test_pages_destroyed_in_a_running_spool_are_noticed(tmp_path: Path) -> None:
    file = tmp_path / "spool.db"
    spool = Spool(file, ROOMY)
    spool.write(records(*[3_000] * 50), now_ns=START_NS)
    spool.close()
    content = bytearray(file.read_bytes())
    content[4_096:] = b"\xa5" * (len(content) - 4_096)
    file.write_bytes(content)
    with pytest.raises(SpoolDamagedError):
        Spool(file, ROOMY)


def test_a_spool_begun_anew_has_another_identity_and_one_opened_again_the_same(tmp_path: Path) -> None:
    identities = []
    for name in ("one.db", "one.db", "two.db"):
        spool = Spool(tmp_path / name, ROOMY)
        identities.append(spool.identity)
        spool.close()
    assert identities[0] == identities[1] != identities[2]


def test_dropped_samples_are_counted_for_ever(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", LIMITS)
    spool.write(records(3_000, 3_000), now_ns=START_NS)
    spool.close()
    spool = Spool(tmp_path / "spool.db", LIMITS)
    assert spool.figures.dropped == {Lane.LIFE_SAFETY: 0, Lane.STATE: 0, Lane.TELEMETRY: 10}
    spool.close()
