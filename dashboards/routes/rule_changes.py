"""Propose changes of rules; review what somebody else proposed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from dashboards.access import ServicesDep, ViewerDep, allowed, from_our_page
from dashboards.routes.rules import ApproverDep, running_rules
from dashboards.rule_schemas import (
    ProposeRuleChange,
    ReviewRuleChange,
    RuleChangeDetail,
    RuleChangeList,
    RuleChangeView,
    WithdrawRuleChange,
)
from dashboards.rule_views import rule_change_detail, rule_change_view
from facility.storage.database import reading
from people.model import Account, Permission
from rules.changes import repository, service
from rules.changes.lifecycle import ChangeState
from rules.changes.model import Wanted

router = APIRouter(prefix="/api/rule-changes", tags=["rules"])

AuthorDep = Annotated[Account, Depends(allowed(Permission.CHANGE_RULES))]


@router.get("")
def list_rule_changes(
    services: ServicesDep,
    _viewer: ViewerDep,
    *,
    state: ChangeState | None = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> RuleChangeList:
    """List changes, the newest first."""
    with reading(services.database) as connection:
        changes, total = repository.change_page(connection, state=state, limit=limit, offset=offset)
    return RuleChangeList(changes=[rule_change_view(change) for change in changes], total=total)


@router.get("/{change_id}")
def one_rule_change(
    change_id: int,
    services: ServicesDep,
    _viewer: ViewerDep,
    *,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 500,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> RuleChangeDetail:
    """Show one change with a page of its revisions and its journal."""
    with reading(services.database) as connection:
        return rule_change_detail(connection, services.facility, change_id, limit=limit, offset=offset)


@router.post("", dependencies=[Depends(from_our_page)])
def propose(command: ProposeRuleChange, services: ServicesDep, actor: AuthorDep) -> RuleChangeView:
    """Propose revisions of rules; a mistake is answered with every mistake, and nothing is written."""
    wanted = [Wanted(**dict(each)) for each in command.revisions]
    with services.database.begin() as connection:
        change = service.propose(
            connection,
            services.facility,
            wanted,
            reason=command.reason,
            actor=actor,
            now_ns=services.clock.now_ns(),
        )
    services.hub.wake()
    return rule_change_view(change)


@router.post("/{change_id}/approve", dependencies=[Depends(from_our_page)])
def approve(change_id: int, command: ReviewRuleChange, services: ServicesDep, actor: ApproverDep) -> RuleChangeView:
    """Agree with what somebody else proposed: all of it is live when this is answered."""
    change = running_rules(services).approve(change_id, version=command.version, comment=command.comment, actor=actor)
    services.hub.wake()
    return rule_change_view(change)


@router.post("/{change_id}/reject", dependencies=[Depends(from_our_page)])
def reject(change_id: int, command: ReviewRuleChange, services: ServicesDep, actor: ApproverDep) -> RuleChangeView:
    """Say no to what somebody else proposed."""
    with services.database.begin() as connection:
        change = service.reject(
            connection,
            change_id,
            version=command.version,
            comment=command.comment,
            actor=actor,
            now_ns=services.clock.now_ns(),
        )
    services.hub.wake()
    return rule_change_view(change)


@router.post("/{change_id}/withdraw", dependencies=[Depends(from_our_page)])
def withdraw(change_id: int, command: WithdrawRuleChange, services: ServicesDep, actor: AuthorDep) -> RuleChangeView:
    """Take back what one has proposed oneself."""
    with services.database.begin() as connection:
        change = service.withdraw(
            connection,
            change_id,
            version=command.version,
            comment=command.comment,
            actor=actor,
            now_ns=services.clock.now_ns(),
        )
    services.hub.wake()
    return rule_change_view(change)
