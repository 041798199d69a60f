"""What a connection's options make of a paho client: version, session, TLS, account and last will."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from facility.errors import ConfigurationError, Mistake
from facility.grammar import check
from facility.model import Connection
from facility.mqtt_options import MqttOptions

CONNECT_TIMEOUT_S: Final = 5.0
"""Wall time that a broker may take to answer a call and to shake hands."""


class Subscription(NamedTuple):
    """One filter that the broker is asked for."""

    filter: str
    qos: int


class Announcement(NamedTuple):
    """What the gateway says of itself, retained."""

    topic: str
    birth: bytes
    death: bytes
    """The last will, and what a clean end says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """A broker, and what we want of it."""

    connection: Connection
    options: MqttOptions
    tls: ssl.SSLContext | None
    """``None``: the connection is not encrypted."""
    subscriptions: Sequence[Subscription]

    @property
    def endpoint(self) -> str:
        """Return where it listens, as people write it."""
        return f"{self.connection.host}:{self.connection.port}"

    @property
    def client_id(self) -> str:
        """Return the name by which the broker knows our session."""
        return self.options.client_id or f"watchkeeper-{self.connection.id}"

    @property
    def keeps_session(self) -> bool:
        """Tell whether the broker keeps messages while we are away.

        Not for a Sparkplug primary host, whose session the specification wants clean ("Sparkplug Host Application
        Session Establishment"): its nodes keep what they measure until the host is back.
        """
        return self.options.primary_host is None


def read_options(connection: Connection) -> MqttOptions:
    """Return the options of a connection.

    Raises:
        ConfigurationError: They have mistakes; lists every one.
    """
    options, findings = check(MqttOptions, dict(connection.options))
    if options is None:
        raise ConfigurationError([Mistake(connection.id, 0, message) for _, message in findings])
    return options


def tls_context(connection: Connection, options: MqttOptions) -> ssl.SSLContext | None:
    """Return how to encrypt; ``None`` for not at all.

    Raises:
        ConfigurationError: A file is missing, or is no certificate or key.
    """
    if not options.is_encrypted:
        return None
    try:
        context = ssl.create_default_context(cafile=options.ca_file)
        if options.certificate_file is not None:
            context.load_cert_chain(options.certificate_file, options.key_file, options.key_password or "")
    except (OSError, ssl.SSLError) as error:
        message = f"{error}; check ca_file, certificate_file, key_file and key_password, and who may read those files"
        raise ConfigurationError([Mistake(connection.id, 0, message)]) from error
    return context


def new_client(broker: Broker) -> Client:
    """Return a client that is not connected yet, ends with its first connection, and acknowledges only when told."""
    options = broker.options
    is_v5 = options.version == "5"
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=broker.client_id,
        clean_session=None if is_v5 else not broker.keeps_session,
        protocol=MQTTProtocolVersion.MQTTv5 if is_v5 else MQTTProtocolVersion.MQTTv311,
        reconnect_on_failure=False,
        manual_ack=True,
    )
    client.connect_timeout = CONNECT_TIMEOUT_S
    if options.username is not None:
        client.username_pw_set(options.username, options.password or "")
    if broker.tls is not None:
        client.tls_set_context(broker.tls)
    return client


def connect(client: Client, broker: Broker) -> None:
    """Call the broker; blocks for as long as name, network and TLS take.

    Raises:
        OSError: Nobody answers there, or TLS failed.
    """
    host, port, options = broker.connection.host, broker.connection.port, broker.options
    if options.version == "5":
        properties = _session_properties(broker)
        clean = not broker.keeps_session
        client.connect(host, port, keepalive=options.keepalive_s, clean_start=clean, properties=properties)
    else:
        client.connect(host, port, keepalive=options.keepalive_s)


def _session_properties(broker: Broker) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
    properties.SessionExpiryInterval = broker.options.session_expiry_s if broker.keeps_session else 0
    properties.ReceiveMaximum = broker.options.max_in_flight
    return properties


def expiring(seconds: float) -> Properties:
    """Return the properties of a message that nobody may deliver later than this; version 5 only."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it untyped
    properties.MessageExpiryInterval = max(1, round(seconds))
    return properties
