"""Hands a site file to a running Watchkeeper, as the command ``site apply`` does."""

from __future__ import annotations

from pathlib import Path

import orjson
import urllib3

from facility.errors import WatchkeeperError

TIMEOUT_S = 120.0
OK = 200


class NotAppliedError(WatchkeeperError):
    """The server did not take the site over; the message is its own."""


def apply_site(file: Path, *, server: str, login: str, password: str, reason: str) -> None:
    """Log in at a server and have it take a site file over.

    Raises:
        NotAppliedError: It cannot be reached, refuses the log-in, or the file has mistakes; nothing has changed.
    """
    http = urllib3.PoolManager(timeout=TIMEOUT_S, retries=False)
    answer = _post(http, f"{server}/api/session", {"login": login, "password": password}, cookie="")
    cookie = answer.headers.get("Set-Cookie", "").partition(";")[0]
    text = file.read_text(encoding="utf-8")
    _post(http, f"{server}/api/site", {"text": text, "reason": reason}, cookie=cookie)


def _post(http: urllib3.PoolManager, address: str, body: dict[str, str], *, cookie: str) -> urllib3.BaseHTTPResponse:
    headers = {"Content-Type": "application/json", "X-Watchkeeper": "1", "Cookie": cookie}
    try:
        answer = http.request("POST", address, body=orjson.dumps(body), headers=headers)
    except urllib3.exceptions.HTTPError as error:
        message = f"{address} does not answer: {error}. Check --server, and that Watchkeeper runs."
        raise NotAppliedError(message) from error
    if answer.status != OK:
        raise NotAppliedError(_reason(answer))
    return answer


def _reason(answer: urllib3.BaseHTTPResponse) -> str:
    """Return what the server says is wrong."""
    try:
        problem = orjson.loads(answer.data)
    except orjson.JSONDecodeError:
        problem = {}
    return str(problem.get("detail") or f"the server answered {answer.status}")
