"""A connection's options as the driver takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from facility.bacnet_options import BacnetOptions
from facility.model import Connection
from gateway.drivers.bacnet.station import LOCAL_INSTANCE, LocalSide

DEFAULT_PORT: Final = 47_808
"""0xBAC0, where a host is written without a port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BacnetSettings:
    """What a session needs to know; the fields mean what they do in :class:`BacnetOptions`."""

    local: LocalSide
    device_instance: int | None
    timeout_s: float
    in_flight: int
    time_sync_s: float | None
    time_zone: str | None

    @classmethod
    def of(cls, connection: Connection) -> Self:
        """Return a connection's settings, with a default for each option that it leaves out."""
        options = BacnetOptions.model_validate(dict(connection.options))
        return cls(
            local=LocalSide(
                port=options.local_port or 0,
                instance=LOCAL_INSTANCE if options.local_instance is None else options.local_instance,
                bbmd=_host_and_port(options.bbmd) if options.bbmd else None,
                bbmd_ttl_s=options.bbmd_ttl_s,
            ),
            device_instance=options.device_instance,
            timeout_s=options.timeout_s,
            in_flight=options.in_flight,
            time_sync_s=options.time_sync_s,
            time_zone=options.time_zone,
        )


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    return host, int(port or DEFAULT_PORT)
