"""References to the environment, so that a site file and the database hold no secret and no machine's address.

``${NAME}`` stands for a variable that must be set; ``${NAME:-text}`` falls back to a text, which may be empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_REFERENCE = re.compile(r"\$\{(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^}]*))?\}")


def resolve(value: Any, environment: Mapping[str, str], missing: Callable[[str], None]) -> Any:  # noqa: ANN401
    """Return the value with every reference in its texts replaced.

    Args:
        value: A text, a number, or lists and mappings of them.
        environment: The variables.
        missing: Told the name of each variable that is not set and has no default; its place stays empty.
    """
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: _replacement(match, environment, missing), value)
    if isinstance(value, Mapping):
        return {key: resolve(item, environment, missing) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, environment, missing) for item in value]
    return value


def is_only_reference(text: str) -> bool:
    """Tell whether a text is one reference that reveals nothing: without a default, or with an empty one."""
    match = _REFERENCE.fullmatch(text)
    return match is not None and not match["default"]


def _replacement(match: re.Match[str], environment: Mapping[str, str], missing: Callable[[str], None]) -> str:
    found = environment.get(match["name"], match["default"])
    if found is None:
        missing(match["name"])
    return found or ""
