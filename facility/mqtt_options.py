"""The options of a connection to an MQTT broker."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from facility.definition import Definition


class MqttOptions(Definition):
    """A broker's."""

    username: str | None = None
    password: str | None = None
    client_id: str | None = None
    """By this name the broker knows the session, so it stays the same and belongs to one gateway only; ``None``: the
    driver's own."""
    version: Annotated[Literal["3.1.1", "5"], BeforeValidator(str)] = "3.1.1"
    """Of MQTT. 5 says why something is refused, and how much may be under way unacknowledged."""
    keepalive_s: int = Field(default=10, ge=1, le=3600)
    """A connection that died without a word is noticed within twice this."""
    session_expiry_s: int = Field(default=7 * 86_400, ge=0, le=0xFFFF_FFFF)
    """How long the broker keeps messages for a gateway that is away; in version 3.1.1 the broker alone decides."""
    max_in_flight: int = Field(default=1000, ge=1, le=0xFFFF)
    """Messages that the broker may have under way unacknowledged; in version 3.1.1 the broker alone decides."""
    tls: bool = False
    """Encrypt, and trust only a broker whose certificate names its host; any of the files below implies it."""
    ca_file: str | None = None
    """Certificates that the broker's must come from; ``None``: those that this machine trusts."""
    certificate_file: str | None = None
    """Our own certificate, where the broker knows clients by theirs."""
    key_file: str | None = None
    """The certificate's key; ``None``: it stands in the certificate's file."""
    key_password: str | None = None
    status_topic: str | None = None
    """Where the gateway says ``online`` and, through its last will, ``offline``, both retained."""
    subscribe: list[str] = Field(default_factory=list)
    """Filters such as ``harbour/+/state``: every topic that one of them covers needs no subscription of its own."""
    primary_host: str | None = None
    """The Sparkplug host id under which nodes know that somebody listens; excludes ``status_topic``, since a connection
    has one last will."""
    confirm_timeout_s: float = Field(default=5.0, gt=0.0)
    """Wall seconds within which the broker must confirm a written value."""
    report_timeout_s: float = Field(default=15.0, gt=0.0)
    """Wall seconds to wait for a device's next report when a point is read."""

    @model_validator(mode="after")
    def _has_one_will(self) -> Self:
        if self.status_topic is not None and self.primary_host is not None:
            raise ValueError("a connection has one last will; write either status_topic or primary_host")
        return self

    @property
    def is_encrypted(self) -> bool:
        """Tell whether the connection uses TLS."""
        return self.tls or bool(self.ca_file or self.certificate_file)
