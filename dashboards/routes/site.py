"""Read and change the site's configuration while everything runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from dashboards.access import ServicesDep, allowed, from_our_page
from dashboards.schemas import ChangeSite, FacilityView
from dashboards.views import facility_view
from facility.errors import InvalidCommandError
from people.model import Account, Permission

router = APIRouter(prefix="/api/site", tags=["facility"])


@router.post("", dependencies=[Depends(from_our_page)])
def change_site(
    asked: ChangeSite,
    services: ServicesDep,
    actor: Annotated[Account, Depends(allowed(Permission.CHANGE_SITE))],
) -> FacilityView:
    """Take over a site file: what it does not change goes on untouched, and a file with mistakes changes nothing."""
    if services.site is None:
        raise InvalidCommandError(
            "This process reads its site at its start only. Start it again with --site and the new file."
        )
    services.site.change(asked.text, author=actor, reason=asked.reason)
    return facility_view(services.facility, services.writables)
