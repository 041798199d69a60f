"""The rules kernel through numba: the same source, made fast where numba is installed (``watchkeeper[fast]``)."""

from __future__ import annotations

import functools
import importlib
from typing import Any

from facility.samples import SampleBatch
from rules import kernel
from rules.columns import allocate, batch_of
from rules.layout import Kernel


@functools.cache
def compiled() -> Kernel | None:
    """Return the compiled kernel, or ``None`` where numba is absent or does not load.

    The first call of a process takes about a second; the first on a machine some seconds, which numba's cache saves
    later ones.
    """
    try:
        numba: Any = importlib.import_module("numba")
        extending: Any = importlib.import_module("numba.extending")
    except ImportError:
        return None
    for helper in kernel.HELPERS:
        # The loop over quiet samples keeps all it needs in registers as long as nothing else is in its function.
        extending.register_jitable(forceinline=helper is not kernel.pass_quiet)(helper)
    columns = numba.typeof(allocate(keys=1, rows=1, shapes=1, ranges=1, records=1))
    batch = numba.typeof(batch_of(SampleBatch.of([])))
    return Kernel(
        scan=_jit(numba, kernel.scan, numba.int64(batch, columns, numba.int64)),
        sweep=_jit(numba, kernel.sweep, numba.int64(columns, numba.int64, numba.int64)),
    )


def _jit(numba: Any, function: Any, signature: Any) -> Any:  # noqa: ANN401  # numba has no types
    try:
        return numba.njit(signature, cache=True, _nrt=False)(function)
    except RuntimeError:  # no writable folder for the cache: compile for this process alone
        return numba.njit(signature)(function)
