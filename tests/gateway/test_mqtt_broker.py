"""What a broker wants to see before it lets a gateway in, and what it then keeps for it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from facility.errors import ConfigurationError
from facility.model import Protocol
from facility.quality import Quality
from gateway.drivers.driver import DriverConfig
from gateway.drivers.mqtt import MqttDriver
from gateway.events import ConnectionState
from tests.gateway.driver_site import Collector, analog, device, driver_config, running, until
from tests.gateway.mqtt_brokers import broker_in, write_certificates
from tests.servers import Mosquitto, binary, free_port

LEVEL = 1
VERSIONS = pytest.mark.parametrize("version", ["3.1.1", "5"])


def config_of(port: int, collector: Collector, **options: object) -> DriverConfig:
    tank = device("tank-1", LEVEL, {"level": (analog("m"), {"topic": "tank/level", "format": "text"})})
    return driver_config(Protocol.MQTT, port, (tank,), collector, options={"client_id": "gateway", **options})


async def said_by(*arguments: str) -> str:
    """Run one of mosquitto's own tools, which know nothing of paho."""
    process = await asyncio.create_subprocess_exec(*arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output, _ = await process.communicate()
    assert process.returncode == 0, output
    return output.decode()


async def publish(port: int, topic: str, *payloads: str, options: tuple[str, ...] = ()) -> None:
    """Publish with QoS 1, one message a payload."""
    tool = binary("mosquitto_pub")
    for payload in payloads:
        await said_by(tool, "-h", "127.0.0.1", "-p", str(port), "-t", topic, "-m", payload, "-q", "1", *options)


async def retained(port: int, topic: str) -> str:
    """Return what a topic retains."""
    tool = binary("mosquitto_sub")
    said = await said_by(tool, "-h", "127.0.0.1", "-p", str(port), "-t", topic, "-C", "1", "-W", "30")
    return said.strip()


@contextlib.asynccontextmanager
async def subscribed(config: DriverConfig) -> AsyncIterator[None]:
    async with running(MqttDriver(config)):
        await until(lambda: config.status.state is ConnectionState.UP)
        yield


@VERSIONS
async def test_a_broker_that_wants_certificates_is_read_with_ours(tmp_path: Path, version: str) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    for name in ("broker", "gateway"):
        write_certificates(tmp_path, authority, name)
    own = [f"cafile {tmp_path}/ca.pem", f"certfile {tmp_path}/broker.pem", f"keyfile {tmp_path}/broker.key"]
    broker = broker_in(tmp_path, *own, "require_certificate true", "use_identity_as_username true")
    files = {
        "ca_file": f"{tmp_path}/ca.pem",
        "certificate_file": f"{tmp_path}/gateway.pem",
        "key_file": f"{tmp_path}/gateway.key",
    }
    tool = ("--cafile", files["ca_file"], "--cert", files["certificate_file"], "--key", files["key_file"])
    collector = Collector()
    with broker.running():
        async with subscribed(config_of(broker.port, collector, version=version, **files)):
            await publish(broker.port, "tank/level", "1.5", options=tool)
            await until(lambda: collector.last(LEVEL) == (1.5, Quality.GOOD))


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_broker_with_a_strangers_certificate_is_not_trusted_and_the_reason_is_told(tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    write_certificates(tmp_path, stranger, "broker")
    own = [f"certfile {tmp_path}/broker.pem", f"keyfile {tmp_path}/broker.key", "allow_anonymous true"]
    broker = broker_in(tmp_path, *own)
    collector = Collector()
    config = config_of(broker.port, collector, ca_file=f"{tmp_path}/ca.pem")
    with broker.running():
        async with running(MqttDriver(config)):
            await until(lambda: "is not trusted" in config.status.detail)
    assert collector.qualities(LEVEL) == [Quality.BAD_COMMUNICATION]


@pytest.mark.parametrize("key", ["ca_file", "certificate_file"])
def test_a_certificate_that_is_not_there_is_a_mistake_of_the_site(key: str) -> None:
    with pytest.raises(ConfigurationError, match=r"No such file.*check ca_file"):
        MqttDriver(config_of(1883, Collector(), **{key: "nowhere.pem"}))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"version": "4"}, "'4' is not known here"),
        ({"status_topic": "a", "primary_host": "b"}, "one last will"),
        ({"subscribe": ["a/#/b"]}, "write it last"),
        ({"usrname": "x"}, "username"),
    ],
)
def test_an_option_that_cannot_work_is_told_with_what_to_write(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        MqttDriver(config_of(1883, Collector(), **options))


@VERSIONS
async def test_an_account_with_the_wrong_password_is_told_in_the_brokers_words(tmp_path: Path, version: str) -> None:
    passwords = tmp_path / "passwords"
    await said_by(binary("mosquitto_passwd"), "-b", "-c", str(passwords), "watch", "right")
    broker = broker_in(tmp_path, "allow_anonymous false", f"password_file {passwords}")
    wrong = config_of(broker.port, Collector(), version=version, username="watch", password="wrong")
    right = config_of(broker.port, Collector(), version=version, username="watch", password="right")
    with broker.running():
        async with running(MqttDriver(wrong)):
            await until(lambda: "refused the connection: Not authorized" in wrong.status.detail)
        async with subscribed(right):
            pass


async def test_the_gateway_says_that_it_is_there_and_that_it_went(mosquitto: Mosquitto) -> None:
    topic = "watchkeeper/status/clean"
    async with subscribed(config_of(mosquitto.port, Collector(), client_id="clean", status_topic=topic)):
        assert await retained(mosquitto.port, topic) == "online"
    assert await retained(mosquitto.port, topic) == "offline"


@VERSIONS
async def test_the_broker_says_that_a_gateway_died(mosquitto: Mosquitto, version: str) -> None:
    topic = f"watchkeeper/status/{version}"
    options = {"client_id": f"dying-{version}", "status_topic": topic, "version": version}
    config = config_of(mosquitto.port, Collector(), **options)
    driver = MqttDriver(config)
    async with running(driver):
        await until(lambda: config.status.state is ConnectionState.UP)
        assert await retained(mosquitto.port, topic) == "online"
        assert driver._session is not None
        connection = driver._session._client.socket()
        assert isinstance(connection, socket.socket)
        watcher = await asyncio.create_subprocess_exec(
            *(binary("mosquitto_sub"), "-p", str(mosquitto.port), "-t", topic, "-C", "3", "-W", "60"),
            stdout=subprocess.PIPE,
        )
        assert watcher.stdout is not None
        assert await watcher.stdout.readline() == b"online\n", "the retained word proves the subscription"
        connection.shutdown(socket.SHUT_RDWR)
        assert (await watcher.communicate())[0].split() == [b"offline", b"online"]


async def test_in_mqtt_5_the_gateway_says_how_much_may_be_under_way(mosquitto: Mosquitto) -> None:
    collector = Collector()
    options = {"client_id": "window", "version": "5", "max_in_flight": 100}
    config = config_of(mosquitto.port, collector, **options)
    async with subscribed(config):
        pass  # the broker now knows the session
    lines = "".join(f"{number}\n" for number in range(150)).encode()
    tool = await asyncio.create_subprocess_exec(
        *(binary("mosquitto_pub"), "-p", str(mosquitto.port), "-t", "tank/level", "-q", "1", "-l"),
        stdin=subprocess.PIPE,
    )
    await tool.communicate(lines)
    async with subscribed(config):
        await until(lambda: len(collector.samples) == 100)
        await asyncio.sleep(0.2)
        assert len(collector.samples) == 100, "the broker waits for acknowledgements"
        for delivery in list(collector.deliveries):
            if delivery.acknowledge is not None:
                delivery.acknowledge()
        await until(lambda: collector.last(LEVEL) == (149.0, Quality.GOOD))


@pytest.mark.parametrize(("expiry_s", "kept"), [(0, False), (3600, True)])
async def test_in_mqtt_5_the_broker_keeps_a_session_for_as_long_as_it_is_told(
    mosquitto: Mosquitto, expiry_s: int, *, kept: bool
) -> None:
    collector = Collector()
    options = {"client_id": f"expiry-{expiry_s}", "version": "5", "session_expiry_s": expiry_s}
    config = config_of(mosquitto.port, collector, **options)
    async with subscribed(config):
        pass
    await publish(mosquitto.port, "tank/level", "1.0")
    async with subscribed(config):
        await publish(mosquitto.port, "tank/level", "2.0")
        await until(lambda: collector.last(LEVEL) == (2.0, Quality.GOOD))
    assert [sample.value for sample in collector.of(LEVEL)] == ([1.0, 2.0] if kept else [2.0])


async def test_without_a_broker_the_end_does_not_wait_for_one() -> None:
    config = config_of(free_port(), Collector())
    async with running(MqttDriver(config)):
        await until(lambda: config.status.state is ConnectionState.DOWN)
