"""The commands ``watchkeeper gateway …``: from an unknown device to a site file that reads it."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer

from app.logs import configure_logs
from app.process import EXIT_FAILED, refusals, run_until_signal
from facility.class_files import load_classes
from facility.clock import SystemClock
from gateway.drivers.bacnet.discovery import FoundDevice, discover
from gateway.onboarding.bacnet_objects import found_connection
from gateway.onboarding.draft import Draft
from gateway.onboarding.folder import write_draft
from gateway.onboarding.found import FoundConnection
from gateway.onboarding.imports import Imported, Place, import_ede, import_registers
from gateway.onboarding.probe import Probe, probe
from gateway.onboarding.tables import table
from gateway.onboarding.workshop import open_workshop
from gateway.profiles import site_profiles
from gateway.site_check import check_site, described_facility

gateway_commands = typer.Typer(
    no_args_is_help=True, help="Look at devices, and draft the site file and the profiles that read them."
)
discover_commands = typer.Typer(
    no_args_is_help=True, help="Ask a wire what is on it. Only reads; --draft writes what it makes of it."
)
import_commands = typer.Typer(no_args_is_help=True, help="Draft site file and profiles from what a maker hands over.")
gateway_commands.add_typer(discover_commands, name="discover")
gateway_commands.add_typer(import_commands, name="import")

BACNET_PORT: Final = 47_808
MODBUS_PORT: Final = 502

DraftOption = Annotated[
    Path | None, typer.Option("--draft", help="Write a draft of site.yaml and profiles into this folder.")
]
NeededDraftOption = Annotated[Path, typer.Option("--draft", help="Folder for the draft of site.yaml and profiles.")]
FileArgument = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The file.")]
ClassOption = Annotated[
    str | None, typer.Option("--class", help="What all devices of the file are, such as pump; otherwise it is guessed.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace files that are there.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")]
TimeoutOption = Annotated[float, typer.Option(min=0.1, max=60.0, help="Seconds to wait for an answer.")]


@discover_commands.command("bacnet")
def discover_bacnet(
    address: Annotated[str, typer.Argument(metavar="HOST[:PORT]", help="Of a device, or the broadcast address.")],
    *,
    broadcast: Annotated[
        bool, typer.Option("--who-is-broadcast", help="HOST is the network's broadcast address: ask everybody.")
    ] = False,
    instance: Annotated[
        int | None, typer.Option(min=0, max=4_194_302, help="Only the device with this instance.")
    ] = None,
    local_port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Our own UDP port; 0 takes a free one. Many devices answer to 47808.")
    ] = 0,
    timeout: TimeoutOption = 2.0,
    draft: DraftOption = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Ask BACnet/IP devices who they are, and list their objects with names, units and states."""
    host, port = _host_and_port(address, BACNET_PORT)

    async def look(_stop: asyncio.Event) -> list[FoundDevice]:
        return await discover(
            host, port, broadcast=broadcast, instance=instance, timeout_s=timeout, local_port=local_port
        )

    devices = run_until_signal(look)
    _print_found(json=json, found=devices, text=_devices_text(devices))
    if draft is not None:
        connections: list[FoundConnection] = []
        for device in devices:
            at = (host, port) if len(devices) == 1 else _host_and_port(device.address, BACNET_PORT)
            taken = [connection.id for connection in connections]
            connections.append(found_connection(device, host=at[0], port=str(at[1]), taken=taken))
        _draft(draft, connections, f"`watchkeeper gateway discover bacnet {address}`", force=force, quiet=json)


@import_commands.command("ede")
def import_ede_file(
    file: FileArgument,
    *,
    draft: NeededDraftOption,
    at: Annotated[str, typer.Option("--at", metavar="HOST[:PORT]", help="Where the device is reached.")] = "",
    equipment: ClassOption = None,
    force: ForceOption = False,
) -> None:
    """Draft from an EDE file, the list of objects that BACnet makers hand over, with StateTexts and Units beside it."""
    with refusals():
        imported = import_ede(file, Place(*_host_and_port(at, BACNET_PORT)))
    _draft_imported(draft, imported, file, equipment, force=force)


@import_commands.command("csv")
def import_register_list(
    file: FileArgument,
    *,
    draft: NeededDraftOption,
    at: Annotated[str, typer.Option("--at", metavar="HOST[:PORT]", help="Where the device is reached.")] = "",
    unit: Annotated[int, typer.Option(min=0, max=255, help="Modbus unit of rows that say none.")] = 1,
    equipment: ClassOption = None,
    force: ForceOption = False,
) -> None:
    """Draft from a list of Modbus registers: columns name and register, and as far as known unit, type, scale, states.

    docs/onboarding.md lists the columns.
    """
    with refusals():
        imported = import_registers(file, Place(*_host_and_port(at, MODBUS_PORT)), unit_id=unit)
    _draft_imported(draft, imported, file, equipment, force=force)


def _draft_imported(folder: Path, imported: Imported, file: Path, equipment: str | None, *, force: bool) -> None:
    for remark in imported.remarks:
        typer.echo(str(remark), err=True)
    _draft(folder, imported.connections, file.name, equipment=equipment, force=force)


@gateway_commands.command("probe")
def probe_device(
    asset: Annotated[str, typer.Argument(help="Id of the asset.")],
    *,
    site: Annotated[Path, typer.Option("--site", exists=True, dir_okay=False, help="The site file.")],
    seconds: Annotated[float, typer.Option(min=0.5, max=600.0, help="Longest time to wait for all points.")] = 15.0,
    json: JsonOption = False,
) -> None:
    """Read all points of one device once, as the gateway does; exit code 1 when a point is bad.

    Writes nothing, and takes nothing from a running gateway, except on devices that allow a single session.
    """
    configure_logs(logging.ERROR)

    async def look(_stop: asyncio.Event) -> Probe:
        facility = described_facility(check_site(site, load_classes(), os.environ))
        return await probe(facility, site_profiles(site), asset, clock=SystemClock(), within_s=seconds)

    found = run_until_signal(look)
    _print_found(json=json, found=found, text=_probe_text(found))
    if not found.is_good:
        raise typer.Exit(EXIT_FAILED)


def _probe_text(found: Probe) -> str:
    rows = [(point.name, point.value, point.unit, point.quality, point.remedy) for point in found.points]
    lines = [
        f"{found.asset} ({found.profile}) on {found.connection} at {found.endpoint}: {found.state}",
        "",
        table(("point", "value", "unit", "quality", "what to look at"), rows),
    ]
    if found.unmapped:
        lines += ["", f"Not in the profile: {', '.join(found.unmapped)}"]
    return "\n".join(lines)


def _devices_text(devices: list[FoundDevice]) -> str:
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


def _host_and_port(address: str, usual: int) -> tuple[str, int]:
    """Return host and port of ``HOST[:PORT]``.

    Raises:
        BadParameter: It is none.
    """
    host, colon, port = address.rpartition(":")
    if not colon:
        return address, usual
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:  # noqa: PLR2004  # the ports there are
        message = f"{address!r} is no address; write HOST or HOST:PORT, such as 10.0.3.7:{usual}"
        raise typer.BadParameter(message)
    return host, int(port)


def _print_found(*, json: bool, found: object, text: str) -> None:
    typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode() if json else text)


def _draft(
    folder: Path,
    connections: list[FoundConnection],
    source: str,
    *,
    equipment: str | None = None,
    force: bool,
    quiet: bool = False,
) -> None:
    """Recognise what was found, write the draft and say what became of it."""
    with refusals():
        workshop = open_workshop()
        draft = workshop.draft(workshop.recognised(connections, equipment), source)
        paths = write_draft(folder, draft, classes=workshop.classes, force=force)
    typer.echo(_draft_text(draft, paths), err=quiet)


def _draft_text(draft: Draft, paths: list[Path]) -> str:
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
