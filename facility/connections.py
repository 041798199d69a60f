"""Connections as they are written and as they are opened: options of each protocol, references to the environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from facility.bacnet_options import BacnetOptions
from facility.definition import Definition
from facility.grammar import Finding, check
from facility.modbus_options import SERIAL_TRANSPORTS, ModbusOptions
from facility.model import Connection, Protocol, WrittenConnection
from facility.mqtt_options import MqttOptions
from facility.references import is_only_reference, resolve

PORTS = range(1, 65_536)


OPTIONS: dict[Protocol, type[Definition]] = {
    Protocol.MQTT: MqttOptions,
    Protocol.MODBUS: ModbusOptions,
    Protocol.BACNET_IP: BacnetOptions,
}
"""The grammar of each protocol's ``options``."""

SECRETS = frozenset({"password", "key_password"})
"""Options that may only be written as a reference to the environment."""


def resolved_connection(
    connection_id: str, protocol: Protocol, written: WrittenConnection, environment: Mapping[str, str]
) -> tuple[Connection, list[Finding]]:
    """Return a connection with its references resolved, and what is wrong with it; an empty option is an absent one."""
    findings: list[Finding] = []
    host = _resolved("host", written.host, environment, findings)
    port = _resolved("port", written.port, environment, findings)
    options = _resolved("options", written.options, environment, findings)
    if not findings:
        if not _is_serial(protocol, options):
            findings += _address_findings(host, port)
        elif host or port:
            findings.append(
                (("options",), "a serial line has no host and port; remove them or choose another transport")
            )
        options = _checked_options(protocol, options, findings)
    number = int(port) if port.isdecimal() else 0
    return Connection(id=connection_id, protocol=protocol, host=host, port=number, options=options), findings


def shared_line_findings(connections: Sequence[Connection]) -> Iterator[tuple[int, str]]:
    """Yield the number of each Modbus connection that opens another one's line, and what to do.

    Many devices take a single session, and on a serial line two masters would talk into each other's answers.
    """
    first: dict[str, str] = {}
    for number, connection in enumerate(connections):
        line = _modbus_line(connection)
        owner = first.setdefault(line, connection.id) if line else connection.id
        if owner != connection.id:
            yield number, f"{line} is {owner!r} already; give its assets the connection {owner!r} and remove this one"


def _modbus_line(connection: Connection) -> str:
    """Return what a Modbus connection opens; empty for other protocols, and where a mistake hides it."""
    if connection.protocol is not Protocol.MODBUS:
        return ""
    return str(connection.options.get("serial") or (connection.host and f"{connection.host}:{connection.port}"))


def secret_findings(connection_id: str, written: WrittenConnection) -> list[Finding]:
    """Return the secrets that stand in the file itself, from where they would reach the database."""
    variable = f"{connection_id.upper().replace('-', '_').replace('.', '_')}_PASSWORD"
    return [
        (("options", name), f"a {name} may not stand here; write {name}: ${{{variable}}} and set that variable")
        for name, text in written.options.items()
        if name in SECRETS and text and not is_only_reference(str(text))
    ]


def _resolved(key: str, value: Any, environment: Mapping[str, str], findings: list[Finding]) -> Any:  # noqa: ANN401
    def missing(name: str) -> None:
        message = f"${{{name}}} is not set; set this environment variable or write ${{{name}:-default}}"
        findings.append(((key,), message))

    return resolve(value, environment, missing)


def _is_serial(protocol: Protocol, options: Mapping[str, Any]) -> bool:
    return protocol is Protocol.MODBUS and options.get("transport") in list(SERIAL_TRANSPORTS)


def _address_findings(host: str, port: str) -> list[Finding]:
    findings: list[Finding] = []
    if not host or any(character.isspace() or character == "/" for character in host):
        findings.append((("host",), f"{host!r} is no host; write a name or an address such as 10.0.3.7"))
    if not (port.isdecimal() and int(port) in PORTS):
        findings.append((("port",), f"{port!r} is no port; write a number from 1 to 65535"))
    return findings


def _checked_options(protocol: Protocol, options: Mapping[str, Any], findings: list[Finding]) -> dict[str, Any]:
    given = {name: value for name, value in options.items() if value is not None and value != ""}
    checked, wrong = check(OPTIONS[protocol], given)
    findings += [(("options", *place), message) for place, message in wrong]
    return {} if checked is None else checked.model_dump(exclude_unset=True)
