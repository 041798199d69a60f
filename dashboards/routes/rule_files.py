"""Rules as files for bulk work: written for a spreadsheet or an editor, and read again as one change to be reviewed."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from dashboards.access import ServicesDep, ViewerDep, from_our_page
from dashboards.routes.rule_changes import AuthorDep
from dashboards.rule_schemas import ImportReport, ImportRules
from dashboards.rule_views import import_report
from dashboards.services import Services
from facility.errors import ConfigurationError, InvalidCommandError
from facility.storage.database import reading
from rules.changes import repository, service
from rules.changes.bulk import Plan, plan
from rules.changes.rule_list import read_list, write_list
from rules.changes.rule_sheet import read_sheet, write_sheet

router = APIRouter(prefix="/api/rules", tags=["rules"])


class RuleFormat(StrEnum):
    """How a file of rules is written."""

    CSV = "csv"
    """:mod:`rules.changes.rule_sheet`: numbers only, for spreadsheets."""
    YAML = "yaml"
    """:mod:`rules.changes.rule_list`: everything."""


FormatQuery = Annotated[RuleFormat, Query(alias="format")]
MEDIA_TYPES = {RuleFormat.CSV: "text/csv", RuleFormat.YAML: "application/yaml"}


@router.get("/export", response_class=Response)
def export_rules(services: ServicesDep, _viewer: ViewerDep, chosen: FormatQuery = RuleFormat.YAML) -> Response:
    """Give all rules that are on, as a file."""
    facility = services.facility
    if chosen is RuleFormat.YAML:
        text = write_list(facility)
    else:
        with reading(services.database) as connection:
            text = write_sheet(facility, repository.heads(connection))
    name = f"{facility.site_id}-rules.{chosen}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type=MEDIA_TYPES[chosen], headers=headers)


@router.post("/import", dependencies=[Depends(from_our_page)])
def import_rules(
    asked: ImportRules,
    services: ServicesDep,
    actor: AuthorDep,
    chosen: FormatQuery = RuleFormat.YAML,
    *,
    dry_run: bool = False,
) -> ImportReport:
    """Propose what a file changes as one change; a dry run tells every change and every mistake, and does nothing."""
    found = planned(services, asked.text, chosen)
    if dry_run:
        return import_report(services.facility, found, None)
    if found.mistakes:
        raise ConfigurationError(found.mistakes)
    if not found.changes:
        raise InvalidCommandError(f"The file has all {found.unchanged} rules as they are live; there is nothing to do.")
    with services.database.begin() as connection:
        change = service.propose_checked(
            connection,
            [each.draft for each in found.changes],
            reason=asked.reason,
            actor=actor,
            now_ns=services.clock.now_ns(),
        )
    services.hub.wake()
    return import_report(services.facility, found, change)


def planned(services: Services, text: str, chosen: RuleFormat) -> Plan:
    """Return what a file would change, and all that is wrong with it."""
    facility, name = services.facility, f"rules.{chosen}"
    with reading(services.database) as connection:
        heads = repository.heads(connection)
    try:
        is_sheet = chosen is RuleFormat.CSV
        read = read_sheet(name, text, facility, heads) if is_sheet else read_list(name, text, facility)
    except ConfigurationError as error:
        return Plan(changes=(), mistakes=error.mistakes, unchanged=0)
    return plan(facility, heads, name, read)
