"""Errors as RFC 9457 problem details, whoever raised them."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from dashboards.schemas import Problem
from facility.errors import WatchkeeperError

DOES_NOT_FIT = "The request does not fit"


def problem_response(status: int, title: str, detail: str) -> JSONResponse:
    """Return a problem as ``application/problem+json``."""
    problem = Problem(title=title, status=status, detail=detail)
    return JSONResponse(problem.model_dump(), status, media_type="application/problem+json")


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every error of ours, of the router and of validation as a problem."""

    @app.exception_handler(WatchkeeperError)
    def _own(_request: Request, error: WatchkeeperError) -> JSONResponse:
        return problem_response(error.status, error.title, str(error))

    @app.exception_handler(HTTPException)
    def _router(request: Request, error: HTTPException) -> JSONResponse:
        return problem_response(error.status_code, str(error.detail), f"{request.method} {request.url.path}")

    @app.exception_handler(RequestValidationError)
    def _validation(_request: Request, error: RequestValidationError) -> JSONResponse:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc'][1:]))}: {fault['msg']}" for fault in error.errors())
        return problem_response(422, DOES_NOT_FIT, faults)

    @app.exception_handler(DataError)  # PostgreSQL's
    @app.exception_handler(OverflowError)  # SQLite's
    def _unstorable(_request: Request, _error: Exception) -> JSONResponse:
        return problem_response(422, DOES_NOT_FIT, "A number or a text in it is none that the database can hold.")
