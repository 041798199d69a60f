"""Base of everything that people write in class, site and rule files."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Definition(BaseModel):
    """Base of everything read from a file: immutable, and an unknown key is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LocalText(Definition):
    """A text in the two languages of the console."""

    en: str
    zh: str
