"""A file's grammar is a pydantic model; what pydantic finds wrong becomes mistakes with a line and a remedy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from facility.conditions import CONDITION_TYPES
from facility.errors import Mistake
from facility.yaml_file import Place, YamlFile, did_you_mean

Model = TypeVar("Model", bound=BaseModel)


Finding = tuple[Place, str]
"""Where, below the thing checked, and what is wrong."""


def check(model: type[Model], data: object) -> tuple[Model | None, list[Finding]]:
    """Return the model that the data makes, or ``None`` and what is wrong with it."""
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        return None, [_finding(model, data, details) for details in error.errors(include_url=False)]


def validate(model: type[Model], file: YamlFile, data: object, mistakes: list[Mistake]) -> Model | None:
    """Return the model that a file's data makes, or ``None`` after adding to ``mistakes``."""
    made, findings = check(model, data)
    mistakes.extend(file.mistake(place, message) for place, message in findings)
    return made


def _finding(model: type[BaseModel], data: object, details: ErrorDetails) -> Finding:
    steps = details["loc"][:-1] if details["loc"][-1:] == ("[key]",) else details["loc"]
    return _written(data, steps), _message(model, details)


def _written(data: object, steps: Iterable[str | int]) -> Place:
    """Return the steps that the file has: pydantic also names the kind of a union and keys that are missing."""
    found: list[str | int] = []
    for step in steps:
        inner = _children(data)
        if step in inner:
            found.append(step)
            data = inner[step]
    return tuple(found)


def _children(data: object) -> dict[str | int, object]:
    if isinstance(data, dict):
        return data
    return dict(enumerate(data)) if isinstance(data, list) else {}


def _message(model: type[BaseModel], details: ErrorDetails) -> str:
    remedy = _REMEDIES.get(details["type"])
    if remedy is not None:
        return remedy(model, details)
    return f"{details['input']!r} does not fit: {details['msg'][:1].lower()}{details['msg'][1:]}"


def _missing(_model: type[BaseModel], details: ErrorDetails) -> str:
    name = _last(details)
    return f"{name!r} is missing; write it as {name}: …"


def _unknown_key(model: type[BaseModel], details: ErrorDetails) -> str:
    name = _last(details)
    kind = _kind_at(model, details["loc"][:-1])
    told = getattr(kind, "instead", {}).get(name)
    return told or f"{name!r} is not known here{did_you_mean(name, _known_keys(kind))}"


def _no_entries(_model: type[BaseModel], details: ErrorDetails) -> str:
    return f"{_last(details)!r} wants entries below it (name: value), not {details['input']!r}"


def _no_name(_model: type[BaseModel], details: ErrorDetails) -> str:
    return f"{details['input']!r} is no name; use small letters, digits and - _ . only"


def _not_one_of(_model: type[BaseModel], details: ErrorDetails) -> str:
    wrong = details["input"]
    return f"{wrong!r} is not known here{did_you_mean(str(wrong), _quoted(details, 'expected'))}"


def _unknown_kind(_model: type[BaseModel], details: ErrorDetails) -> str:
    wrong = str(details.get("ctx", {}).get("tag", ""))
    return f"{wrong!r} is no type of condition{did_you_mean(wrong, _quoted(details, 'expected_tags'))}"


def _no_kind(_model: type[BaseModel], _details: ErrorDetails) -> str:
    return f"'type' is missing; write type: and one of {', '.join(CONDITION_TYPES)}"


def _own_words(_model: type[BaseModel], details: ErrorDetails) -> str:
    """Return what a validator of ours says: it names the remedy itself."""
    return str(details.get("ctx", {}).get("error", details["msg"]))


_REMEDIES: dict[str, Callable[[type[BaseModel], ErrorDetails], str]] = {
    "missing": _missing,
    "extra_forbidden": _unknown_key,
    "enum": _not_one_of,
    "literal_error": _not_one_of,
    "union_tag_invalid": _unknown_kind,
    "union_tag_not_found": _no_kind,
    "model_type": _no_entries,
    "dict_type": _no_entries,
    "string_pattern_mismatch": _no_name,
    "value_error": _own_words,
}
"""Pydantic's types of errors that people make, and how each is told; the others keep pydantic's words."""


def _last(details: ErrorDetails) -> str:
    return str(details["loc"][-1]) if details["loc"] else "the file"


def _quoted(details: ErrorDetails, key: str) -> list[str]:
    expected = str(details.get("ctx", {}).get(key, ""))
    return re.findall(r"'([^']*)'", expected) or re.findall(r"[^\s,]+", expected.replace(" or ", " "))


def _kind_at(model: type[BaseModel], steps: Iterable[str | int]) -> Any:  # noqa: ANN401  # annotations are any object
    kind: Any = model
    for step in steps:
        kind = _bare(_below(kind, step))
    return kind


def _known_keys(kind: Any) -> list[str]:  # noqa: ANN401
    fields = getattr(kind, "model_fields", {})
    return [field.alias or name for name, field in fields.items()]


def _below(kind: Any, step: str | int) -> Any:  # noqa: ANN401  # annotations are any object
    """Return the annotation that a step of pydantic's location leads to."""
    kind = _bare(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _field_type(kind, str(step))
    if get_origin(kind) in {Union, UnionType}:
        return next((option for option in get_args(kind) if _tag(option) == step), None)
    return (*get_args(kind), None)[-2 if get_args(kind) else 0]


def _bare(kind: Any) -> Any:  # noqa: ANN401
    """Strip ``Annotated`` and an optional ``None``."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    options = [option for option in get_args(kind) if option is not type(None)]
    if get_origin(kind) in {Union, UnionType} and len(options) == 1:
        return _bare(options[0])
    return kind


def _field_type(model: type[BaseModel], name: str) -> Any:  # noqa: ANN401
    fields: dict[str, FieldInfo] = model.model_fields
    return next((field.annotation for key, field in fields.items() if name in {key, field.alias}), None)


def _tag(option: Any) -> str | None:  # noqa: ANN401
    fields: dict[str, FieldInfo] = getattr(option, "model_fields", {})
    return next(iter(get_args(fields["type"].annotation)), None) if "type" in fields else None
