"""Writes a site back to ``site.yaml``: what :func:`facility.site_file.read_site` makes of it is the same site."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from facility.definition import LocalText
from facility.equipment import RuleDefinition
from facility.holidays import Holidays
from facility.model import Asset, Connection, SiteDescription, Space, WrittenConnection
from facility.overrides import difference, written_rule
from facility.priority import SHIPPED_MATRIX, PriorityMatrix, written_matrix


def write_site(path: Path, description: SiteDescription) -> None:
    """Write a site file; references to the environment stay references."""
    path.write_text(site_text(description), encoding="utf-8")


def site_text(description: SiteDescription) -> str:
    """Return the text of a site file."""
    document = {
        "site": {
            "id": description.site_id,
            "name": _name(description.name),
            "time_zone": description.time_zone,
            **_holidays(description.holidays),
        },
        **_matrix(description.priority_matrix),
        "spaces": [_space(entry) for entry in description.spaces.values()],
        "connections": [
            _connection(entry, description.written_connections.get(entry.id))
            for entry in description.connections.values()
        ],
        "assets": [_asset(entry, description.rules.get(entry.id, {})) for entry in description.assets.values()],
    }
    return yaml_text(document)


def yaml_text(document: Mapping[str, Any]) -> str:
    """Return plain values as people write them."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    # People look for the id first.
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # ruamel declares only its default, None
    yaml.representer.ignore_aliases = _never
    buffer = io.StringIO()
    yaml.dump(document, buffer)
    return buffer.getvalue()


def _never(_data: object) -> bool:
    """Write equal parts out each time: anchors are hard to read and to edit."""
    return True


def _name(name: LocalText) -> dict[str, str]:
    return name.model_dump()


def _holidays(said: Holidays) -> dict[str, Any]:
    written = said.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return {"holidays": written} if written else {}


def _matrix(matrix: PriorityMatrix) -> dict[str, Any]:
    """Return an edited matrix whole, since people read it as a table; the shipped one goes without saying."""
    return {} if matrix == SHIPPED_MATRIX else {"priority_matrix": written_matrix(matrix)}


def _space(space: Space) -> dict[str, Any]:
    parent = {} if space.parent is None else {"parent": space.parent}
    return {"id": space.id, "kind": space.kind, **parent, "name": _name(space.name)}


def _connection(connection: Connection, written: WrittenConnection | None) -> dict[str, Any]:
    shown = written or connection
    port = str(shown.port)
    options = {"options": dict(shown.options)} if shown.options else {}
    address = {"host": shown.host, "port": int(port) if port.isdecimal() else port} if shown.host else {}
    return {"id": connection.id, "protocol": connection.protocol.value, **address, **options}


def _asset(asset: Asset, rules: Mapping[str, RuleDefinition]) -> dict[str, Any]:
    parent = {} if asset.parent_id is None else {"parent": asset.parent_id}
    address = {"address": dict(asset.address)} if asset.address else {}
    commands = {"commands": list(asset.commands)} if asset.commands else {}
    entries = _rules(asset, rules)
    return {
        "id": asset.id,
        "class": asset.equipment_class.name,
        "name": _name(asset.name),
        "space": asset.space_id,
        **parent,
        "connection": asset.connection_id,
        "profile": asset.profile,
        **address,
        **commands,
        **({"rules": entries} if entries else {}),
    }


def _rules(asset: Asset, rules: Mapping[str, RuleDefinition]) -> dict[str, Any]:
    """Return what an asset has besides or instead of its class's rules."""
    of_class = asset.equipment_class.rules
    entries = {
        name: difference(rule, rules[name]) if name in rules else {"enabled": False} for name, rule in of_class.items()
    }
    own = {name: written_rule(rule) for name, rule in rules.items() if name not in of_class}
    return {name: entry for name, entry in entries.items() if entry} | own
