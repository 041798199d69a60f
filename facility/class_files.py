"""Loads equipment classes: one YAML file each, whose grammar is :mod:`facility.equipment`.

A file does not repeat names: the class is called as the file, a rule or plan as its key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from facility.class_checks import check_class
from facility.condition_checks import check_devices
from facility.equipment import EquipmentClass
from facility.errors import ConfigurationError, Mistake
from facility.grammar import validate
from facility.yaml_file import YamlFile, read_yaml

SHIPPED = Path(__file__).with_name("classes")
"""The folder of the classes that come with Watchkeeper."""


def load_classes(folder: Path | None = None) -> dict[str, EquipmentClass]:
    """Load every class of a folder, by name.

    Args:
        folder: Where the files are; ``None``: the shipped ones.

    Raises:
        ConfigurationError: Lists every mistake of every file.
    """
    mistakes: list[Mistake] = []
    source = SHIPPED if folder is None else folder
    paths = sorted(source.glob("*.yaml"))
    if not paths:
        mistakes.append(Mistake(str(source), 0, "has no class files; put at least one such as pump.yaml there"))
    loaded = [pair for path in paths if (pair := _load(path, mistakes)) is not None]
    classes = {equipment.name: equipment for _, equipment in loaded}
    mistakes += [
        file.mistake(("rules", name, *place), message)
        for file, equipment in loaded
        for name, rule in equipment.rules.items()
        for place, message in check_devices(rule, classes)
    ]
    if mistakes:
        raise ConfigurationError(mistakes)
    return classes


def _load(path: Path, mistakes: list[Mistake]) -> tuple[YamlFile, EquipmentClass] | None:
    try:
        file = read_yaml(path)
    except ConfigurationError as error:
        mistakes.extend(error.mistakes)
        return None
    equipment = validate(EquipmentClass, file, _named(file, path.stem), mistakes)
    if equipment is None:
        return None
    mistakes.extend(_name_mistakes(file, equipment, path.stem))
    mistakes.extend(file.mistake(place, message) for place, message in check_class(equipment))
    return file, equipment


def _named(file: YamlFile, stem: str) -> Any:  # noqa: ANN401  # whatever the file holds
    """Fill in the names that the file's keys already say."""
    if not isinstance(file.data, dict):
        return file.data
    named = {"name": stem, **file.data}
    for section in ("rules", "maintenance"):
        entries = named.get(section)
        if isinstance(entries, dict):
            named[section] = {key: _with_name(key, entry) for key, entry in entries.items()}
    return named


def _with_name(key: str, entry: object) -> object:
    return {"name": key, **entry} if isinstance(entry, dict) else entry


def _name_mistakes(file: YamlFile, equipment: EquipmentClass, stem: str) -> list[Mistake]:
    named: list[tuple[tuple[str, ...], str, str]] = [(("name",), equipment.name, stem)]
    named += [(("rules", key, "name"), rule.name, key) for key, rule in equipment.rules.items()]
    named += [(("maintenance", key, "name"), plan.name, key) for key, plan in equipment.maintenance.items()]
    return [
        file.mistake(place, f"the name {name!r} must be {wanted!r}; leave the line out")
        for place, name, wanted in named
        if name != wanted
    ]
