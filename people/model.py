"""Accounts and what their roles may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What someone is employed as."""

    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    ENGINEER = "engineer"
    TECHNICIAN = "technician"
    SYSTEM = "system"
    """Watchkeeper itself; nobody logs in with it."""


class Permission(StrEnum):
    """What a command needs."""

    VIEW = "view"
    ACKNOWLEDGE_ALARM = "acknowledge_alarm"
    RESET_ALARM = "reset_alarm"
    ASSIGN_ORDER = "assign_order"
    EXECUTE_ORDER = "execute_order"
    CANCEL_ORDER = "cancel_order"
    COMMAND_DEVICE = "command_device"
    """Write to a device; a point's profile narrows it to some roles."""
    CHANGE_SITE = "change_site"
    CHANGE_RULES = "change_rules"
    """Try drafts of rules on history, ask for suggestions and back-test; propose a change of rules, and withdraw it."""
    APPROVE_RULES = "approve_rules"
    """Review what somebody else proposed, and roll a rule back."""


PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.OPERATOR: frozenset(
        {
            Permission.VIEW,
            Permission.ACKNOWLEDGE_ALARM,
            Permission.RESET_ALARM,
            Permission.ASSIGN_ORDER,
            Permission.EXECUTE_ORDER,
            Permission.COMMAND_DEVICE,
        }
    ),
    Role.SUPERVISOR: frozenset(Permission),
    Role.ENGINEER: frozenset(
        {
            Permission.VIEW,
            Permission.ACKNOWLEDGE_ALARM,
            Permission.EXECUTE_ORDER,
            Permission.COMMAND_DEVICE,
            Permission.CHANGE_SITE,
            Permission.CHANGE_RULES,
            Permission.APPROVE_RULES,
        }
    ),
    Role.TECHNICIAN: frozenset({Permission.VIEW, Permission.EXECUTE_ORDER}),
    Role.SYSTEM: frozenset(Permission),
}
"""Who may do what; the API asks before every command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Someone, or Watchkeeper itself, to whom every change is attributed."""

    id: int
    login: str
    name: str
    role: Role

    def may(self, permission: Permission) -> bool:
        """Tell whether the role includes the permission."""
        return permission in PERMISSIONS[self.role]


SYSTEM = Account(id=0, login="system", name="Watchkeeper", role=Role.SYSTEM)
"""The actor of everything that happens by itself."""
