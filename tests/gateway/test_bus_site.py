"""What the engine tells gateways to read: the same points by the same keys, and no secret on the way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from facility.errors import ConfigurationError
from facility.model import Asset, Connection, Facility, Protocol, WrittenConnection
from gateway.bus.site import SiteMessageError, decode, encode
from gateway.profiles import load_profiles
from tests.facilities import DETECTOR, DOOR, PUMP, small_facility

SECRET = {"WIRE_HOST": "10.0.3.7", "WIRE_PASSWORD": "open sesame"}
WRITTEN = {
    "wire": WrittenConnection(
        host="${WIRE_HOST}", port="1883", options={"username": "u", "password": "${WIRE_PASSWORD}"}
    ),
    "line": WrittenConnection(host="10.0.3.8", port="502"),
}


def two_connections() -> Facility:
    """Return a site whose door is on a connection of its own."""
    facility = small_facility()
    line = Connection(id="line", protocol=Protocol.MODBUS, host="10.0.3.8", port=502)
    door: Asset = replace(facility.assets[DOOR], connection_id="line")
    return replace(facility, connections={**facility.connections, "line": line}, assets={**facility.assets, DOOR: door})


def test_a_gateway_reads_the_same_points_by_the_same_keys() -> None:
    facility = two_connections()
    site = decode(encode(facility, WRITTEN, {}), SECRET)
    assert site.facility.points == facility.points
    assert site.facility.rules == facility.rules
    assert {key: asset.connection_id for key, asset in site.facility.assets.items()} == {
        PUMP: "wire",
        DETECTOR: "wire",
        DOOR: "line",
    }
    assert site.facility.connections["wire"].host == "10.0.3.7"
    assert site.facility.connections["wire"].options["password"] == "open sesame"
    smoke = {key for key, point in facility.points.items() if point.asset_id == DETECTOR}
    assert site.life_safety == smoke


def test_device_profiles_travel_too_so_the_gateway_needs_no_file_of_the_site() -> None:
    facility, profiles = two_connections(), load_profiles()
    pump = replace(facility.assets[PUMP], profile="pump-vfd-a", connection_id="line")
    facility = replace(facility, assets={**facility.assets, PUMP: pump})
    site = decode(encode(facility, WRITTEN, profiles), SECRET)
    assert {name: profile.model_dump() for name, profile in site.profiles.items()} == {
        "pump-vfd-a": profiles["pump-vfd-a"].model_dump()
    }


def test_no_secret_travels() -> None:
    message = encode(two_connections(), WRITTEN, {})
    assert b"open sesame" not in message
    assert b"10.0.3.7" not in message


def test_a_gateway_may_read_some_connections_only() -> None:
    site = decode(encode(two_connections(), WRITTEN, {}), {}, only=frozenset({"line"}))
    assert set(site.facility.assets) == {DOOR}
    assert {point.asset_id for point in site.facility.points.values()} == {DOOR}
    assert site.life_safety == frozenset()


def test_a_connection_that_does_not_exist_and_a_variable_that_is_not_set_are_named_together() -> None:
    with pytest.raises(ConfigurationError) as caught:
        decode(encode(two_connections(), WRITTEN, {}), {}, only=frozenset({"wire", "lines"}))
    said = str(caught.value)
    assert "no connection 'lines'" in said
    assert "WIRE_HOST" in said
    assert "WIRE_PASSWORD" in said


def test_the_revision_changes_with_the_site_and_only_then() -> None:
    one, same = (decode(encode(two_connections(), WRITTEN, {}), SECRET).revision for _ in range(2))
    other = decode(encode(small_facility(), WRITTEN, {}), SECRET).revision
    assert one == same != other


@pytest.mark.parametrize("payload", [b"", b"{}", b"[1]", b"\xff", b'{"version": 99}'])
def test_what_is_no_configuration_is_refused(payload: bytes) -> None:
    with pytest.raises(SiteMessageError, match="same version"):
        decode(payload, {})
