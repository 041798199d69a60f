"""Modbus connections in a site file: what they may say, and what is told when they do not."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from facility.class_files import load_classes
from facility.errors import ConfigurationError
from facility.model import SiteDescription
from facility.site_export import site_text
from facility.site_file import parse_site

classes = functools.cache(load_classes)
HEAD = "site: {id: house, name: House, time_zone: UTC}\nspaces: [{id: house, kind: building}]\nconnections:\n"


def read(*connections: str) -> SiteDescription:
    text = HEAD + "".join(f"  - {connection}\n" for connection in connections)
    return parse_site("site.yaml", text, classes(), {"BAUD": "9600", "PORT": "/dev/ttyS7"})


def told(*connections: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        read(*connections)
    return [f"{mistake.line}: {mistake.message}" for mistake in caught.value.mistakes]


SERIAL = '{id: a, protocol: modbus, options: {transport: rtu, serial: "${PORT}", baudrate: "${BAUD}", parity: none}}'


def test_a_serial_line_has_no_host_and_comes_out_of_the_database_as_it_went_in(tmp_path: Path) -> None:
    site = read(SERIAL)
    line = site.connections["a"]
    assert (line.host, line.port) == ("", 0)
    assert line.options == {"transport": "rtu", "serial": "/dev/ttyS7", "baudrate": 9600, "parity": "none"}
    text = site_text(site)
    assert "host" not in text
    again = parse_site(str(tmp_path), text, classes(), {"BAUD": "9600", "PORT": "/dev/ttyS7"})
    assert again.connections == site.connections


@pytest.mark.parametrize(
    ("connection", "message"),
    [
        ("{id: a, protocol: modbus, options: {transport: rtu}}", "4: transport rtu needs the port: write serial:"),
        ("{id: a, protocol: modbus, host: h, port: 1, options: {transport: tls}}", "4: transport tls needs ca_file"),
        ("{id: a, protocol: modbus, host: h, port: 1, options: {baudrate: 9600}}", "4: 'baudrate' means nothing with"),
        ("{id: a, protocol: modbus, host: h, port: 1, options: {transport: udp}}", "4: 'udp' is not known here"),
        (
            "{id: a, protocol: modbus, host: h, port: 1, options: {transport: rtu, serial: /dev/ttyS0}}",
            "4: a serial line has no host and port; remove them",
        ),
        (
            "{id: a, protocol: modbus, host: h, port: 1, options: {transport: tls, ca_file: c, key_file: k}}",
            "4: key_file belongs to a certificate",
        ),
        ("{id: a, protocol: modbus}", "4: '' is no host"),
        ("{id: a, protocol: modbus, options: {transport: [rtu]}}", "4: '' is no host"),
    ],
)
def test_what_is_wrong_with_a_line_is_told_with_its_remedy(connection: str, message: str) -> None:
    assert told(connection)[0].startswith(message)


def test_two_connections_never_open_one_line() -> None:
    one = "{id: a, protocol: modbus, host: 10.0.0.7, port: 502}"
    other = "{id: b, protocol: modbus, host: 10.0.0.7, port: 502, options: {transport: rtu-tcp}}"
    assert told(one, other) == [
        "5: 10.0.0.7:502 is 'a' already; give its assets the connection 'a' and remove this one"
    ]
    serial = "{id: b, protocol: modbus, options: {transport: ascii, serial: /dev/ttyS7}}"
    assert told(SERIAL, serial) == [
        "5: /dev/ttyS7 is 'a' already; give its assets the connection 'a' and remove this one"
    ]
    broker = "{id: b, protocol: mqtt, host: 10.0.0.7, port: 502}"
    assert len(read(one, broker, one.replace("502", "503").replace("a,", "c,")).connections) == 3
