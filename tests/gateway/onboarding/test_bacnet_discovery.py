"""BACnet devices of several makes are listed whole, and their fire devices are recognised whatever they are called."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from facility.class_files import load_classes
from facility.clock import SystemClock
from facility.errors import DeviceUnreachableError
from facility.model import Connection, Protocol, SiteDescription
from gateway.drivers.bacnet.discovery import FoundDevice, FoundObject, PortTakenError, discover
from gateway.onboarding.bacnet_objects import found_connection
from gateway.onboarding.draft import Draft
from gateway.onboarding.folder import write_draft
from gateway.onboarding.probe import probe
from gateway.onboarding.workshop import open_workshop
from gateway.profiles import site_profiles
from gateway.site_check import check_site, described_facility
from simulators.fire.bacnet import AnalogInput, BinaryInput, LifeSafetyPoint, serving
from tests.gateway.bacnet_device import FieldDevice
from tests.servers import free_port

WITHIN_S = 60.0
LIFE_SAFETY = {
    "presentValue": "quiet",
    "trackingValue": "quiet",
    "mode": "on",
    "acceptedModes": ["on"],
    "silenced": "unsilenced",
    "operationExpected": "none",
}


def common(kind: str, instance: int, name: str, description: str = "") -> dict[str, Any]:
    said = {"description": description} if description else {}
    return {
        "objectIdentifier": (kind, instance),
        "objectName": name,
        "eventState": "normal",
        "reliability": "noFaultDetected",
        "outOfService": False,
        **said,
    }


def analog(instance: int, name: str, unit: str, value: float) -> AnalogInput:
    return AnalogInput(**common("analog-input", instance, name), presentValue=value, units=unit, covIncrement=0.5)


def german_panel() -> list[Any]:
    """A panel that numbers everything its own way, and names in German what it names at all."""
    objects: list[Any] = []
    for number in range(1, 5):
        objects += [
            LifeSafetyPoint(**common("life-safety-point", number, f"BMA Gr.{number} Melder {number}"), **LIFE_SAFETY),
            analog(5000 + number, f"AI{5000 + number}", "percentObscurationPerMeter", 0.1),
            analog(6000 + number, f"AI{6000 + number}", "degreesCelsius", 21.0),
        ]
    contact = BinaryInput(
        **common("binary-input", 77, "BMA Gr.9/1 OG2", "Handfeuermelder 2.OG Treppe"),
        presentValue="inactive",
        polarity="normal",
        inactiveText="Ruhe",
        activeText="ausgelöst",
    )
    trouble = BinaryInput(**common("binary-input", 90, "BMZ Sammelstörung"), presentValue="inactive", polarity="normal")
    lonely = analog(8000, "Zulufttemperatur", "degreesCelsius", 19.0)
    return [*objects, contact, trouble, lonely]


@contextlib.asynccontextmanager
async def panel(objects: Sequence[Any]) -> AsyncIterator[int]:
    """Serve objects on a port of loopback."""
    connection = Connection(id="panel", protocol=Protocol.BACNET_IP, host="127.0.0.1", port=free_port())
    async with serving(connection, "BMZ", objects):
        yield connection.port


def drafted(device: FoundDevice, port: int, folder: Path) -> tuple[Draft, SiteDescription]:
    """Draft one device into a folder, and read the draft as ``site check`` does."""
    workshop = open_workshop()
    connection = found_connection(device, host="127.0.0.1", port=str(port), taken=[])
    draft = workshop.draft(workshop.recognised([connection]), "a test")
    write_draft(folder, draft, classes=workshop.classes, force=False)
    return draft, check_site(folder / "site.yaml", workshop.classes, {})


async def test_a_panel_that_numbers_and_names_its_own_way_is_drafted_and_every_point_is_good(tmp_path: Path) -> None:
    async with panel(german_panel()) as port:
        (device,) = await discover("127.0.0.1", port, timeout_s=WITHIN_S / 10)
        draft, site = drafted(device, port, tmp_path)
        classes = {asset.id: asset.equipment_class.name for asset in site.assets.values()}
        assert classes == {
            **{f"bma-gr-{number}-melder-{number}": "smoke-detector" for number in range(1, 5)},
            "bma-gr-9-1-og2": "manual-call-point",
            "bmz": "fire-panel",
        }
        detector = site.assets["bma-gr-3-melder-3"]
        assert (detector.profile, dict(detector.address)) == ("smoke-detector-bacnet-bmz", {"instance": 3})
        assert [left.found.name for left in draft.unmapped if left.found.entry["object"] == "analog-input,8000"]
        facility = described_facility(site)
        for asset_id in classes:
            profiles = site_profiles(tmp_path / "site.yaml")
            found = await probe(facility, profiles, asset_id, clock=SystemClock(), within_s=WITHIN_S)
            assert found.is_good, found


@pytest.mark.parametrize(
    "makes",
    [
        {"segmentation": "noSegmentation", "max_apdu": 480},
        {"has_multiple": False},
        {"most_at_once": 3},
        {"segmentation": "noSegmentation", "max_apdu": 480, "has_multiple": False},
    ],
    ids=["no segmentation", "no ReadPropertyMultiple", "small answers", "neither"],
)
async def test_every_object_is_listed_whatever_the_device_cannot_do(makes: dict[str, Any]) -> None:
    port = free_port()
    device = FieldDevice(port, analogs=60, **makes)
    try:
        (found,) = await discover("127.0.0.1", port, timeout_s=WITHIN_S / 10)
    finally:
        device.stop()
    names = {each.name for each in found.objects if each.type == "analog-input"}
    assert found.trouble == ""
    assert len(names) >= 60
    assert all(names)


async def test_nobody_there_is_said_and_a_taken_port_of_our_own_too() -> None:
    with pytest.raises(DeviceUnreachableError):
        await discover("127.0.0.1", free_port(), timeout_s=0.2)
    port = free_port()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", port))
    try:
        with pytest.raises(PortTakenError, match="--local-port"):
            await discover("127.0.0.1", free_port(), local_port=port)
    finally:
        transport.close()


def test_devices_whose_numbers_have_nothing_in_common_share_a_profile_with_a_parameter_a_point(tmp_path: Path) -> None:
    objects = tuple(
        FoundObject(type="analog-input", instance=instance, name=f"P{pump}.{name}", unit=unit)
        for pump, name, unit, instance in [
            (1, "Flow", "cubic-meters-per-hour", 4),
            (1, "Speed", "revolutions-per-minute", 9),
            (1, "Motor temperature", "degrees-celsius", 2),
            (2, "Flow", "cubic-meters-per-hour", 40),
            (2, "Speed", "revolutions-per-minute", 7),
            (2, "Motor temperature", "degrees-celsius", 11),
        ]
    )
    draft, site = drafted(FoundDevice(instance=9, name="PLANT", objects=objects), 47808, tmp_path)
    assert len(draft.profiles) == 1
    assert [dict(asset.address) for asset in site.assets.values()] == [
        {"speed": 9, "flow": 4, "winding_temperature": 2},
        {"speed": 7, "flow": 40, "winding_temperature": 11},
    ]
    assert load_classes().keys() >= {asset.equipment_class.name for asset in site.assets.values()}
