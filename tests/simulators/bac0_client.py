"""A BACnet workstation made of BAC0, in a process of its own: reads what standard input asks for, as JSON.

``{"port": 47809, "own_port": 47810, "ask": ["life-safety-point 101 presentValue"]}`` becomes one list of answers.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from typing import Any

BAC0: Any = importlib.import_module("BAC0")  # ships no types


async def answers(port: int, own_port: int, asked: list[str]) -> list[str]:
    """Return what the device on a port of loopback says to each question, as text."""
    network: Any = BAC0.connect(ip="127.0.0.1/32", port=own_port)
    try:
        return [str(await network.read(f"127.0.0.1:{port} {each}")) for each in asked]
    finally:
        await network._disconnect()


if __name__ == "__main__":
    given = json.load(sys.stdin)
    found = asyncio.run(answers(given["port"], given["own_port"], given["ask"]))
    sys.stdout.write(f"\n{json.dumps(found)}\n")  # BAC0 itself has written its log before
