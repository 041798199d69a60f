"""The drivers' quality checklists: read, and shown as a page of the documentation.

``python -m tests.gateway.quality_scale`` writes the page anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from facility.yaml_file import read_yaml

REPOSITORY: Final = Path(__file__).parents[2]
DRIVERS: Final = REPOSITORY / "gateway" / "drivers"
PAGE: Final = REPOSITORY / "docs" / "gateway" / "quality.md"
NAMES: Final = {"modbus": "Modbus", "bacnet": "BACnet/IP", "mqtt": "MQTT"}

HEAD: Final = """\
# What each driver holds to

Written by `python -m tests.gateway.quality_scale` from `gateway/drivers/quality_rules.yaml` and the
`quality_scale.yaml` beside each driver. ✓ names how many tests prove it; a number refers to the notes below, where a
rule means nothing for a protocol.
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """How one driver answers one rule: by tests, or by why the rule means nothing to it."""

    tests: tuple[str, ...] = ()
    exempt: str = ""


def rules() -> dict[str, dict[str, str]]:
    """Return every rule with its sentence, by group."""
    found: dict[str, dict[str, str]] = read_yaml(DRIVERS / "quality_rules.yaml").data
    return found


def answers(driver: str) -> dict[str, Answer]:
    """Return a driver's answer to each rule."""
    written = read_yaml(DRIVERS / driver / "quality_scale.yaml").data
    return {
        rule: Answer(tests=tuple(answer.get("done", ())), exempt=answer.get("exempt", ""))
        for rule, answer in written.items()
    }


def page() -> str:
    """Return the page of the documentation."""
    by_driver = {driver: answers(driver) for driver in NAMES}
    notes: list[str] = []
    lines = [HEAD]
    for group, sentences in rules().items():
        lines += [f"## {group.capitalize()}", "", f"| rule | | {' | '.join(NAMES.values())} |", "|---|---|---|---|---|"]
        for rule, sentence in sentences.items():
            cells = [_cell(f"{NAMES[driver]}, {rule}", given[rule], notes) for driver, given in by_driver.items()]
            lines.append(f"| `{rule}` | {sentence} | {' | '.join(cells)} |")
        lines.append("")
    lines += ["## Notes", "", *notes]
    return "\n".join(lines) + "\n"


def _cell(place: str, answer: Answer, notes: list[str]) -> str:
    if answer.tests:
        return f"✓ {len(answer.tests)}"
    notes.append(f"{len(notes) + 1}. {place}: {answer.exempt}")
    return f"({len(notes)})"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
