"""Where the real recordings lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def recorded(name: str) -> Path:
    """Return a real recording, or skip the test with the reason."""
    folder = Path(os.environ.get("WATCHKEEPER_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / name).exists():
        pytest.skip(f"the recording {name} is not in {folder}; set WATCHKEEPER_DATA to the folder of the recordings")
    return folder / name
