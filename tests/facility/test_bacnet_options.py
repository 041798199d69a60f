"""What a BACnet connection may say of itself, and what a person is told who says something else."""

from __future__ import annotations

import pytest

from facility.connections import resolved_connection
from facility.model import Protocol, WrittenConnection


def findings_of(**options: object) -> list[str]:
    written = WrittenConnection(host="10.0.3.7", port="47808", options=options)
    connection, findings = resolved_connection("fire", Protocol.BACNET_IP, written, {})
    assert findings or dict(connection.options) == options
    return [message for _, message in findings]


def test_every_option_of_the_documentation_is_taken() -> None:
    assert not findings_of(
        device_instance=2001,
        timeout_s=2.5,
        in_flight=1,
        local_port=47_809,
        local_instance=4,
        cov_confirmed=True,
        bbmd="10.0.3.1:47808",
        bbmd_ttl_s=120,
        time_sync_s=3600.0,
        time_zone="Asia/Shanghai",
        process="own",
    )


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [
        ("time_zone", "Asia/Shangai", "Asia/Shangai"),
        ("bbmd", "10.0.3.1:99999", "99999"),
        ("bbmd", "bacnet://10.0.3.1", "bacnet"),
        ("in_flight", 5, "4"),
        ("device_instance", 4_194_303, "4194302"),
        ("process", "mine", "own"),
    ],
)
def test_an_option_that_makes_no_sense_is_told_with_what_is_wrong(option: str, value: object, word: str) -> None:
    (message,) = findings_of(**{option: value})
    assert word in message
