"""The state of an edge node, whatever it says in whatever order; and its payloads, whatever bytes they are."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pysparkplug import DataType as PeerType
from pysparkplug import DBirth, DCmd, Metric

from gateway.drivers.mqtt.sparkplug.node import SEQUENCE, TABLE, Node, NodeState, Signal
from gateway.drivers.mqtt.sparkplug.payload import DataType, MalformedPayloadError, command, decode, typed

numbers = st.none() | st.integers(0, SEQUENCE - 1)
births = st.tuples(st.just("birth"), numbers)
sayings = st.tuples(st.just("says"), numbers)
losses = st.tuples(st.just("next"), st.none())
deaths = st.tuples(st.just("death"), numbers)


def after(node: Node, heard: tuple[str, int | None]) -> Node:
    what, number = heard
    match what:
        case "birth":
            return node.born(0, number)
        case "death":
            return node.died(number)[0]
        case "next":
            return node.said((node.seq + 1) % SEQUENCE)[0]
        case _:
            return node.said(number)[0]


def lives(events: list[tuple[str, int | None]]) -> Node:
    node = Node()
    for heard in events:
        node = after(node, heard)
    return node


histories = st.lists(births | sayings | losses | deaths, max_size=12).map(lives)


def test_every_state_has_an_answer_to_every_message() -> None:
    for state, signal in product(NodeState, Signal):
        if signal not in {Signal.DEATH, Signal.OLD_DEATH}:
            assert TABLE[state, signal].why
        assert (state, Signal.OLD_DEATH) not in TABLE


@given(histories, numbers, st.integers(1, 300))
def test_a_born_node_that_counts_on_stays_online_and_is_never_asked(node: Node, bd_seq: int | None, said: int) -> None:
    node = node.born(0, bd_seq)
    for number in range(1, said + 1):
        node, row = node.said(number % SEQUENCE)
        assert (node.state, row.takes_data, row.asks_birth) == (NodeState.ONLINE, True, False)


@given(histories, st.integers(0, SEQUENCE - 1), st.integers(2, SEQUENCE))
def test_a_message_that_is_not_the_next_one_is_always_noticed(node: Node, bd_seq: int, step: int) -> None:
    node = node.born(0, bd_seq)
    doubted, row = node.said(step % SEQUENCE)
    assert row.asks_birth
    assert doubted.state is NodeState.DOUBTFUL
    assert doubted.born(0, bd_seq).state is NodeState.ONLINE


@given(histories, st.integers(0, SEQUENCE - 1), st.integers(0, SEQUENCE - 1))
def test_only_the_death_of_the_present_life_kills(node: Node, born: int, died: int) -> None:
    alive = node.born(0, born)
    after_death, is_dead = alive.died(died)
    assert is_dead == (born == died)
    assert (after_death == alive) == (born != died)


@given(histories, numbers)
def test_the_dead_and_the_unknown_say_nothing_that_counts_and_are_asked(node: Node, seq: int | None) -> None:
    _, row = node.said(seq)
    silent = node.state in {NodeState.UNKNOWN, NodeState.OFFLINE}
    assert row.takes_data != silent
    assert row.asks_birth or not silent


SIGNED = {DataType.INT8: 8, DataType.INT16: 16, DataType.INT32: 32, DataType.INT64: 64}
typed_numbers = st.sampled_from(sorted(SIGNED)).flatmap(
    lambda kind: st.tuples(st.just(kind), st.integers(-(1 << SIGNED[kind] - 1), (1 << SIGNED[kind] - 1) - 1))
)


@given(typed_numbers)
def test_numbers_of_tahus_schema_are_read_and_written_with_their_sign(number: tuple[DataType, int]) -> None:
    kind, value = number
    peer = Metric(timestamp=1, name="m", datatype=PeerType(int(kind)), value=value)
    (read,) = decode(DBirth(timestamp=1, seq=1, metrics=(peer,)).encode()).metrics
    assert (read.name, typed(read.raw, read.datatype)) == ("m", value)
    if abs(value) < 2**53:  # what a point's value can hold
        (told,) = DCmd.decode(command("m", kind, float(value), 1)).metrics
        assert told.value == value


@pytest.mark.parametrize(
    ("kind", "value"),
    [(DataType.UINT8, 255.0), (DataType.UINT32, 4e9), (DataType.DOUBLE, 0.1), (DataType.BOOLEAN, 1.0)],
)
def test_commands_of_every_type_are_read_by_tahus_schema(kind: DataType, value: float) -> None:
    (told,) = DCmd.decode(command("m", kind, value, 1)).metrics
    assert told.value == value


@pytest.mark.parametrize(("kind", "value"), [(DataType.UINT8, 256.0), (DataType.INT8, -129.0), (DataType.UUID, 1.0)])
def test_a_value_that_the_metrics_type_cannot_hold_is_not_sent(kind: DataType, value: float) -> None:
    with pytest.raises(ValueError, match=r"does not fit|cannot be written"):
        command("m", kind, value, 1)


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_no_bytes_whatever_are_more_than_malformed(data: bytes) -> None:
    try:
        payload = decode(data)
    except MalformedPayloadError:
        return
    for metric in payload.metrics:
        typed(metric.raw, metric.datatype)
