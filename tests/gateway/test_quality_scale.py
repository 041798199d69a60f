"""What the drivers' checklists promise is true."""

from __future__ import annotations

import ast
from functools import cache

import pytest

from tests.gateway.quality_scale import DRIVERS, NAMES, PAGE, REPOSITORY, answers, page, rules


@cache
def collected_from(file: str) -> frozenset[str]:
    """Return the tests that pytest would collect from a file."""
    tree = ast.parse((REPOSITORY / file).read_text(encoding="utf-8"))
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


def test_every_driver_has_a_checklist() -> None:
    found = {path.parent.name for path in DRIVERS.glob("*/driver.py")}
    assert found == set(NAMES)


@pytest.mark.parametrize("driver", NAMES)
def test_a_driver_answers_every_rule_and_no_other(driver: str) -> None:
    assert list(answers(driver)) == [rule for sentences in rules().values() for rule in sentences]


@pytest.mark.parametrize("driver", NAMES)
def test_every_answer_is_either_proven_or_says_why_not(driver: str) -> None:
    for rule, answer in answers(driver).items():
        assert bool(answer.tests) != bool(answer.exempt), f"{driver}: {rule} needs tests or a reason, and not both"


@pytest.mark.parametrize("driver", NAMES)
def test_every_test_that_a_checklist_names_exists(driver: str) -> None:
    for rule, answer in answers(driver).items():
        for node in answer.tests:
            file, _, name = node.partition("::")
            assert name in collected_from(file), f"{driver}: {rule} names {node}, which does not exist"


def test_the_page_of_the_documentation_says_the_same() -> None:
    remedy = "run: python -m tests.gateway.quality_scale"
    assert PAGE.read_text(encoding="utf-8") == page(), remedy
