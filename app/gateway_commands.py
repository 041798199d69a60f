"""The commands ``watchkeeper gateway …``: from an unknown device to a site file that reads it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer

from app.logs import configure_logs
from app.process import EXIT_FAILED, refusals, run_until_signal
from facility.class_files import load_classes
from facility.clock import SystemClock
from facility.connections import resolved_connection
from facility.errors import ConfigurationError, Mistake
from facility.model import Connection, Protocol, WrittenConnection
from gateway.drivers.bacnet.discovery import FoundDevice, discover
from gateway.drivers.mqtt.discovery import Heard, listen
from gateway.onboarding.folder import write_draft
from gateway.onboarding.found_asset import Recognised
from gateway.onboarding.imports import Imported, Place, import_birth, import_ede, import_registers
from gateway.onboarding.modbus_survey import Wanted, survey
from gateway.onboarding.probe import Probe, probe
from gateway.onboarding.register_scan import ScannedUnit
from gateway.onboarding.reports import (
    devices_text,
    draft_text,
    probe_text,
    topic_json,
    topics_text,
    unit_json,
    units_text,
)
from gateway.onboarding.topic_survey import Survey
from gateway.onboarding.workshop import (
    Workshop,
    bacnet_connections,
    open_workshop,
    recognised_topics,
    recognised_units,
)
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
MQTT_PORT: Final = 1883
MOST_DIGITS: Final = 5


class RegisterKind(StrEnum):
    """Kinds of Modbus registers, in the order of their function codes from 1 on."""

    COIL = "coil"
    DISCRETE = "discrete"
    HOLDING = "holding"
    INPUT = "input"


DraftOption = Annotated[
    Path | None, typer.Option("--draft", help="Write a draft of site.yaml and profiles into this folder.")
]
NeededDraftOption = Annotated[Path, typer.Option("--draft", help="Folder for the draft of site.yaml and profiles.")]
FileArgument = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The file.")]
ClassOption = Annotated[
    str | None, typer.Option("--class", help="What all devices of the file are, such as pump; otherwise it is guessed.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace files that are there.")]
ConnectionOptions = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="NAME=VALUE", help="As in site.yaml; a password only as 'password=${VARIABLE}'."),
]
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
    _print_found(json=json, found=devices, text=devices_text(devices))
    if draft is not None:
        workshop = _workshop()
        recognised = workshop.recognised(bacnet_connections(devices, host, port))
        _draft(draft, workshop, recognised, f"`watchkeeper gateway discover bacnet {address}`", force=force, quiet=json)


@discover_commands.command("mqtt")
def discover_mqtt(
    address: Annotated[str, typer.Argument(metavar="HOST[:PORT]", help="Of the broker.")],
    *,
    seconds: Annotated[float, typer.Option(min=0.1, max=86_400.0, help="How long to listen.")] = 30.0,
    topic: Annotated[str, typer.Option(help="Only topics that this filter covers.")] = "#",
    option: ConnectionOptions = None,
    draft: DraftOption = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Listen to a broker: which topics carry what, how often. Publishes nothing and leaves no session behind."""
    host, port = _host_and_port(address, MQTT_PORT)
    connection, written = _connection(Protocol.MQTT, host, port, option)
    heard = Survey()

    def take(message: Heard) -> None:
        heard.take(message.topic, message.payload, retained=message.retained, at_s=message.at_s)

    async def look(stop: asyncio.Event) -> None:
        listening = asyncio.create_task(listen(connection, topic, seconds=seconds, take=take))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({listening, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)
        if stop.is_set():  # Ctrl-C ends the listening, and what was heard counts
            listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening

    run_until_signal(look)
    topics = heard.topics()
    _print_found(json=json, found=[topic_json(each) for each in topics], text=topics_text(topics, heard.left_out))
    if draft is not None:
        workshop = _workshop()
        recognised = recognised_topics(workshop, topics, connection, written)
        _draft(draft, workshop, recognised, f"`watchkeeper gateway discover mqtt {address}`", force=force, quiet=json)


@discover_commands.command("modbus")
def discover_modbus(
    address: Annotated[
        str, typer.Argument(metavar="HOST[:PORT]", help="Of the device or gateway; 'serial' for --option serial=….")
    ],
    *,
    units: Annotated[str, typer.Option(help="Unit numbers, such as 1-10 or 1,3,7.")] = "1-10",
    registers: Annotated[str, typer.Option(help="First and last register, from 0.")] = "0-200",
    function: Annotated[RegisterKind, typer.Option(help="Which registers.")] = RegisterKind.HOLDING,
    rate: Annotated[float, typer.Option(min=0.1, max=1000.0, help="Requests a second at most.")] = 10.0,
    option: ConnectionOptions = None,
    draft: DraftOption = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Ask a Modbus line which units answer and which registers they have. Reads only, and no faster than --rate.

    Says before it begins what it will put on the line. With --draft it also reads each unit once with every shipped
    profile that could fit.
    """
    host, port = ("", 0) if address == "serial" else _host_and_port(address, MODBUS_PORT)
    connection, written = _connection(Protocol.MODBUS, host, port, option)
    asked = _numbers(registers, 65_535)
    code = list(RegisterKind).index(function) + 1
    wanted = Wanted(units=_numbers(units, 255), first=asked[0], last=asked[-1], function=code, rate_hz=rate)
    typer.echo(wanted.load(float(connection.options.get("timeout_s", 1.0))), err=True)

    async def look(_stop: asyncio.Event) -> list[ScannedUnit]:
        return [unit async for unit in survey(connection, wanted)]

    found = run_until_signal(look)
    _print_found(json=json, found=[unit_json(unit) for unit in found], text=units_text(found))
    if draft is not None:
        workshop = _workshop()

        async def fit(_stop: asyncio.Event) -> list[Recognised]:
            return await recognised_units(workshop, found, connection, written, wanted, clock=SystemClock())

        configure_logs(logging.ERROR)
        recognised = run_until_signal(fit)
        _draft(draft, workshop, recognised, f"`watchkeeper gateway discover modbus {address}`", force=force, quiet=json)


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


@import_commands.command("sparkplug")
def import_sparkplug(
    file: FileArgument,
    *,
    topic: Annotated[str, typer.Option(help="On which it came: spBv1.0/GROUP/DBIRTH/NODE/DEVICE, or NBIRTH.")],
    draft: NeededDraftOption,
    at: Annotated[str, typer.Option("--at", metavar="HOST[:PORT]", help="Of the broker.")] = "",
    equipment: ClassOption = None,
    force: ForceOption = False,
) -> None:
    """Draft from a Sparkplug B birth that was captured from a broker, byte by byte.

    For example: mosquitto_sub -N -C 1 -t spBv1.0/plant/DBIRTH/edge/pump-1 > birth.bin
    """
    with refusals():
        imported = import_birth(file, Place(*_host_and_port(at, MQTT_PORT)), topic)
    _draft_imported(draft, imported, file, equipment, force=force)


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
    _print_found(json=json, found=found, text=probe_text(found))
    if not found.is_good:
        raise typer.Exit(EXIT_FAILED)


def _draft_imported(folder: Path, imported: Imported, file: Path, equipment: str | None, *, force: bool) -> None:
    for remark in imported.remarks:
        typer.echo(str(remark), err=True)
    workshop = _workshop()
    with refusals():
        recognised = workshop.recognised(imported.connections, equipment)
    _draft(folder, workshop, recognised, file.name, force=force)


def _workshop() -> Workshop:
    with refusals():
        return open_workshop()


def _draft(
    folder: Path,
    workshop: Workshop,
    recognised: Sequence[Recognised],
    source: str,
    *,
    force: bool,
    quiet: bool = False,
) -> None:
    """Write the draft of what was recognised, and say what became of it."""
    with refusals():
        draft = workshop.draft(recognised, source)
        paths = write_draft(folder, draft, classes=workshop.classes, force=force)
    typer.echo(draft_text(draft, paths), err=quiet)


def _host_and_port(address: str, usual: int) -> tuple[str, int]:
    """Return host and port of ``HOST[:PORT]``.

    Raises:
        BadParameter: It is none.
    """
    host, colon, port = address.rpartition(":")
    if not colon:
        return address, usual
    if not host or not _is_whole(port, 65_535) or not int(port):
        raise typer.BadParameter(f"{address!r} is no address; write HOST or HOST:PORT, such as 10.0.3.7:{usual}")
    return host, int(port)


def _numbers(text: str, largest: int) -> list[int]:
    """Return the numbers of ``1-10`` or ``1,3,7-9``, in order.

    Raises:
        BadParameter: It is something else.
    """
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not (_is_whole(first, largest) and _is_whole(last or first, largest)):
            raise typer.BadParameter(f"{text!r} names no numbers up to {largest}; write 1-10 or 1,3,7")
        found.update(range(int(first), int(last or first) + 1))
    if not found:
        raise typer.BadParameter(f"{text!r} is empty; write the smaller number first")
    return sorted(found)


def _is_whole(text: str, largest: int) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS and int(text) <= largest


def _connection(
    protocol: Protocol, host: str, port: int, option: list[str] | None
) -> tuple[Connection, dict[str, str]]:
    """Return the connection that a command names, and its options as they were written.

    Raises:
        BadParameter: One of the options is no ``NAME=VALUE``.
        SystemExit: The options have mistakes, which are told.
    """
    written: dict[str, str] = {}
    for each in option or []:
        name, equals, value = each.partition("=")
        if not equals:
            raise typer.BadParameter(f"{each!r} is no option; write NAME=VALUE, such as timeout_s=2")
        written[name] = value
    described = WrittenConnection(host=host, port=str(port) if port else "", options=written)
    connection, findings = resolved_connection(f"discovered-{protocol}", protocol, described, os.environ)
    with refusals():
        if findings:
            raise ConfigurationError([Mistake("--option", 0, f"{place[-1]}: {message}") for place, message in findings])
    return connection, written


def _print_found(*, json: bool, found: object, text: str) -> None:
    typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode() if json else text)
