"""The figures for Prometheus: on this machine for whoever asks, from elsewhere with a token."""

from __future__ import annotations

import secrets
from ipaddress import ip_address
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from prometheus_client.exposition import choose_encoder

from dashboards.access import ServicesDep
from facility.errors import ForbiddenError, UnauthenticatedError

router = APIRouter(tags=["gateway"])

FORWARDING = ("forwarded", "x-forwarded-for", "x-real-ip")
"""Headers by which a proxy on this machine says that it asks for somebody else."""


@router.get("/metrics", response_class=Response)
def metrics(request: Request, services: ServicesDep, authorization: Annotated[str, Header()] = "") -> Response:
    """Give every figure as text, in the format that the asker prefers."""
    require_scraper(request, services.metrics_token, authorization)
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(request.app.state.metrics), media_type=content_type)


def require_scraper(request: Request, token: str, authorization: str) -> None:
    """Let a scraper with the token in, or anybody on this machine where no token is set.

    Raises:
        UnauthenticatedError: The token is missing or another one.
        ForbiddenError: No token is set, and the request comes from elsewhere.
    """
    if token:
        if not secrets.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
            raise UnauthenticatedError("Send the header Authorization: Bearer <WATCHKEEPER_METRICS_TOKEN>.")
    elif not is_from_this_machine(request):
        raise ForbiddenError("Set WATCHKEEPER_METRICS_TOKEN, and send it as Authorization: Bearer <token>.")


def is_from_this_machine(request: Request) -> bool:
    """Tell whether a program of this machine asks, and for itself."""
    if request.client is None or any(name in request.headers for name in FORWARDING):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False
