"""YAML with lines."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.errors import ConfigurationError
from facility.yaml_file import did_you_mean, parse_yaml, read_yaml


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        parse_yaml("site.yaml", text)
    return [str(mistake) for mistake in raised.value.mistakes]


def test_every_value_knows_its_line() -> None:
    file = parse_yaml("x", "a:\n  - b: 1\n    c: 2\n")
    assert file.data == {"a": [{"b": 1, "c": 2}]}
    assert file.line(("a", 0, "c")) == 3
    assert file.line(("a", 0, "missing", "deeper")) == 2


def test_yes_no_and_on_stay_words() -> None:
    assert parse_yaml("x", "{no: 0, yes: 1, on: off}").data == {"no": 0, "yes": 1, "on": "off"}


def test_all_keys_that_stand_twice_are_told_at_once() -> None:
    assert mistakes("a: 1\nb: 2\na: 3\nb: 4\n") == [
        "site.yaml:3: 'a' stands here again, first on line 1; remove or rename one",
        "site.yaml:4: 'b' stands here again, first on line 2; remove or rename one",
    ]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: [1\nb: 2\n", 2, "expected ',' or ']'"),
        ("a: 1\n b: 2\n", 2, "mapping values are not allowed here"),
        ("a:\n\t- 1\n", 2, "indent with spaces, not with a tab"),
        ("a: *nobody\n", 1, "undefined alias"),
        ("a: !secret 1\n", 1, "could not determine a constructor"),
        ("a: 1\n---\nb: 2\n", 2, "expected a single document"),
        ("? [a, b]\n: 1\n", 1, "a key must be a name"),
        ("a: \x07\n", 0, "is not YAML"),
        ("a: 2026-13-45\n", 0, "is not YAML"),
        ("a: &a [*a]\n", 0, "contains itself"),
    ],
)
def test_text_that_is_no_yaml_is_told_with_its_line(text: str, line: int, words: str) -> None:
    (told,) = mistakes(text)
    assert told.startswith(f"site.yaml:{line}: ")
    assert words in told


def test_a_file_that_is_missing_or_not_utf8_is_told(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("a: Höhe".encode("latin-1"))
    with pytest.raises(ConfigurationError, match="is not UTF-8"):
        read_yaml(tmp_path / "latin.yaml")
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read_yaml(tmp_path / "nowhere.yaml")


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_lines(text: str) -> None:
    with contextlib.suppress(ConfigurationError):
        parse_yaml("site.yaml", text)


def test_the_nearest_name_is_offered_and_long_lists_are_cut() -> None:
    assert did_you_mean("lfit", ["lift", "pump"]) == "; did you mean 'lift'?"
    assert did_you_mean("xyz", ["lift", "pump"]) == "; known are lift, pump"
    assert did_you_mean("~", [f"name-{number}" for number in range(20)]).endswith(" and 8 more")
    assert did_you_mean("xyz", []) == ""
