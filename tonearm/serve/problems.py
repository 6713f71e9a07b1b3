"""Answers as JSON, and errors as problem details (RFC 9457)."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tonearm.errors import DecodeError, GenreError, LibraryError, TagError, TonearmError
from tonearm.serve.schema import PATTERNS

_LOGGER = logging.getLogger("tonearm.serve")
# The first that fits counts, so the base class is last.
_STATUS: tuple[tuple[type[TonearmError], int, str], ...] = (
    (DecodeError, 422, "unreadable"),
    # A value that is not allowed, as any other of a query.
    (GenreError, 422, "invalid"),
    (LibraryError, 409, "library"),
    (TagError, 409, "tags"),
    (TonearmError, 400, "tonearm"),
)


class Json(Response):
    """JSON in UTF-8; a name that is not valid Unicode keeps its odd bytes as escapes."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """As bytes.

        Parameters
        ----------
        content : object
            Plain JSON values.
        """
        return to_bytes(content)


def to_bytes(values: object) -> bytes:
    """One line of JSON.

    Parameters
    ----------
    values : object
        Plain JSON values.
    """
    try:
        # NaN is no JSON: better an error here than in every client.
        return json.dumps(values, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:  # half a surrogate pair, as of a name in an unknown encoding
        return json.dumps(values, allow_nan=False).encode()


def problem(
    status: int, kind: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: object
) -> Json:
    """An error: ``kind`` is for programs, ``detail`` for people.

    Parameters
    ----------
    status : int
        Of HTTP.
    kind : str
        For programs: ``unreadable``, ``library`` and so on.
    detail : str
        A sentence for people.
    headers : mapping or None
        More headers.
    """
    return Json(
        {**members(status, kind, detail), **more},
        status_code=status,
        media_type="application/problem+json",
        headers=dict(headers or {}),
    )


def members(status: int, kind: str, detail: str) -> dict[str, object]:
    """What every problem has.

    Parameters
    ----------
    status : int
        Of HTTP.
    kind : str
        For programs.
    detail : str
        A sentence for people.
    """
    return {
        "type": f"urn:tonearm:problem:{kind}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "kind": kind,
    }


def kind_of(status: int) -> str:
    """The word for programs of an error that has none of its own.

    Parameters
    ----------
    status : int
        Of HTTP.
    """
    return HTTPStatus(status).phrase.lower().replace(" ", "-")


def _in_words(fault: Mapping[str, Any], *, is_json: bool) -> str:
    """A value that is not allowed: where it stands, and why."""
    place, context = fault["loc"][1:], fault.get("ctx", {})
    if fault["type"] == "json_invalid":
        return f"body: not valid JSON: {context['error']}, at character {place[0] + 1}"
    # Without that header the body is no object, whatever it holds.
    if not place and fault["loc"] == ("body",) and not is_json and fault["type"] != "missing":
        return "body: it is not sent as JSON: add `Content-Type: application/json`"
    said = PATTERNS.get(context.get("pattern", ""), fault["msg"])
    return f"{'.'.join(map(str, place)) or 'body'}: {said}"


def add_handlers(app: FastAPI) -> None:
    """Let every error of the application leave it as a problem.

    Parameters
    ----------
    app : FastAPI
        The application, before its first request.
    """

    def on_http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        kind = kind_of(error.status_code)
        return problem(error.status_code, kind, str(error.detail), headers=error.headers)

    def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        is_json = "json" in request.headers.get("content-type", "")
        words = (_in_words(fault, is_json=is_json) for fault in error.errors())
        return problem(422, "invalid", "; ".join(words))

    def on_tonearm(_: Request, error: Exception) -> Response:
        status, kind = next((s, k) for base, s, k in _STATUS if isinstance(error, base))
        # The command line's own object of a file that it could not read.
        more = error.to_dict() if isinstance(error, DecodeError) else {}
        return problem(status, kind, str(error), **more)

    def on_other(_: Request, error: Exception) -> Response:
        _LOGGER.error("a request failed", exc_info=error)
        # The type alone: a message may hold paths of the server. The log has all.
        return problem(500, "internal", f"a fault of Tonearm: {type(error).__name__}")

    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(TonearmError, on_tonearm)
    app.add_exception_handler(Exception, on_other)
