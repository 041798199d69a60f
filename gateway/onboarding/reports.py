"""What discovery, probe and import say to a person, and to a program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway.drivers.bacnet.discovery import FoundDevice
from gateway.onboarding.draft import Draft
from gateway.onboarding.probe import Probe
from gateway.onboarding.register_scan import ScannedUnit
from gateway.onboarding.tables import table
from gateway.onboarding.topic_survey import FoundTopic, FoundValue


def probe_text(found: Probe) -> str:
    """Return every point of a device with what is wrong with it."""
    rows = [(point.name, point.value, point.unit, point.quality, point.remedy) for point in found.points]
    lines = [
        f"{found.asset} ({found.profile}) on {found.connection} at {found.endpoint}: {found.state}",
        "",
        table(("point", "value", "unit", "quality", "what to look at"), rows),
    ]
    if found.unmapped:
        lines += ["", f"Not in the profile: {', '.join(found.unmapped)}"]
    return "\n".join(lines)


def devices_text(devices: Sequence[FoundDevice]) -> str:
    """Return BACnet devices and their objects."""
    rows = [
        (each.instance, each.address, each.name, each.vendor_name, each.model, each.segmentation, each.max_apdu)
        for each in devices
    ]
    parts = [table(("device", "at", "name", "vendor", "model", "segmentation", "APDU"), rows)]
    for device in devices:
        objects = [
            (each.id, each.name, each.unit or ", ".join(each.states), each.description or each.device_type)
            for each in device.objects
        ]
        title = f"Device {device.instance}: {len(objects)} objects, {device.requests} requests"
        parts.append(title + (f"; INCOMPLETE: {device.trouble}" if device.trouble else ""))
        parts.append(table(("object", "name", "unit or states", "description"), objects))
    return "\n\n".join(parts)


def draft_text(draft: Draft, paths: Sequence[Path]) -> str:
    """Return what became of a draft, and what to do next."""
    counts = Counter(asset.found.equipment_class for asset in draft.assets)
    said = ", ".join(f"{count} {name}" for name, count in counts.items()) or "nothing that a class fits"
    site = paths[0]
    lines = [
        "",
        f"Draft: {said}; {len(draft.profiles)} new profiles, {len(draft.unmapped)} left out (listed in the file).",
        *(f"  {path}" for path in paths),
        f"Review it, then: watchkeeper site check {site}",
        *(f"                 watchkeeper gateway probe --site {site} {asset.id}" for asset in draft.assets[:1]),
    ]
    return "\n".join(lines)


def topics_text(topics: Sequence[FoundTopic], left_out: int) -> str:
    """Return topics with their rate and what stands in them."""
    rows = [
        (each.topic, each.kind, _rate(each.rate_hz), each.messages, "yes" if each.retained else "", len(each.values))
        for each in topics
    ]
    values = [
        (each.topic, value.path or "(whole)", "/".join(sorted(value.types)), _shown(value))
        for each in topics
        for value in each.values.values()
    ]
    parts = [
        table(("topic", "payload", "rate", "messages", "retained", "values"), rows),
        table(("topic", "path", "type", "example or range"), values),
    ]
    if left_out:
        parts.append(f"INCOMPLETE: {left_out} messages on further topics; narrow --topic down")
    return "\n\n".join(parts) if topics else "Nothing was published on these topics in this time."


def topic_json(topic: FoundTopic) -> dict[str, Any]:
    """Return a topic for a program."""
    return {
        "topic": topic.topic,
        "payload": topic.kind,
        "rate_hz": topic.rate_hz,
        "messages": topic.messages,
        "retained": topic.retained,
        "values": [
            {
                "path": value.path,
                "types": sorted(value.types),
                "example": value.example,
                "texts": sorted(value.texts),
                "low": value.low,
                "high": value.high,
            }
            for value in topic.values.values()
        ],
    }


def units_text(units: Sequence[ScannedUnit]) -> str:
    """Return units with the registers that they have."""
    rows = [
        (unit.unit, ", ".join(map(str, unit.ranges)) or "none of these", len(unit.values), unit.requests, unit.trouble)
        for unit in units
    ]
    text = table(("unit", "registers", "count", "requests", "trouble"), rows)
    return (
        text if units else "No unit answered. Check the unit numbers, and the line's speed and parity if it is serial."
    )


def unit_json(unit: ScannedUnit) -> dict[str, Any]:
    """Return a unit for a program."""
    return {
        "unit": unit.unit,
        "ranges": [[each.first, each.last] for each in unit.ranges],
        "values": {str(register): value for register, value in sorted(unit.values.items())},
        "requests": unit.requests,
        "trouble": unit.trouble,
    }


def _rate(rate_hz: float | None) -> str:
    if rate_hz is None:
        return ""
    return f"{rate_hz:.2g}/s" if rate_hz >= 1 else f"every {1 / rate_hz:.2g} s"


def _shown(value: FoundValue) -> str:
    if value.low is not None and value.high is not None and value.low < value.high:
        return f"{value.low:.6g} … {value.high:.6g}"
    if len(value.texts) > 1:
        return ", ".join(sorted(value.texts))
    return str(value.example)
