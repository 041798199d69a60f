"""Logs as events with fields: readable on a terminal, JSON elsewhere; errors are counted."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

QUIET = ("uvicorn", "amqtt", "transitions", "bacpypes3", "pymodbus", "asyncio")
"""Libraries whose own word is wanted only when something is wrong."""


class ErrorCount:
    """A structlog processor that counts what is logged as an error."""

    def __init__(self) -> None:
        self.errors = 0

    def __call__(self, _logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Count, and pass the event on unchanged."""
        if method in {"error", "exception", "critical"}:
            self.errors += 1
        return event


def configure_logs(level: int = logging.WARNING) -> ErrorCount:
    """Send all logs from a level up, our own and the libraries', to standard error; return the counter of errors."""
    errors = ErrorCount()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, errors],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            renderer,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            errors,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    return errors
