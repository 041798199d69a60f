"""A private PostgreSQL server for tests."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import binary, free_port, running

USER = "watchkeeper"
HASTY = ("-F", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
"""Nothing of it has to survive the machine."""


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Run a server with an empty database until the block ends; gives its SQLAlchemy URL.

    PostgreSQL refuses to run as root, so root runs it as the account that the Debian package made.
    """
    account = unprivileged_account()
    folder = Path(tempfile.mkdtemp(prefix="watchkeeper-postgres-"))
    drop_root: list[str] = []
    try:
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
            drop_root = [binary("setpriv"), f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
        data, port = folder / "data", free_port()
        initdb = [binary("initdb"), "-D", str(data), "-U", USER, "--auth=trust", "--no-sync", "-E", "UTF8"]
        subprocess.run([*drop_root, *initdb], check=True, stdout=subprocess.DEVNULL, cwd=folder)  # noqa: S603
        # The server itself, without a shell or a wrapper between: terminate() has to reach it.
        server = [binary("postgres"), "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(folder), *HASTY]
        with running([*drop_root, *server], port=port, log=folder / "postgres.log"):
            yield f"postgresql+psycopg://{USER}@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def unprivileged_account() -> pwd.struct_passwd | None:
    """Return the account to run as when the tests run as root; ``None`` when they do not."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("tests run as root and there is no account `postgres` to run the server as")
