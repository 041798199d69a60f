"""What topics carry is learned from whatever is published on them."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from gateway.onboarding.topic_survey import MOST_VALUES, Payload, Survey, read_payload

leaves = st.one_of(
    st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=10)
)
keys = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=6)
documents = st.dictionaries(keys, st.one_of(leaves, st.dictionaries(keys, leaves, max_size=3)), min_size=1, max_size=5)


def flat(document: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a document by dotted path."""
    found: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, dict):
            found |= {f"{key}.{inner}": leaf for inner, leaf in value.items()}
        else:
            found[key] = value
    return found


@given(documents)
def test_every_value_of_a_json_payload_is_found_at_its_path(document: dict[str, Any]) -> None:
    survey = Survey()
    survey.take("plant/pump-1", orjson.dumps(document), retained=False, at_s=0.0)
    (topic,) = survey.topics()
    assert topic.kind is Payload.JSON
    assert {path: value.example for path, value in topic.values.items()} == flat(document)


@given(st.lists(st.tuples(st.sampled_from(["a", "a/b", "spBv1.0/g/NDATA/n"]), st.binary(max_size=40)), max_size=30))
def test_no_payload_is_too_strange(messages: list[tuple[str, bytes]]) -> None:
    survey = Survey()
    for at_s, (topic, payload) in enumerate(messages):
        survey.take(topic, payload, retained=False, at_s=float(at_s))
    assert sum(topic.messages for topic in survey.topics()) == len(messages)


def test_a_payload_with_endless_values_is_cut() -> None:
    survey = Survey()
    survey.take(
        "a", orjson.dumps({f"k{number}": number for number in range(5 * MOST_VALUES)}), retained=False, at_s=0.0
    )
    assert len(survey.topics()[0].values) == MOST_VALUES


def test_the_rate_counts_what_was_published_and_not_what_was_kept() -> None:
    survey = Survey()
    survey.take("a", b"1", retained=True, at_s=0.0)
    for second in range(5):
        survey.take("a", b"2", retained=False, at_s=10.0 + 2 * second)
    (topic,) = survey.topics()
    assert (topic.rate_hz, topic.retained, topic.messages) == (0.5, True, 6)


def test_kinds_of_payloads_are_told_apart() -> None:
    kinds = [
        read_payload("a", payload)[0] for payload in (b'{"x": 1}', b'[{"x": 1}]', b"21.5", b"OPEN", b"\xff\x00", b"")
    ]
    json, text = Payload.JSON, Payload.TEXT
    assert kinds == [json, json, text, text, Payload.BINARY, Payload.EMPTY]
    assert read_payload("spBv1.0/g/NBIRTH/n", b"\x08\x01")[0] is Payload.SPARKPLUG
