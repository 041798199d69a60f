"""Puts a draft's files into a folder: all of them or none, and never over somebody's work."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from facility.equipment import EquipmentClass
from facility.errors import InvalidCommandError, WatchkeeperError
from gateway.onboarding.draft import SITE, Draft
from gateway.site_check import check_site


class DraftExistsError(InvalidCommandError):
    """The folder holds files that the draft would replace; choose another folder, or say --force."""

    def __init__(self, paths: list[Path]) -> None:
        listed = ", ".join(map(str, paths))
        super().__init__(f"{listed} would be overwritten. Choose another folder, or say --force to replace.")


class NotWrittenError(WatchkeeperError):
    """The folder cannot be written."""

    title = "Not written"

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(f"{folder} cannot be written: {reason}. Choose a folder of yours; nothing was written.")


def write_draft(folder: Path, draft: Draft, *, classes: Mapping[str, EquipmentClass], force: bool) -> list[Path]:
    """Check a draft as ``site check`` would, and put its files into a folder; return their paths.

    Raises:
        DraftExistsError: A file is there already, and ``force`` is not given.
        NotWrittenError: The folder cannot be written.
        ConfigurationError: The draft has a mistake; nothing was written.
    """
    targets = {name: folder / name for name in draft.files}
    there = [path for path in targets.values() if path.exists()]
    if there and not force:
        raise DraftExistsError(there)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".draft-", dir=folder) as temporary:
            _write(Path(temporary), draft.files)
            check_site(Path(temporary) / SITE, classes, {})  # its references have defaults
            for name, target in targets.items():
                target.parent.mkdir(exist_ok=True)
                os.replace(Path(temporary) / name, target)  # noqa: PTH105  # replaces in one step on every system
    except OSError as error:
        raise NotWrittenError(folder, error.strerror or str(error)) from error
    return list(targets.values())


def _write(folder: Path, files: Mapping[PurePosixPath, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
