"""What every simulated device promises: a pure object that is stepped through time and can suffer named faults."""

from __future__ import annotations

import hashlib
from typing import ClassVar, Protocol

import numpy as np


class SimulatedDevice(Protocol):
    """One lift, pump, panel, detector or door without any input or output of its own.

    The same seed and the same sequence of calls give the same sequence of states, so a test steps a device without a
    socket and a failure in the demo can be repeated.
    """

    asset_id: str
    faults: ClassVar[frozenset[str]]
    """Names of the faults it can suffer."""

    def step(self, now_ns: int, dt_s: float) -> None:
        """Advance by ``dt_s`` facility seconds to the facility time ``now_ns``."""
        ...

    def inject(self, fault: str, now_ns: int) -> None:
        """Start a fault of ``faults``; starting it again changes nothing."""
        ...

    def clear(self, fault: str, now_ns: int) -> None:
        """End a fault; the device recovers as its real counterpart would after a repair."""
        ...


def device_seed(seed: int, asset_id: str) -> int:
    """Return the seed of one device, which does not depend on which other devices exist."""
    digest = hashlib.blake2b(f"{seed}/{asset_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest)


def device_generator(seed: int, asset_id: str) -> np.random.Generator:
    """Return the device's own source of chance, seeded by ``device_seed``."""
    return np.random.default_rng(device_seed(seed, asset_id))


def check_fault(device: SimulatedDevice, fault: str) -> None:
    """Refuse a fault that the device cannot suffer.

    Raises:
        ValueError: It is none of ``device.faults``.
    """
    if fault not in device.faults:
        raise ValueError(f"{device.asset_id} cannot suffer {fault!r}; it can suffer {', '.join(sorted(device.faults))}")
