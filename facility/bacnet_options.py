"""What ``site.yaml`` may say under ``options`` of a BACnet/IP connection."""

from __future__ import annotations

import zoneinfo
from typing import Literal

from pydantic import Field, field_validator

from facility.definition import Definition


class BacnetOptions(Definition):
    """A BACnet device's; several connections may name one address with different instances."""

    device_instance: int | None = Field(default=None, ge=0, le=4_194_302)
    """The device that is meant, also behind a router or gateway at the address; another one is not read. ``None``:
    whichever answers there."""
    local_port: int | None = Field(default=None, ge=0, le=65_535)
    """UDP port of our own side; ``None`` or 0: any free one. A fixed one lets a restarted gateway take its old
    subscriptions over instead of adding to them."""
    local_instance: int | None = Field(default=None, ge=0, le=4_194_302)
    """Device instance of our own side; ``None``: the driver's own."""
    timeout_s: float = Field(default=1.0, gt=0.0)
    """Wall seconds until a request is sent a second time, and again until it counts as unanswered."""
    in_flight: int = Field(default=4, ge=1, le=4)
    """Requests that the device is given at once; small ones, and those behind a slow line, take 1."""
    cov_confirmed: bool = False
    """Whether the device is to wait for our word on each change that it reports."""
    bbmd: str | None = Field(default=None, pattern=r"^[^\s:/]+(:\d{1,5})?$")
    """``host:port`` of a broadcast management device to register with, where the device is on another subnet and
    answers to broadcasts only."""
    bbmd_ttl_s: int = Field(default=60, ge=10, le=65_535)
    """Wall seconds that a registration holds; it is renewed at half of it."""
    time_sync_s: float | None = Field(default=None, gt=0.0)
    """Facility seconds between two time synchronisations that we send; ``None``: the device keeps its own time."""
    time_zone: str | None = None
    """IANA zone of a device that only takes local time; ``None``: it is told UTC."""
    process: Literal["auto", "own", "shared"] = "auto"
    """Whether the driver has a process of its own: ``auto`` gives it one above a load that would slow the others."""

    @field_validator("time_zone")
    @classmethod
    def _is_zone(cls, name: str | None) -> str | None:
        if name is not None and name not in zoneinfo.available_timezones():
            raise ValueError(f"{name!r} is no time zone; write an IANA name such as Asia/Shanghai")
        return name

    @field_validator("bbmd")
    @classmethod
    def _has_port(cls, place: str | None) -> str | None:
        port = (place or "").partition(":")[2]
        if port and not 0 < int(port) <= _LAST_PORT:
            raise ValueError(f"{port} is no port; write a number from 1 to {_LAST_PORT}")
        return place


_LAST_PORT = 65_535
