"""Which points of a site may be commanded: those of which its profiles say how, and its assets say that they may."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from facility.life_safety import refusal
from facility.model import Asset, Facility, Point, Protocol
from gateway.commands.grammar import WriteEntry, own_keys
from gateway.commands.model import Release, Writable
from gateway.profiles import WRITE, DeviceProfile

TOLERANCE_OF_SPAN = 0.001
"""How exactly a number must be shown, where its profile does not say: what a scaled 16-bit register can hold."""
STATE_TOLERANCE = 0.5
"""Codes of states are whole numbers."""


def writable_points(facility: Facility, profiles: Mapping[str, DeviceProfile]) -> dict[int, Writable]:
    """Return what may be commanded, by point key.

    The profiles fit the facility: :func:`gateway.profiles.driver_configs` has checked them.
    """
    return {
        writable.point.key: writable
        for asset in facility.assets.values()
        for writable in _of_asset(facility, profiles[asset.profile], asset)
    }


def _of_asset(facility: Facility, profile: DeviceProfile, asset: Asset) -> Iterator[Writable]:
    for point in facility.points_of(asset.id) if asset.commands else ():
        if point.name in asset.commands and refusal(facility.assets, asset, point.name) is None:
            entry = WriteEntry.model_validate(own_keys(profile.points[point.name][WRITE]))
            yield _writable(point, entry, profile.protocol)


def _writable(point: Point, entry: WriteEntry, protocol: Protocol) -> Writable:
    codes = point.definition.states
    safe = codes[entry.safe] if isinstance(entry.safe, str) else entry.safe
    return Writable(
        point=point,
        low=entry.min,
        high=entry.max,
        codes=frozenset(codes[state] for state in entry.allowed),
        roles=frozenset(entry.roles),
        priority=entry.priority,
        longest_s=entry.expires_s,
        release=_release(entry, protocol),
        safe=None if safe is None else float(safe),
        tolerance=_tolerance(entry),
        confirm_s=entry.confirm_s,
    )


def _release(entry: WriteEntry, protocol: Protocol) -> Release:
    if protocol is Protocol.BACNET_IP:
        return Release.RELINQUISH
    return Release.NOTHING if entry.safe is None else Release.SAFE_VALUE


def _tolerance(entry: WriteEntry) -> float:
    if entry.tolerance is not None:
        return entry.tolerance
    if entry.min is None or entry.max is None:
        return STATE_TOLERANCE
    return TOLERANCE_OF_SPAN * (entry.max - entry.min)
