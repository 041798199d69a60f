"""Log in, ask who is logged in, log out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from dashboards.access import SESSION_COOKIE, AccountDep, ServicesDep, TokenDep, ViewerDep, from_our_page
from dashboards.schemas import AccountView, LogIn, SessionView
from dashboards.views import account_view
from facility.storage.database import reading
from people import service as people
from people.model import PERMISSIONS, Account, Permission

router = APIRouter(prefix="/api", tags=["session"])


def session_view(account: Account) -> SessionView:
    """Show who is logged in and what the role allows."""
    return SessionView(account=account_view(account), permissions=sorted(PERMISSIONS[account.role]))


@router.post("/session", dependencies=[Depends(from_our_page)])
def log_in(command: LogIn, response: Response, services: ServicesDep) -> SessionView:
    """Begin a session; its token travels in a cookie that scripts cannot read."""
    now_ns, valid_for_s = services.clock.now_ns(), services.session_valid_for_s
    token, account = people.log_in(
        services.database, command.login, command.password, now_ns=now_ns, valid_for_s=valid_for_s
    )
    response.set_cookie(SESSION_COOKIE, token, max_age=int(valid_for_s), httponly=True, samesite="strict")
    return session_view(account)


@router.get("/session")
def current_session(account: AccountDep) -> SessionView:
    """Tell who is logged in."""
    return session_view(account)


@router.delete("/session", status_code=204, dependencies=[Depends(from_our_page)])
def log_out(response: Response, services: ServicesDep, token: TokenDep = None) -> None:
    """End the session, here and on the server."""
    if token is not None:
        with services.database.begin() as connection:
            people.log_out(connection, token)
    response.delete_cookie(SESSION_COOKIE)


@router.get("/accounts")
def list_accounts(
    services: ServicesDep, _viewer: ViewerDep, may: Annotated[Permission | None, Query()] = None
) -> list[AccountView]:
    """List accounts by name, if asked only those who may do something."""
    with reading(services.database) as connection:
        return [account_view(account) for account in people.accounts(connection, may=may)]
