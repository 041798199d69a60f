"""Sparkplug B payloads: protobuf on the wire, plain values in here.

The message classes are built from the field numbers of the Sparkplug 3.0 specification, section "Google Protocol Buffer
Schema"; fields that a gateway has no use for (templates, data sets, files) are left out, and protobuf skips them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto  # type: ignore[import-untyped]  # no stubs
from google.protobuf.descriptor_pool import DescriptorPool  # type: ignore[import-untyped]  # no stubs
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # no stubs
from google.protobuf.message_factory import GetMessageClass  # type: ignore[import-untyped]  # no stubs

MAX_METRICS: Final = 100_000
"""Metrics of one payload; beyond it the payload is malformed."""

QUALITY: Final = "Quality"
"""The property of a metric that says how good its value is."""


class DataType(IntEnum):
    """Types of metrics that have one value; codes from the specification, section "Data Types"."""

    UNKNOWN = 0
    """The payload does not say; the birth certificate did."""
    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    """Milliseconds since 1970-01-01 UTC."""
    TEXT = 14
    UUID = 15


class MetricQuality(IntEnum):
    """Values of the property ``Quality``; from the specification, section "Quality Codes"."""

    BAD = 0
    GOOD = 192
    STALE = 500


class MalformedPayloadError(ValueError):
    """The bytes are no Sparkplug payload."""


class Metric(NamedTuple):
    """One metric of a payload."""

    name: str | None = None
    """``None`` where an alias stands for it."""
    alias: int | None = None
    timestamp_ms: int | None = None
    """Milliseconds since 1970-01-01 UTC; ``None``: the payload's."""
    datatype: int = DataType.UNKNOWN
    raw: float | str | bytes | None = None
    """As it stands on the wire, numbers unsigned; :func:`typed` makes a value of it. ``None``: it has no value."""
    is_historical: bool = False
    """The node kept it while nobody listened."""
    quality: int = MetricQuality.GOOD


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What one message carries."""

    timestamp_ms: int | None
    seq: int | None
    """0 to 255, one more with each message of a node; ``None`` in a death certificate of a node."""
    metrics: Sequence[Metric]

    def metric(self, name: str) -> Metric | None:
        """Return a metric by its name; ``None`` where there is none."""
        return next((metric for metric in self.metrics if metric.name == name), None)


def decode(data: bytes | None) -> Payload:
    """Return what the bytes of a message say; ``None`` stands for more bytes than any honest message has.

    Raises:
        MalformedPayloadError: They are no Sparkplug payload.
    """
    if data is None:
        raise MalformedPayloadError("the payload is too large")
    try:
        message = _PAYLOAD.FromString(data)
    except DecodeError as error:
        raise MalformedPayloadError(str(error)) from error
    if len(message.metrics) > MAX_METRICS:
        raise MalformedPayloadError(f"it has more than {MAX_METRICS} metrics")
    return Payload(
        timestamp_ms=message.timestamp if message.HasField("timestamp") else None,
        seq=message.seq if message.HasField("seq") else None,
        metrics=tuple(map(_metric, message.metrics)),
    )


def encode(payload: Payload) -> bytes:
    """Return the bytes of a payload, for commands."""
    message = _PAYLOAD()
    if payload.timestamp_ms is not None:
        message.timestamp = payload.timestamp_ms
    if payload.seq is not None:
        message.seq = payload.seq
    for metric in payload.metrics:
        _fill(message.metrics.add(), metric)
    data: bytes = message.SerializeToString()
    return data


def typed(raw: float | str | bytes | None, datatype: int) -> float | str | bytes | None:
    """Return the value of a raw one: small and negative numbers travel as two's complement in unsigned fields."""
    bits = _SIGNED_BITS.get(datatype)
    if bits is None or not isinstance(raw, int) or isinstance(raw, bool):
        return raw
    number = raw & (1 << bits) - 1
    return number - (1 << bits) if number >> bits - 1 else number


def command(name: str, datatype: int, value: float | str, timestamp_ms: int) -> bytes:
    """Return the payload that tells a node or device to set a metric.

    Raises:
        ValueError: The metric's type cannot hold the value.
    """
    metric = Metric(name=name, timestamp_ms=timestamp_ms, datatype=datatype, raw=_raw(value, datatype))
    return encode(Payload(timestamp_ms=timestamp_ms, seq=None, metrics=[metric]))


_SIGNED_BITS: Final[Mapping[int, int]] = {DataType.INT8: 8, DataType.INT16: 16, DataType.INT32: 32, DataType.INT64: 64}
_UNSIGNED_BITS: Final[Mapping[int, int]] = {
    DataType.UINT8: 8,
    DataType.UINT16: 16,
    DataType.UINT32: 32,
    DataType.UINT64: 64,
}

_FIELDS: Final = {
    DataType.INT8: "int_value",
    DataType.INT16: "int_value",
    DataType.INT32: "int_value",
    DataType.INT64: "long_value",
    DataType.UINT8: "int_value",
    DataType.UINT16: "int_value",
    DataType.UINT32: "long_value",
    DataType.UINT64: "long_value",
    DataType.FLOAT: "float_value",
    DataType.DOUBLE: "double_value",
    DataType.BOOLEAN: "boolean_value",
    DataType.STRING: "string_value",
    DataType.DATETIME: "long_value",
    DataType.TEXT: "string_value",
    DataType.UUID: "string_value",
}
"""Where a value of each type stands in a metric; the specification puts UInt32 into ``long_value``."""


def _raw(value: float | str, datatype: int) -> float | str:
    """Return a value as the wire has it."""
    if datatype in _SIGNED_BITS or datatype in _UNSIGNED_BITS:
        return _whole(value, datatype)
    if datatype == DataType.BOOLEAN:
        return bool(value)
    if datatype in {DataType.FLOAT, DataType.DOUBLE}:
        return float(value)
    if datatype in {DataType.STRING, DataType.TEXT}:
        return str(value)
    raise ValueError(f"metrics of type {datatype} cannot be written")


def _whole(value: float | str, datatype: int) -> int:
    number = round(float(value))
    bits = _SIGNED_BITS.get(datatype) or _UNSIGNED_BITS[datatype]
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if datatype in _SIGNED_BITS else (0, (1 << bits) - 1)
    if not low <= number <= high:
        raise ValueError(f"{number} does not fit the metric's type; write {low} to {high}")
    return number & (1 << bits) - 1


def _metric(message: Any) -> Metric:  # noqa: ANN401  # protobuf makes its classes at run time
    """Return a metric of a decoded message."""
    field = message.WhichOneof("value")
    return Metric(
        name=message.name if message.HasField("name") else None,
        alias=message.alias if message.HasField("alias") else None,
        timestamp_ms=message.timestamp if message.HasField("timestamp") else None,
        datatype=message.datatype,
        raw=None if field is None or message.is_null else getattr(message, field),
        is_historical=message.is_historical,
        quality=_quality(message.properties) if message.HasField("properties") else MetricQuality.GOOD,
    )


def _quality(properties: Any) -> int:  # noqa: ANN401  # protobuf makes its classes at run time
    """Return the metric's quality code; good where it does not say."""
    for key, value in zip(properties.keys, properties.values, strict=False):
        if key == QUALITY:
            return int(value.int_value)
    return MetricQuality.GOOD


def _fill(message: Any, metric: Metric) -> None:  # noqa: ANN401  # protobuf makes its classes at run time
    """Write a metric into a message."""
    if metric.name is not None:
        message.name = metric.name
    if metric.alias is not None:
        message.alias = metric.alias
    if metric.timestamp_ms is not None:
        message.timestamp = metric.timestamp_ms
    message.datatype = metric.datatype
    if metric.raw is None:
        message.is_null = True
    else:
        setattr(message, _FIELDS[DataType(metric.datatype)], metric.raw)


class _Field(NamedTuple):
    name: str
    number: int
    type: FieldDescriptorProto.Type.ValueType
    is_repeated: bool = False
    message: str = ""
    """Name of the message that it holds."""
    is_alternative: bool = False
    """It is one of the fields of which only one is set: the value."""


_T = FieldDescriptorProto
_SCHEMA: Final[dict[str, Sequence[_Field]]] = {
    "PropertyValue": (_Field("type", 1, _T.TYPE_UINT32), _Field("int_value", 3, _T.TYPE_UINT32)),
    "PropertySet": (
        _Field("keys", 1, _T.TYPE_STRING, is_repeated=True),
        _Field("values", 2, _T.TYPE_MESSAGE, is_repeated=True, message="PropertyValue"),
    ),
    "Metric": (
        _Field("name", 1, _T.TYPE_STRING),
        _Field("alias", 2, _T.TYPE_UINT64),
        _Field("timestamp", 3, _T.TYPE_UINT64),
        _Field("datatype", 4, _T.TYPE_UINT32),
        _Field("is_historical", 5, _T.TYPE_BOOL),
        _Field("is_null", 7, _T.TYPE_BOOL),
        _Field("properties", 9, _T.TYPE_MESSAGE, message="PropertySet"),
        _Field("int_value", 10, _T.TYPE_UINT32, is_alternative=True),
        _Field("long_value", 11, _T.TYPE_UINT64, is_alternative=True),
        _Field("float_value", 12, _T.TYPE_FLOAT, is_alternative=True),
        _Field("double_value", 13, _T.TYPE_DOUBLE, is_alternative=True),
        _Field("boolean_value", 14, _T.TYPE_BOOL, is_alternative=True),
        _Field("string_value", 15, _T.TYPE_STRING, is_alternative=True),
        _Field("bytes_value", 16, _T.TYPE_BYTES, is_alternative=True),
    ),
    "Payload": (
        _Field("timestamp", 1, _T.TYPE_UINT64),
        _Field("metrics", 2, _T.TYPE_MESSAGE, is_repeated=True, message="Metric"),
        _Field("seq", 3, _T.TYPE_UINT64),
    ),
}
_PACKAGE: Final = "watchkeeper.sparkplug"


def _schema_file() -> FileDescriptorProto:
    file = FileDescriptorProto(name=f"{_PACKAGE}.proto", package=_PACKAGE, syntax="proto2")
    for name, fields in _SCHEMA.items():
        message = file.message_type.add(name=name)
        if any(field.is_alternative for field in fields):
            message.oneof_decl.add(name="value")
        for field in fields:
            added = message.field.add(name=field.name, number=field.number, type=field.type)
            added.label = _T.LABEL_REPEATED if field.is_repeated else _T.LABEL_OPTIONAL
            if field.message:
                added.type_name = f".{_PACKAGE}.{field.message}"
            if field.is_alternative:
                added.oneof_index = 0
    return file


def _payload_class() -> Any:  # noqa: ANN401  # protobuf makes its classes at run time
    pool = DescriptorPool()  # of our own: another library's schema of the same names does not meet it
    pool.Add(_schema_file())
    return GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Payload"))


_PAYLOAD: Final = _payload_class()
