"""What is asked and how it is described: unknown parameters are refused, errors are declared."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from tonearm.serve.examples import add_examples
from tonearm.serve.problems import kind_of, members
from tonearm.serve.schema import Problem
from tonearm.serve.track_schema import publish

_ERRORS = {
    "400": "The request cannot be understood",
    "401": "The token is missing",
    "403": "The request came from another site's page",
    "404": "Not found",
    "408": "The file arrived too slowly",
    "409": "Not possible in the current state",
    "413": "Too large",
    "415": "Wrong media type",
    "416": "No such range of bytes",
    "421": "The request was for another host",
    "422": "A value is not allowed, or the file could not be read",
    "503": "Too busy",
    "504": "The analysis took too long",
    "507": "The disk is full",
}
# What these say in most cases; the others have the word of HTTP.
_KINDS = {
    "401": "no-token",
    "403": "foreign-origin",
    "421": "foreign-host",
    "422": "unreadable",
}


def known_parameters(request: Request) -> None:
    """Refuse a query with a parameter that the route does not have: a typo must not be ignored."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return
    # From the description that clients read, so that both cannot differ.
    operation = request.app.openapi()["paths"][route.path_format][request.method.lower()]
    parameters = operation.get("parameters", ())
    known = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        fault = {
            "loc": ("query", unknown[0]),
            "msg": f"unknown; known are {', '.join(sorted(known)) or 'none'}",
            "type": "unknown",
        }
        raise RequestValidationError([fault])


def describe(app: FastAPI) -> None:
    """Let ``/openapi.json`` declare every error as problem details.

    Parameters
    ----------
    app : FastAPI
        The application with all its routes.
    """

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _described(app: FastAPI) -> dict[str, Any]:
    described = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
    )
    schemas = described["components"]["schemas"]
    schemas["Problem"] = Problem.model_json_schema()
    publish(schemas)
    # FastAPI's own forms of errors, which never leave this server.
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = {"$ref": "#/components/schemas/Problem"}
    for operations in described["paths"].values():
        for operation in operations.values():
            for status, words in _ERRORS.items():
                kind = _KINDS.get(status) or kind_of(int(status))
                example = members(int(status), kind, words)
                content = {"application/problem+json": {"schema": problem, "example": example}}
                operation["responses"][status] = {"description": words, "content": content}
    add_examples(described)
    return described
