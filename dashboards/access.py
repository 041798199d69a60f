"""Who is asking and whether they may: the dependencies that every route names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Cookie, Depends, Header, Request

from dashboards.services import Services
from facility.errors import ForbiddenError, UnauthenticatedError
from facility.storage.database import reading
from people.model import Account, Permission
from people.service import account_of_token

SESSION_COOKIE = "watchkeeper_session"


def services_of(request: Request) -> Services:
    """Return the running system's parts."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(services_of)]
TokenDep = Annotated[str | None, Cookie(alias=SESSION_COOKIE)]


def current_account(services: ServicesDep, token: TokenDep = None) -> Account:
    """Return who is logged in.

    Raises:
        UnauthenticatedError: There is no session, or it ended.
    """
    if token is None:
        raise UnauthenticatedError("There is no session. Log in and try again.")
    with reading(services.database) as connection:
        return account_of_token(connection, token, now_ns=services.clock.now_ns())


AccountDep = Annotated[Account, Depends(current_account)]


def from_our_page(x_watchkeeper: Annotated[str | None, Header()] = None) -> None:
    """Refuse a change that another site's page could have sent: it cannot set this header.

    Raises:
        ForbiddenError: The header is missing.
    """
    if x_watchkeeper is None:
        raise ForbiddenError("Send the header X-Watchkeeper: 1 with every request that changes something.")


def allowed(permission: Permission) -> Callable[[Account], Account]:
    """Return a dependency that gives the account if its role includes the permission."""

    def check(account: AccountDep) -> Account:
        if not account.may(permission):
            raise ForbiddenError(
                f"{account.name} is {account.role.value} and may not {permission.value.replace('_', ' ')}. "
                f"Ask a supervisor."
            )
        return account

    return check


ViewerDep = Annotated[Account, Depends(allowed(Permission.VIEW))]
