"""Base of everything that people write in class, site and rule files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Definition(BaseModel):
    """Base of everything read from a file: immutable, finite, and an unknown key is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    instead: ClassVar[Mapping[str, str]] = {}
    """Keys that people are likely to write here by mistake, and what they are told."""


class LocalText(Definition):
    """A text in the two languages of the console."""

    en: str
    zh: str
