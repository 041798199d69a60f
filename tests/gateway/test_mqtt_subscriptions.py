"""A thousand doors and one subscription."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from gateway.drivers.mqtt.broker import Subscription
from gateway.drivers.mqtt.subscriptions import Routes, covers, filter_mistake, is_filter, plan_subscriptions

levels = st.lists(st.sampled_from(["a", "b", "", "+"]), min_size=1, max_size=4)
topics = st.lists(st.sampled_from(["a", "b", ""]), min_size=1, max_size=5).map("/".join).filter(bool)
filters = st.builds(lambda start, end: "/".join(start + end), levels, st.sampled_from([[], ["#"]])).filter(bool)


def test_a_thousand_doors_need_one_subscription() -> None:
    doors = [(f"harbour/door-{number}/state", 1) for number in range(1000)]
    assert plan_subscriptions(doors, ["harbour/+/state"]) == [Subscription("harbour/+/state", 1)]


def test_what_no_filter_covers_is_subscribed_by_itself_and_a_filter_that_covers_nothing_is_left_out() -> None:
    wanted = [("harbour/door-1/state", 0), ("harbour/door-1/event", 1)]
    assert plan_subscriptions(wanted, ["harbour/+/state", "elsewhere/#"]) == [
        Subscription("harbour/+/state", 0),
        Subscription("harbour/door-1/event", 1),
    ]


@given(st.lists(topics, max_size=6), st.lists(filters, max_size=4))
def test_every_wanted_topic_arrives_whatever_the_filters(wanted: list[str], wide: list[str]) -> None:
    plan = plan_subscriptions([(topic, 1) for topic in wanted], wide)
    for topic in wanted:
        assert any(topic_matches_sub(each.filter, topic) for each in plan)
    assert len(plan) <= len(set(wanted))


@given(filters, filters, topics)
def test_a_filter_covers_another_only_if_it_brings_all_that_the_other_brings(wide: str, own: str, topic: str) -> None:
    if is_filter(own) and covers(wide, own) and topic_matches_sub(own, topic):
        assert topic_matches_sub(wide, topic)


@given(st.lists(filters | topics, max_size=8), topics)
def test_a_topic_finds_everybody_who_wants_it_the_first_time_and_every_time(wanted: list[str], topic: str) -> None:
    routes = Routes((each, number) for number, each in enumerate(wanted))
    expected = {number for number, each in enumerate(wanted) if topic_matches_sub(each, topic)}
    assert set(routes.of(topic)) == expected
    assert set(routes.of(topic)) == expected


@pytest.mark.parametrize("wrong", ["", "a/b+", "#/a", "a/#/b", "a\0b"])
def test_a_filter_that_no_broker_takes_is_told(wrong: str) -> None:
    assert filter_mistake(wrong)


@pytest.mark.parametrize("right", ["a", "/", "a/+/b", "#", "+/+/#", "a//b"])
def test_a_filter_that_brokers_take_is_taken(right: str) -> None:
    assert not filter_mistake(right)
