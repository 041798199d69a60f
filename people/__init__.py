"""Who: accounts, roles and sessions."""
