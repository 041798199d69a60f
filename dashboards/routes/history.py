"""What was measured: the samples of points, raw, gathered, and to take away."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Query
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from dashboards.access import ServicesDep, ViewerDep
from dashboards.history_schemas import BucketsView
from dashboards.routes.facility import require_point
from dashboards.schemas import HistoryView
from dashboards.spans import Millis
from dashboards.views import number_or_none
from facility.clock import NS_PER_MS, NS_PER_S
from facility.errors import InvalidCommandError
from facility.history.export import Export, ExportedPoint, ExportForm
from facility.samples import SampleBatch

router = APIRouter(prefix="/api", tags=["history"])

SAMPLES: Final = 100_000
"""The most samples that one answer carries; an export carries any number."""
BUCKETS: Final = 5_000
"""The most stretches that one answer carries."""
EXPORTED_POINTS: Final = 1_000
"""The most points of one export."""
MEDIA_TYPES: Final = {
    ExportForm.CSV: "text/csv; charset=utf-8",
    ExportForm.PARQUET: "application/vnd.apache.parquet",
}


@router.get("/points/{key}/history")
def point_history(
    key: int, services: ServicesDep, _viewer: ViewerDep, seconds: Annotated[float, Query(gt=0, le=86_400)] = 3_600
) -> HistoryView:
    """Return a point's newest samples as columns."""
    require_point(services, key)
    now_ns = services.clock.now_ns()
    return _view(services.history.read(key, now_ns - round(seconds * NS_PER_S), now_ns + NS_PER_S, SAMPLES))


@router.get("/points/{key}/samples")
def point_samples(
    key: int,
    services: ServicesDep,
    _viewer: ViewerDep,
    from_ms: Millis,
    to_ms: Millis,
    limit: Annotated[int, Query(ge=1, le=SAMPLES)] = SAMPLES,
) -> HistoryView:
    """Return a point's samples from one instant to before another as columns; of more than the limit, the newest."""
    require_point(services, key)
    start_ns, end_ns = _period(from_ms, to_ms)
    return _view(services.history.read(key, start_ns, end_ns, limit))


@router.get("/points/{key}/buckets")
def point_buckets(
    key: int,
    services: ServicesDep,
    _viewer: ViewerDep,
    from_ms: Millis,
    to_ms: Millis,
    count: Annotated[int, Query(ge=1, le=BUCKETS)] = 500,
) -> BucketsView:
    """Return a point's samples of a period, gathered into so many equal stretches."""
    require_point(services, key)
    buckets = services.history.buckets(key, *_period(from_ms, to_ms), count)
    return BucketsView(
        time_ms=(buckets.start_ns // NS_PER_MS).tolist(),
        minimum=_numbers(buckets.minimum),
        maximum=_numbers(buckets.maximum),
        mean=_numbers(buckets.mean),
        last=_numbers(buckets.last),
        good=buckets.good.tolist(),
        count=buckets.count.tolist(),
    )


@router.get(
    "/history/export",
    response_class=FileResponse,
    responses={200: {"content": {media_type: {} for media_type in MEDIA_TYPES.values()}}},
)
def export(
    services: ServicesDep,
    _viewer: ViewerDep,
    point: Annotated[list[int], Query(min_length=1, max_length=EXPORTED_POINTS)],
    from_ms: Millis,
    to_ms: Millis,
    form: Annotated[ExportForm, Query(alias="format")] = ExportForm.CSV,
) -> FileResponse:
    """Return a file of all samples of some points and a period, by point and time."""
    for key in point:
        require_point(services, key)
    period = _period(from_ms, to_ms)
    points = [ExportedPoint.of(services.facility.ever.points[key]) for key in sorted(set(point))]
    with _folder_until_sent() as (folder, sent):
        file = folder / f"watchkeeper-history.{form}"
        services.history.export(Export(points, *period, form), file)
        return FileResponse(file, media_type=MEDIA_TYPES[form], filename=file.name, background=sent)


@contextmanager
def _folder_until_sent() -> Iterator[tuple[Path, BackgroundTask]]:
    """Give a folder, and the task that removes it once the answer was sent; at once when there will be none."""
    folder = tempfile.TemporaryDirectory(prefix="watchkeeper-export-")
    try:
        yield Path(folder.name), BackgroundTask(folder.cleanup)
    except BaseException:
        folder.cleanup()
        raise


def _period(from_ms: int, to_ms: int) -> tuple[int, int]:
    """Return a period in nanoseconds.

    Raises:
        InvalidCommandError: It ends before it begins.
    """
    if to_ms <= from_ms:
        raise InvalidCommandError("The period is empty. Let to_ms be later than from_ms.")
    return from_ms * NS_PER_MS, to_ms * NS_PER_MS


def _view(samples: SampleBatch) -> HistoryView:
    return HistoryView(
        time_ms=(samples.source_time_ns // NS_PER_MS).tolist(),
        value=_numbers(samples.value),
        quality=samples.quality.tolist(),
    )


def _numbers(column: npt.NDArray[np.float64]) -> list[float | None]:
    return [number_or_none(value) for value in column.tolist()]
