"""What a gateway that runs apart says of itself, once in a while and retained."""

from __future__ import annotations

from typing import Final

import orjson
from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from facility.errors import WatchkeeperError
from gateway.events import ConnectionStatus, GatewayStatus


class ReportError(WatchkeeperError):
    """A message on the bus is no report."""

    title = "Not a report"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A gateway's figures and those of its connections."""

    gateway: GatewayStatus
    connections: list[ConnectionStatus]


_REPORT: Final = TypeAdapter(Report)


def encode(report: Report) -> bytes:
    """Return a report as JSON."""
    return orjson.dumps(report)


def decode(payload: bytes) -> Report:
    """Return the report; what a newer gateway says besides is left out.

    Raises:
        ReportError: It is none.
    """
    try:
        return _REPORT.validate_json(payload)
    except ValidationError as error:
        raise ReportError(
            f"A gateway's report cannot be read: {error}. Run the same version of Watchkeeper on both sides."
        ) from error
