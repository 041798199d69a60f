"""A BACnet device's objects, discovered or out of a file, as found points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from facility.model import Protocol
from gateway.drivers.bacnet.discovery import FoundDevice, FoundObject
from gateway.onboarding.found import FoundConnection, FoundPoint, Shape
from gateway.onboarding.names import asset_id
from gateway.onboarding.unit_names import is_none, pint_unit

SETTINGS: Final[Mapping[str, Any]] = {"reconcile_s": 10, "poll_s": 10, "cov_lifetime_s": 120}
"""As the shipped BACnet profiles have them."""

_SHAPES: Final[Mapping[str, Shape]] = {
    "analog-input": Shape.QUANTITY,
    "analog-output": Shape.QUANTITY,
    "analog-value": Shape.QUANTITY,
    "large-analog-value": Shape.QUANTITY,
    "integer-value": Shape.QUANTITY,
    "positive-integer-value": Shape.QUANTITY,
    "accumulator": Shape.QUANTITY,
    "pulse-converter": Shape.QUANTITY,
    "binary-input": Shape.CONTACT,
    "binary-output": Shape.CONTACT,
    "binary-value": Shape.CONTACT,
    "multi-state-input": Shape.STATES,
    "multi-state-output": Shape.STATES,
    "multi-state-value": Shape.STATES,
    "life-safety-point": Shape.LIFE_SAFETY,
    "life-safety-zone": Shape.LIFE_SAFETY,
}
_HINTS: Final = {"life-safety-point": "smoke-detector", "life-safety-zone": "fire-panel"}


def found_connection(
    device: FoundDevice, *, host: str, port: str, taken: Sequence[str], notes: Sequence[str] = ()
) -> FoundConnection:
    """Return a device as a connection of its own.

    Args:
        device: What was found.
        host: Where the device is reached.
        port: Its UDP port.
        taken: Ids of connections that are used already.
        notes: More for the draft's comments.
    """
    label = device.name or device.description or f"device-{device.instance}"
    said = ", ".join(text for text in (device.vendor_name, device.model, device.description) if text)
    own = [f"BACnet device {device.instance}, {label!r}" + (f" ({said})" if said else "")]
    own += [f"INCOMPLETE: {device.trouble}"] if device.trouble else []
    return FoundConnection(
        id=asset_id(f"bacnet-{label}", "bacnet", taken),
        protocol=Protocol.BACNET_IP,
        host=host,
        port=port,
        options={"device_instance": device.instance},
        label=label,
        points=tuple(_found_point(each) for each in device.objects),
        settings=SETTINGS,
        notes=(*own, *notes),
    )


def _found_point(found: FoundObject) -> FoundPoint:
    shape = _SHAPES.get(found.type, Shape.OTHER)
    return FoundPoint(
        name=found.name,
        entry={"object": found.id},
        origin=found.id,
        shape=shape,
        description=found.description or found.device_type,
        unit=pint_unit(found.unit),
        unit_said="" if is_none(found.unit) else found.unit,
        states=_states(shape, found.states),
        hint=_HINTS.get(found.type, ""),
    )


def _states(shape: Shape, texts: Sequence[str]) -> dict[Any, str]:
    if shape is Shape.CONTACT:
        inactive, active = (*texts, "", "")[:2]
        return {"inactive": inactive, "active": active}
    return dict(enumerate(texts, start=1)) if shape is Shape.STATES else {}
