"""List rules, look at one with its history, roll one back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from dashboards.access import ServicesDep, ViewerDep, allowed, from_our_page
from dashboards.rule_schemas import RollBack, RuleDetail, RuleList
from dashboards.rule_views import rule_detail, rule_view
from dashboards.services import ChangeableRules, Services
from facility.errors import InvalidCommandError
from facility.model import Facility, Rule
from facility.storage.database import reading
from people.model import Account, Permission

router = APIRouter(prefix="/api/rules", tags=["rules"])

ApproverDep = Annotated[Account, Depends(allowed(Permission.APPROVE_RULES))]


@router.get("")
def list_rules(
    services: ServicesDep,
    _viewer: ViewerDep,
    *,
    asset_id: str | None = None,
    point_key: int | None = None,
    text: str = "",
    isolated: bool = False,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> RuleList:
    """List the rules that are on, by asset; ``text`` is looked for in asset, name and title.

    With ``isolated``, only those that are watched no more, since they failed.
    """
    facility = services.facility
    found = list(matching(facility, asset_id, point_key, text.casefold()))
    if isolated:
        failed = services.isolated_rules()
        found = [rule for rule in found if rule.id in failed]
    return RuleList(rules=[rule_view(facility, rule) for rule in found[offset : offset + limit]], total=len(found))


@router.get("/{rule_id}")
def one_rule(rule_id: int, services: ServicesDep, _viewer: ViewerDep) -> RuleDetail:
    """Show one rule with its definition, its history with differences, and what is proposed."""
    return detail_of(services, rule_id)


@router.post("/{rule_id}/roll-back", dependencies=[Depends(from_our_page)])
def roll_back(rule_id: int, command: RollBack, services: ServicesDep, actor: ApproverDep) -> RuleDetail:
    """Make an earlier revision live again, at once: it was live before, so it needs no second review."""
    running_rules(services).roll_back(rule_id, to=command.to, base=command.base, reason=command.reason, actor=actor)
    services.hub.wake()
    return detail_of(services, rule_id)


def matching(facility: Facility, asset_id: str | None, point_key: int | None, text: str) -> Iterator[Rule]:
    """Yield the rules of an asset, of a point and with a text, in the site's order; ``None`` and empty: any."""
    for rule in facility.rules.values():
        if asset_id in (None, rule.asset_id) and point_key in (None, rule.point_key) and text in words_of(rule):
            yield rule


def words_of(rule: Rule) -> str:
    """Return what a rule is looked for by."""
    definition = rule.definition
    return f"{rule.asset_id}/{definition.name} {definition.title.en} {definition.title.zh}".casefold()


def detail_of(services: Services, rule_id: int) -> RuleDetail:
    """Show a rule as it stands now."""
    with reading(services.database) as connection:
        return rule_detail(connection, services.facility, rule_id)


def running_rules(services: Services) -> ChangeableRules:
    """Return who makes rules live.

    Raises:
        InvalidCommandError: They do not run in this process.
    """
    if services.rules is None:
        raise InvalidCommandError("No rules run in this process. Ask the process with the engine.")
    return services.rules
