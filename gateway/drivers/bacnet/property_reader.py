"""Reads many properties of one BACnet device in as few requests as it can stand, and learns how few that is."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from bacpypes3.apdu import (
    AbortPDU,
    AbortReason,
    ErrorRejectAbortNack,
    ReadPropertyMultipleRequest,
    ReadPropertyRequest,
    RejectPDU,
    RejectReason,
)
from bacpypes3.app import Application
from bacpypes3.basetypes import EngineeringUnits, PropertyIdentifier, PropertyReference, ReadAccessSpecification
from bacpypes3.constructeddata import Any as BacnetAny
from bacpypes3.constructeddata import ArrayOf, SequenceOf
from bacpypes3.errors import RejectException
from bacpypes3.pdu import Address
from bacpypes3.primitivedata import CharacterString, ObjectIdentifier, Unsigned

IN_FLIGHT: Final = 4
"""Requests to one device at once."""
FIRST_BATCH: Final = 8
"""Objects in one ReadPropertyMultiple; halved whenever an answer does not fit."""
MOST_OBJECTS: Final = 100_000
"""An object list that claims more is not believed."""

_TYPES: Final[Mapping[str, Any]] = {"units": EngineeringUnits, "state-text": ArrayOf(CharacterString)}
"""Of the properties that are no text."""

_TOO_LARGE: Final = {
    AbortReason.bufferOverflow,
    AbortReason.segmentationNotSupported,
    AbortReason.apduTooLong,
    AbortReason.outOfResources,
}
_NO_ANSWER: Final = {AbortReason.noResponse, AbortReason.tsmTimeout, AbortReason.serverTimeout}

Properties = dict[str, Any]
"""Property to its value, as text or a list of texts; what the device does not have is absent."""


class NoAnswerError(Exception):
    """Nothing came back in time."""


class RefusedError(Exception):
    """The device said no."""


class TooLargeError(RefusedError):
    """The answer would not fit."""


class NoSuchServiceError(RefusedError):
    """The device does not offer the service."""


class PropertyReader:
    """Reads properties of one device, and learns what it can stand."""

    def __init__(self, app: Application, address: Address, timeout_s: float) -> None:
        self.requests = 0
        self._app = app
        self._address = address
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._batch = FIRST_BATCH
        self._has_multiple = True

    async def object_list(self, device: str) -> list[str]:
        """Return ``type,instance`` of every object, whether or not the list fits one answer."""
        try:
            whole = await self._property(device, "object-list")
            return [_text_of(each) for each in _cast(whole, SequenceOf(ObjectIdentifier))]
        except TooLargeError:
            count = int(_cast(await self._property(device, "object-list", 0), Unsigned))
        if count > MOST_OBJECTS:
            raise RefusedError(f"it claims {count} objects")
        found = await asyncio.gather(*(self._element(device, number) for number in range(1, count + 1)))
        return list(found)

    async def _element(self, device: str, number: int) -> str:
        return _text_of(_cast(await self._property(device, "object-list", number), ObjectIdentifier))

    async def properties(self, objects: Mapping[str, Sequence[str]]) -> dict[str, Properties]:
        """Return what each object says of the properties asked."""
        names = list(objects)
        found: dict[str, Properties] = {}
        while names:
            part, names = names[: self._batch * IN_FLIGHT], names[self._batch * IN_FLIGHT :]
            batches = [part[start : start + self._batch] for start in range(0, len(part), self._batch)]
            for answers in await asyncio.gather(*(self._batch_of(batch, objects) for batch in batches)):
                found |= answers
        return found

    async def _batch_of(self, batch: Sequence[str], objects: Mapping[str, Sequence[str]]) -> dict[str, Properties]:
        if self._has_multiple:
            try:
                return await self._multiple(batch, objects)
            except NoSuchServiceError:
                self._has_multiple = False
            except RefusedError as error:
                if len(batch) > 1:
                    return await self._halves(batch, objects, is_too_large=isinstance(error, TooLargeError))
        return {name: await self._one_by_one(name, objects[name]) for name in batch}

    async def _halves(
        self, batch: Sequence[str], objects: Mapping[str, Sequence[str]], *, is_too_large: bool
    ) -> dict[str, Properties]:
        middle = len(batch) // 2
        if is_too_large:
            self._batch = min(self._batch, middle)
        first = await self._batch_of(batch[:middle], objects)
        return first | await self._batch_of(batch[middle:], objects)

    async def _multiple(self, batch: Sequence[str], objects: Mapping[str, Sequence[str]]) -> dict[str, Properties]:
        request = ReadPropertyMultipleRequest(
            listOfReadAccessSpecs=SequenceOf(ReadAccessSpecification)(
                [
                    ReadAccessSpecification(
                        objectIdentifier=ObjectIdentifier(name),
                        listOfPropertyReferences=[
                            PropertyReference(propertyIdentifier=PropertyIdentifier(each)) for each in objects[name]
                        ],
                    )
                    for name in batch
                ]
            ),
            destination=self._address,
        )
        answer = await self._request(request)
        return {
            _text_of(result.objectIdentifier): _decoded(
                {
                    str(element.propertyIdentifier): element.readResult.propertyValue
                    for element in result.listOfResults
                    if not element.readResult.propertyAccessError
                }
            )
            for result in answer.listOfReadAccessResults
        }

    async def _one_by_one(self, name: str, properties: Iterable[str]) -> Properties:
        found: dict[str, BacnetAny] = {}
        for each in properties:
            with contextlib.suppress(RefusedError):
                found[each] = await self._property(name, each)
        return _decoded(found)

    async def _property(self, name: str, which: str, index: int | None = None) -> BacnetAny:
        request = ReadPropertyRequest(
            objectIdentifier=ObjectIdentifier(name),
            propertyIdentifier=PropertyIdentifier(which),
            destination=self._address,
        )
        if index is not None:
            request.propertyArrayIndex = index
        return (await self._request(request)).propertyValue

    async def _request(self, request: Any) -> Any:  # noqa: ANN401  # bacpypes3 is untyped
        """Send a confirmed request: the one place where bacpypes3's errors, which are no exceptions, become ours."""
        async with self._slots:
            self.requests += 1
            try:
                async with asyncio.timeout(2 * self._timeout_s + 0.5):
                    return await self._app.request(request)
            except TimeoutError:
                raise NoAnswerError from None
            except ErrorRejectAbortNack as error:
                raise _refusal(error) from None


def _decoded(found: Mapping[str, BacnetAny]) -> Properties:
    """Return what can be decoded; one broken property never hides the others."""
    decoded: Properties = {}
    for name, value in found.items():
        with contextlib.suppress(RefusedError):
            plain = _cast(value, _TYPES.get(name, CharacterString))
            decoded[name] = [str(each) for each in plain] if name == "state-text" else str(plain)
    return decoded


def _cast(value: BacnetAny, kind: Any) -> Any:  # noqa: ANN401  # bacpypes3 is untyped
    try:
        return value.cast_out(kind)
    except (ValueError, TypeError, IndexError, AttributeError, struct.error, RejectException) as error:
        raise RefusedError(f"an answer that cannot be decoded ({error})") from error


def _text_of(identifier: ObjectIdentifier) -> str:
    return f"{identifier[0]},{int(identifier[1])}"


def _refusal(error: ErrorRejectAbortNack) -> Exception:
    reason = getattr(error, "apduAbortRejectReason", None)
    if isinstance(error, AbortPDU) and reason in _NO_ANSWER:
        return NoAnswerError()
    if isinstance(error, AbortPDU) and reason in _TOO_LARGE:
        return TooLargeError(str(AbortReason(reason)))
    if isinstance(error, RejectPDU) and reason == RejectReason.unrecognizedService:
        return NoSuchServiceError("unrecognized-service")
    return RefusedError(str(error))
