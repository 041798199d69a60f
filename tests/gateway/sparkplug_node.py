"""An edge node for tests: payloads by pysparkplug, which carries Eclipse Tahu's schema, over a paho client."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from pysparkplug import DataType, DBirth, DCmd, DData, DDeath, Metric, NBirth, NCmd, NData, NDeath

GROUP = "harbour"
DEVICE = "plc"


def now_ms() -> int:
    return round(time.time() * 1000)  # noqa: TID251  # a device has its own clock


def metric(name: str, datatype: DataType, value: float | str | None, *, alias: int | None = None) -> Metric:
    return Metric(timestamp=now_ms(), name=name, datatype=datatype, value=value, alias=alias)


def aliased(alias: int, datatype: DataType, value: float | str | None, *, is_historical: bool = False) -> Metric:
    return Metric(
        timestamp=now_ms(), name=None, datatype=datatype, value=value, alias=alias, is_historical=is_historical
    )


class EdgeNodePeer:
    """A node with one device, which is born again when it is asked to."""

    def __init__(self, port: int, node: str, metrics: Iterable[Metric], *, is_obedient: bool = True) -> None:
        self.node = node
        self.rebirths = 0
        """How often it was asked for its birth."""
        self.commands: list[dict[str, object]] = []
        self.bd_seq = 0
        self._metrics = tuple(metrics)
        self._is_obedient = is_obedient
        self._seq = 0
        self._port = port
        self._client = self._connected()

    def born(self) -> None:
        """Say all births."""
        self._seq = 0
        own = Metric(timestamp=now_ms(), name="bdSeq", datatype=DataType.INT64, value=self.bd_seq)
        self._say("NBIRTH", NBirth(timestamp=now_ms(), seq=0, metrics=(own,)).encode())
        self._say("DBIRTH", DBirth(timestamp=now_ms(), seq=self._next(), metrics=self._metrics).encode(), DEVICE)

    def says(self, *metrics: Metric) -> None:
        """Send data of the device, in which aliases stand for names."""
        self._say("DDATA", DData(timestamp=now_ms(), seq=self._next(), metrics=metrics).encode(), DEVICE)

    def says_of_itself(self, *metrics: Metric) -> None:
        self._say("NDATA", NData(timestamp=now_ms(), seq=self._next(), metrics=metrics).encode())

    def loses_a_message(self) -> None:
        self._next()

    def says_that_its_device_is_away(self) -> None:
        self._say("DDEATH", DDeath(timestamp=now_ms(), seq=self._next()).encode(), DEVICE)

    def dies(self, bd_seq: int | None = None) -> None:
        """Say what the broker says in its name."""
        self._say("NDEATH", self._death(self.bd_seq if bd_seq is None else bd_seq))

    def breaks_off(self) -> None:
        """Vanish without a goodbye, so that the broker sends the last will."""
        connection = self._client.socket()
        assert connection is not None
        self._client.loop_stop()
        connection.close()

    def comes_back(self) -> None:
        self.bd_seq += 1
        self._client = self._connected()
        self.born()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self) -> Client:
        ready = threading.Event()
        client = Client(CallbackAPIVersion.VERSION2, client_id=f"edge-{self.node}")
        client.will_set(self._topic("NDEATH"), self._death(self.bd_seq), qos=1)
        client.on_message = self._on_message
        client.on_subscribe = lambda *_: ready.set()
        client.connect("127.0.0.1", self._port)
        client.subscribe([(self._topic("NCMD"), 1), (self._topic("DCMD", DEVICE), 1)])
        client.loop_start()
        assert ready.wait(30)
        return client

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        kind = NCmd if "/NCMD/" in message.topic else DCmd
        told = {each.name or "": each.value for each in kind.decode(bytes(message.payload)).metrics}
        if told.get("Node Control/Rebirth") is True:
            self.rebirths += 1
            if self._is_obedient:
                self.born()
        else:
            self.commands.append(dict(told))

    def _death(self, bd_seq: int) -> bytes:
        own = Metric(timestamp=now_ms(), name="bdSeq", datatype=DataType.INT64, value=bd_seq)
        return NDeath(timestamp=now_ms(), bd_seq_metric=own).encode()

    def _next(self) -> int:
        self._seq = (self._seq + 1) % 256
        return self._seq

    def _topic(self, kind: str, device: str = "") -> str:
        return "/".join(["spBv1.0", GROUP, kind, self.node, *([device] if device else [])])

    def _say(self, kind: str, payload: bytes, device: str = "") -> None:
        self._client.publish(self._topic(kind, device), payload, qos=0)
