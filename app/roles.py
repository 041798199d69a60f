"""The roles of a process: the whole of Watchkeeper, or a gateway and an engine that run apart and meet on the bus."""

from __future__ import annotations

from enum import StrEnum
from functools import partial

from sqlalchemy import Engine

from app.system import OpenSource, own_gateway
from facility.clock import Clock
from facility.errors import ConfigurationError, Mistake
from facility.model import Facility
from facility.settings import Settings
from facility.storage.database import reading
from facility.storage.repository import written_connections
from gateway.bus import site
from gateway.bus.client import BusAddress
from gateway.bus.receiver import Receiver
from gateway.bus.topics import Topics
from gateway.inbox import Inbox
from gateway.profiles import all_profiles
from gateway.rollover import Totals


class RoleName(StrEnum):
    """What a process does."""

    ALL = "all"
    """Gateway, engine, API and console together; no bus."""
    GATEWAY = "gateway"
    """Reads devices, keeps what they say on disk and sends it to the engine."""
    ENGINE = "engine"
    """Takes what gateways send; decides, keeps history, serves API and console."""


def source_of(role: RoleName, settings: Settings) -> OpenSource:
    """Return where the engine of a role has its samples from.

    Raises:
        ConfigurationError: The role needs the bus, and the settings name none.
    """
    if role is RoleName.ALL:
        return partial(own_gateway, profile_folder=settings.profile_folder, totals=counted_in(settings))
    address, topics = bus_address(settings), Topics(settings.bus_prefix)

    def gateways_elsewhere(facility: Facility, database: Engine, inbox: Inbox, _clock: Clock) -> Receiver:
        with reading(database) as connection:
            written = written_connections(connection)
        return Receiver(
            address=address,
            topics=topics,
            facility=facility,
            configuration=site.encode(facility, written, all_profiles(settings.profile_folder)),
            deliver=inbox.put,
        )

    return gateways_elsewhere


def counted_in(settings: Settings) -> Totals:
    """Return the turns of counters that begin again, as a gateway of this data folder remembers them."""
    return Totals(settings.data_dir / "counters.json")


def bus_address(settings: Settings) -> BusAddress:
    """Return where the bus is.

    Raises:
        ConfigurationError: The settings do not say, or say it wrongly.
    """
    if settings.bus_url is None:
        message = "is not set; write the broker between gateway and engine, such as mqtt://127.0.0.1:1883"
        raise ConfigurationError([Mistake("WATCHKEEPER_BUS_URL", 0, message)])
    return BusAddress.of(
        settings.bus_url,
        ca_file=settings.bus_ca_file,
        certificate_file=settings.bus_certificate_file,
        key_file=settings.bus_key_file,
    )
