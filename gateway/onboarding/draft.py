"""Writes what was recognised as a draft: ``site.yaml`` and ``profiles/``, with every guess told beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from facility.conditions import BadQuality, Condition, NoData
from facility.equipment import EquipmentClass
from gateway.onboarding.found import FoundConnection
from gateway.onboarding.found_asset import Recognised, Unmapped
from gateway.onboarding.profiling import DraftAsset, DraftProfile, Profiler
from gateway.profiles import DeviceProfile

SITE: Final = PurePosixPath("site.yaml")
PROFILES: Final = PurePosixPath("profiles")

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*")
_NOT_PLAIN: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"})
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]")
_LONGEST_COMMENT: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The files of a draft, not yet written."""

    files: Mapping[PurePosixPath, str]
    assets: tuple[DraftAsset, ...]
    profiles: tuple[DraftProfile, ...]
    unmapped: tuple[Unmapped, ...]


def make_draft(
    recognised: Sequence[Recognised],
    *,
    classes: Mapping[str, EquipmentClass],
    shipped: Mapping[str, DeviceProfile],
    source: str,
) -> Draft:
    """Return the draft of what was recognised on some connections.

    Args:
        recognised: What was found on each connection.
        classes: The classes of the assets.
        shipped: Profiles that may fit as they are.
        source: The command or file it comes from, for the first line.
    """
    profiler = Profiler(classes, shipped)
    assets = [asset for each in recognised for asset in profiler.assets(each)]
    unmapped = [left for each in recognised for left in each.unmapped]
    site = "\n".join(_site_lines(recognised, assets, unmapped, classes, source)) + "\n"
    profiles = {
        PROFILES / f"{profile.name}.yaml": "\n".join(_profile_lines(profile, source)) + "\n"
        for profile in profiler.made.values()
    }
    return Draft(
        files={SITE: site, **profiles},
        assets=tuple(assets),
        profiles=tuple(profiler.made.values()),
        unmapped=tuple(unmapped),
    )


def _site_lines(
    recognised: Iterable[Recognised],
    assets: Sequence[DraftAsset],
    unmapped: Sequence[Unmapped],
    classes: Mapping[str, EquipmentClass],
    source: str,
) -> Iterator[str]:
    yield from (
        _comment(f"DRAFT made from {source}. Review every line: comments say what was guessed, and why."),
        "# Then: watchkeeper site check THIS_FILE, and watchkeeper gateway probe --site THIS_FILE ASSET.",
        "# To add it to a site that you have, copy connections and assets there, and profiles/ beside that file.",
        'site: {id: draft, name: {en: "Draft", zh: "草稿"}, time_zone: UTC}  # write your own',
        "",
        "spaces:",
        "  # Everything is here until you say where.",
        '  - {id: building, kind: building, name: {en: "Building", zh: "建筑"}}',
        "",
        "connections:",
    )
    for each in recognised:
        yield from _connection_lines(each.connection)
    yield from ("", "assets:" if assets else "assets: []")
    reason = ""
    for asset in assets:
        if asset.found.reason != reason:
            reason = asset.found.reason
            yield _comment(f"{asset.found.equipment_class}: {reason}", "  ")
        yield from _asset_lines(asset, classes[asset.found.equipment_class])
    if unmapped:
        yield from ("", f"# Left out ({len(unmapped)}): no asset above uses these.")
        yield from (_comment(f"  {left.found}: {left.reason}") for left in unmapped)


def _connection_lines(connection: FoundConnection) -> Iterator[str]:
    yield from (_comment(note, "  ") for note in connection.notes)
    yield f"  - id: {flow(connection.id)}"
    yield f"    protocol: {connection.protocol}"
    if connection.host:
        yield f"    host: {flow(connection.host)}"
    if connection.port:
        yield f"    port: {connection.port if connection.port.isdecimal() else flow(connection.port)}"
    if connection.options:
        yield f"    options: {flow(connection.options)}"


def _asset_lines(asset: DraftAsset, equipment: EquipmentClass) -> Iterator[str]:
    found = asset.found
    yield from (_comment(note, "  ") for note in found.notes)
    yield f"  - id: {flow(asset.id)}"
    yield f"    class: {found.equipment_class}"
    yield f"    name: {flow({'en': found.name, 'zh': found.name})}"
    yield from ([] if asset.parent is None else [f"    parent: {flow(asset.parent)}"])
    yield f"    connection: {flow(asset.connection)}"
    yield f"    profile: {flow(asset.profile)}"
    if asset.address:
        yield f"    address: {flow(asset.address)}"
    lacking = [
        rule
        for rule in equipment.rules.values()
        if rule.point not in found.members and _alarms_without_data(rule.condition)
    ]
    if lacking and not found.profile:  # a profile that is known to fit maps more than was heard
        yield "    rules:"
        yield from (
            f"      {rule.name}: {{enabled: false}}  # {rule.point} was not found: map it, or nobody is told of this"
            for rule in lacking
        )


def _alarms_without_data(condition: Condition) -> bool:
    """Tell whether a condition comes true for a point that was never mapped."""
    return isinstance(condition, NoData) or (isinstance(condition, BadQuality) and condition.timeout_s is not None)


def _profile_lines(profile: DraftProfile, source: str) -> Iterator[str]:
    yield _comment(f"DRAFT made from {source} for {', '.join(profile.assets)}.")
    yield "# Compare every line with the device's manual: names and units were read, meanings were guessed."
    yield f"profile: {profile.name}"
    yield f"class: {profile.equipment_class}"
    yield f"protocol: {profile.protocol}"
    if profile.settings:
        yield f"settings: {flow(profile.settings)}"
    yield "points:"
    for point, entry in profile.points.items():
        yield _comment(profile.comments[point], "  ")
        yield f"  {point}: {flow(entry)}"


def flow(value: object) -> str:
    """Return a value as YAML on one line, quoted wherever a reader could take it for something else."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case Mapping():
            return "{" + ", ".join(f"{flow(key)}: {flow(each)}" for key, each in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(flow, value)) + "]"
        case _:
            text = printable(str(value))
            is_plain = _PLAIN.fullmatch(text) and text.casefold() not in _NOT_PLAIN
            return text if is_plain else json.dumps(text, ensure_ascii=False)


def printable(text: str) -> str:
    """Return a text without line breaks and without what YAML forbids."""
    return _UNPRINTABLE.sub(" ", text)


def _comment(text: str, indent: str = "") -> str:
    said = printable(text)
    return f"{indent}# {said[:_LONGEST_COMMENT]}{'…' if len(said) > _LONGEST_COMMENT else ''}"
