"""The bus over TLS: both sides show certificates, and nobody without one is let in."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import trustme

from facility.errors import ConfigurationError
from gateway.bus.client import BusAddress, BusClient
from tests.gateway.bus_ends import until
from tests.servers import Mosquitto, free_port


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def broker(tmp_path: Path, authority: trustme.CA) -> Mosquitto:
    """A broker that wants certificates of its authority."""
    port, own = free_port(), authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    own.private_key_pem.write_to_path(str(tmp_path / "broker.key"))
    own.cert_chain_pems[0].write_to_path(str(tmp_path / "broker.pem"))
    (tmp_path / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\nrequire_certificate true\n"
        f"cafile {tmp_path}/ca.pem\ncertfile {tmp_path}/broker.pem\nkeyfile {tmp_path}/broker.key\n"
    )
    return Mosquitto(port, tmp_path)


class Ear:
    """Notes what it hears."""

    def __init__(self) -> None:
        self.ups = 0
        self.losses: list[str] = []
        self.heard: list[tuple[str, bytes]] = []

    def on_up(self) -> None:
        self.ups += 1

    def on_lost(self, reason: str) -> None:
        self.losses.append(reason)

    def on_message(self, topic: str, payload: bytes) -> None:
        self.heard.append((topic, payload))


def client(address: BusAddress, ear: Ear) -> BusClient:
    return BusClient(address, client_id="one", subscriptions=["a/+"], last_will="will", listener=ear)


async def test_with_certificates_both_sides_know_each_other(
    tmp_path: Path, authority: trustme.CA, broker: Mosquitto
) -> None:
    own = authority.issue_cert("gateway-1")
    own.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "gateway.pem"))
    address = BusAddress.of(
        f"mqtts://127.0.0.1:{broker.port}", ca_file=tmp_path / "ca.pem", certificate_file=tmp_path / "gateway.pem"
    )
    ear = Ear()
    with broker.running():
        bus = client(address, ear)
        running = asyncio.create_task(bus.run())
        await until(lambda: ear.ups == 1)
        assert bus.publish("a/b", b"c")
        await until(lambda: ear.heard == [("a/b", b"c")])
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_without_a_certificate_nobody_is_let_in(tmp_path: Path, broker: Mosquitto) -> None:
    ear = Ear()
    with broker.running():
        bus = client(BusAddress.of(f"mqtts://127.0.0.1:{broker.port}", ca_file=tmp_path / "ca.pem"), ear)
        running = asyncio.create_task(bus.run())
        await until(lambda: bool(ear.losses))
        assert not ear.ups
        assert not bus.publish("a/b", b"c")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_a_certificate_that_cannot_be_read_is_a_mistake_of_the_settings(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="name PEM files"):
        client(BusAddress.of("mqtts://127.0.0.1", ca_file=tmp_path / "nowhere.pem"), Ear())


@pytest.mark.parametrize("url", ["", "127.0.0.1:1883", "http://127.0.0.1", "mqtt://", "mqtt://host:99999"])
def test_what_is_no_address_of_a_broker_is_a_mistake_of_the_settings(url: str) -> None:
    with pytest.raises(ConfigurationError, match="WATCHKEEPER_BUS_URL"):
        BusAddress.of(url)


def test_an_address_may_carry_an_account() -> None:
    found = BusAddress.of("mqtts://gateway-1:p%40ss@bus.example")
    assert (found.host, found.port, found.username, found.password, found.tls) == (
        "bus.example",
        8883,
        "gateway-1",
        "p@ss",
        True,
    )
    assert "p@ss" not in repr(found)
