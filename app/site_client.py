"""Hands a site file to a running Watchkeeper, as the command ``site apply`` does."""

from __future__ import annotations

from pathlib import Path

from app.server_client import ServerClient


def apply_site(file: Path, *, server: str, login: str, password: str, reason: str) -> None:
    """Log in at a server and have it take a site file over.

    Raises:
        ServerRefusedError: It cannot be reached, refuses the log-in, or the file has mistakes; nothing has changed.
    """
    client = ServerClient(server, login=login, password=password)
    client.post("/api/site", {"text": file.read_text(encoding="utf-8"), "reason": reason})
