"""Speaks to a running Watchkeeper for the commands that go through its API."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import orjson
import urllib3

from facility.errors import WatchkeeperError

TIMEOUT_S: Final = 120.0
OK: Final = frozenset({200, 204})


class ServerRefusedError(WatchkeeperError):
    """The server did not do it; the message is its own."""


class ServerClient:
    """A session at a server."""

    def __init__(self, server: str, *, login: str, password: str) -> None:
        """Log in.

        Raises:
            ServerRefusedError: It cannot be reached, or refuses the log-in.
        """
        self._server = server.rstrip("/")
        self._http = urllib3.PoolManager(timeout=TIMEOUT_S, retries=False)
        self._cookie = ""
        answer = self._request("POST", "/api/session", {"login": login, "password": password})
        self._cookie = answer.headers.get("Set-Cookie", "").partition(";")[0]

    def get(self, path: str) -> Any:  # noqa: ANN401  # whatever JSON says
        """Ask for something.

        Raises:
            ServerRefusedError: It does not answer, or refuses.
        """
        return orjson.loads(self._request("GET", path, None).data)

    def get_file(self, path: str) -> bytes:
        """Ask for a file; see :meth:`get`."""
        return self._request("GET", path, None).data

    def post(self, path: str, body: object) -> Any:  # noqa: ANN401  # as above
        """Have something done; see :meth:`get`."""
        return orjson.loads(self._request("POST", path, body).data)

    def download(self, path: str, file: Path) -> None:
        """Write an answer into a file, piece by piece; see :meth:`get`."""
        answer = self._request("GET", path, None, preload=False)
        with file.open("wb") as target:
            shutil.copyfileobj(answer, target)
        answer.release_conn()

    def _request(self, method: str, path: str, body: object, *, preload: bool = True) -> urllib3.BaseHTTPResponse:
        headers = {"Content-Type": "application/json", "X-Watchkeeper": "1", "Cookie": self._cookie}
        content = None if body is None else orjson.dumps(body)
        try:
            answer = self._http.request(
                method, f"{self._server}{path}", body=content, headers=headers, preload_content=preload
            )
        except urllib3.exceptions.HTTPError as error:
            message = f"{self._server} does not answer: {error}. Check --server, and that Watchkeeper runs."
            raise ServerRefusedError(message) from error
        if answer.status not in OK:
            raise ServerRefusedError(_reason(answer))
        return answer


def _reason(answer: urllib3.BaseHTTPResponse) -> str:
    """Return what the server says is wrong."""
    try:
        problem = orjson.loads(answer.data)
    except orjson.JSONDecodeError:
        problem = {}
    return str(problem.get("detail") or f"the server answered {answer.status}")
