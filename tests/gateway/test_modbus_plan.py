"""Which registers are read together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers.modbus.plan import Block, Hole, Span, bisect, hole_between, plan


def span(start: int, width: int = 1, *, column: int = 0, function: int = 3) -> Span:
    return Span(function=function, start=start, width=width, column=column)


def extents(blocks: list[Block]) -> list[tuple[int, int]]:
    return [(block.start, block.count) for block in blocks]


@st.composite
def device_maps(draw: st.DrawFn) -> list[Span]:
    places = draw(
        st.lists(st.tuples(st.sampled_from([3, 4]), st.integers(0, 600), st.sampled_from([1, 2, 4])), max_size=60)
    )
    return [
        Span(function=function, start=start, width=width, column=column)
        for column, (function, start, width) in enumerate(places)
    ]


holes_anywhere = st.lists(
    st.builds(
        lambda function, start, length: Hole(function=function, start=start, end=start + length),
        st.sampled_from([3, 4]),
        st.integers(0, 600),
        st.integers(0, 20),
    ),
    max_size=8,
)


@given(device_maps(), st.integers(0, 30), st.integers(4, 125), holes_anywhere)
def test_every_value_is_read_exactly_once_in_requests_that_the_device_takes(
    spans: list[Span], max_gap: int, max_registers: int, holes: list[Hole]
) -> None:
    blocks = plan(spans, max_gap=max_gap, max_registers=max_registers, holes=holes)
    read = [each for block in blocks for each in block.spans]
    assert sorted(read) == sorted(spans)
    for block in blocks:
        assert block.count <= max_registers
        assert all(each.function == block.function for each in block.spans)
        assert all(block.start <= each.start and each.end <= block.end for each in block.spans)
        if len(block.spans) > 1:
            assert not any(hole.lies_in(block.function, block.start, block.end) for hole in holes)


@given(device_maps(), st.integers(0, 30))
def test_no_request_reads_more_unused_registers_in_a_row_than_allowed(spans: list[Span], max_gap: int) -> None:
    for block in plan(spans, max_gap=max_gap):
        used = {register for each in block.spans for register in range(each.start, each.end)}
        gap = 0
        for register in range(block.start, block.end):
            gap = 0 if register in used else gap + 1
            assert gap <= max_gap


@given(device_maps())
def test_a_refused_request_splits_into_two_that_share_no_register(spans: list[Span]) -> None:
    for block in plan(spans, max_gap=30):
        halves = bisect(block)
        if halves is None:
            continue
        left, right = halves
        assert left.spans + right.spans == block.spans
        assert left.end <= right.start
        hole = hole_between(left, right)
        assert not hole.lies_in(left.function, left.start, left.end)
        assert not hole.lies_in(right.function, right.start, right.end)
        assert hole.lies_in(block.function, block.start, block.end)


def test_values_that_lie_near_each_other_come_in_one_request() -> None:
    assert extents(plan([span(10, 2), span(0, 2), span(4)])) == [(0, 12)]


def test_values_far_from_each_other_come_in_two() -> None:
    assert extents(plan([span(0, 2), span(11)], max_gap=8)) == [(0, 2), (11, 1)]


def test_holding_and_input_registers_are_never_mixed() -> None:
    assert len(plan([span(0), span(1, function=4)])) == 2


def test_a_learned_hole_keeps_its_neighbours_apart_and_others_together() -> None:
    spans = [span(0, 2), span(4, 2), span(8, 2)]
    assert extents(plan(spans, holes=[Hole(function=3, start=2, end=4)])) == [(0, 2), (4, 6)]


def test_a_border_that_none_may_cross_lies_between_two_registers() -> None:
    assert extents(plan([span(0), span(1), span(2)], holes=[Hole(function=3, start=2, end=2)])) == [(0, 2), (2, 1)]


def test_a_refused_block_is_split_at_its_widest_gap() -> None:
    halves = bisect(Block(spans=(span(0), span(2), span(9), span(10))))
    assert halves is not None
    assert [(half.start, half.count) for half in halves] == [(0, 3), (9, 2)]


def test_bits_of_one_register_cannot_be_split() -> None:
    assert bisect(Block(spans=(span(26, column=0), span(26, column=1)))) is None
