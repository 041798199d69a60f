"""Which points a rule reads."""

from __future__ import annotations

from dataclasses import replace

from facility.life_safety import rules_refusal
from facility.rule_inputs import RuleInputs
from gateway.inbox import urgent_points
from tests.rules.test_joined_conditions import DRY_RUN, OFF_TARGET, TWO_ALARMS, condition
from tests.rules.works import DETECTORS, DOOR, FLOW, PRESSURE, RUNNING, SETPOINT, TROUBLE, works


def test_a_rule_reads_all_that_its_condition_its_gate_and_the_rules_in_it_name() -> None:
    second = condition("composite", expression="dry and pressure > 1")
    facility = works(
        {"off": (PRESSURE, OFF_TARGET), "dry": (FLOW, DRY_RUN), "both": (DOOR, second), "fire": (TROUBLE, TWO_ALARMS)},
        off="flow > 1",
    )
    inputs = {rule.definition.name: set(RuleInputs(facility).of(rule)) for rule in facility.rules.values()}
    assert inputs == {
        "off": {PRESSURE, SETPOINT, FLOW},
        "dry": {FLOW, RUNNING},
        "both": {DOOR, FLOW, RUNNING, PRESSURE},
        "fire": {TROUBLE, *DETECTORS},
    }


def test_all_that_a_life_safety_rule_reads_is_urgent_and_nobody_commands_it() -> None:
    facility = works({"fire": (TROUBLE, TWO_ALARMS), "dry": (FLOW, DRY_RUN)})
    assert urgent_points(facility) == {DOOR}  # an event
    grave = {
        number: replace(rule, definition=rule.definition.model_copy(update={"life_safety": True}))
        for number, rule in facility.rules.items()
    }
    facility = replace(facility, rules=grave)
    assert urgent_points(facility) == {DOOR, TROUBLE, *DETECTORS, FLOW, RUNNING}
    definitions = [rule.definition for rule in facility.rules.values()]
    assert rules_refusal(definitions, "running") == "running is watched for life safety and is read only"
    assert rules_refusal(definitions, "pressure") is None
