"""Run rules on history: see what a rule, a draft or a change would have raised."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from dashboards.access import ServicesDep, ViewerDep, allowed, from_our_page
from dashboards.backtest_schemas import (
    BacktestList,
    BacktestView,
    StartBacktest,
    SuggestionView,
    SuggestRule,
    TryRule,
    TryView,
)
from dashboards.services import Backtests, Services
from facility.errors import InvalidCommandError
from people.model import Account, Permission

router = APIRouter(prefix="/api", tags=["backtests"])

AuthorDep = Annotated[Account, Depends(allowed(Permission.CHANGE_RULES))]


@router.post("/backtests", dependencies=[Depends(from_our_page)])
def start_backtest(asked: StartBacktest, services: ServicesDep, actor: AuthorDep) -> BacktestView:
    """Put a back-test in line; it runs in a process of its own, and ``GET`` tells how far it is."""
    return backtests_of(services).start(asked, services.facility, author=actor)


@router.get("/backtests")
def list_backtests(services: ServicesDep, _viewer: ViewerDep) -> BacktestList:
    """List back-tests of the last day, the newest first, without what came out."""
    return BacktestList(backtests=backtests_of(services).all())


@router.get("/backtests/{backtest_id}")
def one_backtest(backtest_id: int, services: ServicesDep, _viewer: ViewerDep) -> BacktestView:
    """Show a back-test and what came out."""
    return backtests_of(services).one(backtest_id)


@router.post("/backtests/{backtest_id}/cancel", dependencies=[Depends(from_our_page)])
def cancel_backtest(backtest_id: int, services: ServicesDep, _actor: AuthorDep) -> BacktestView:
    """End a back-test at once; one that is over stays as it is."""
    return backtests_of(services).cancel(backtest_id)


@router.post("/rules/{rule_id}/try", dependencies=[Depends(from_our_page)], response_model=TryView)
def try_rule(rule_id: int, asked: TryRule, services: ServicesDep, _actor: AuthorDep) -> Response:
    """Show at once what a draft of a rule would have raised, beside the live one."""
    seen = backtests_of(services).preview(rule_id, asked, services.facility)
    return Response(seen, media_type="application/json")  # as it came: to read thousands of episodes here takes longer


@router.post("/rules/{rule_id}/suggestions", dependencies=[Depends(from_our_page)])
def suggest_settings(rule_id: int, asked: SuggestRule, services: ServicesDep, _actor: AuthorDep) -> SuggestionView:
    """Search for limit, deadband and delays that meet a target without losing labelled events; takes some seconds."""
    return backtests_of(services).suggest(rule_id, asked, services.facility)


def backtests_of(services: Services) -> Backtests:
    """Return who runs back-tests.

    Raises:
        InvalidCommandError: Nobody does in this process.
    """
    if services.backtests is None:
        raise InvalidCommandError("This process runs no back-tests. Use `watchkeeper backtest` on the data folder.")
    return services.backtests
