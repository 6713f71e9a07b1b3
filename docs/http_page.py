"""The reference of the HTTP API as a page, from the description that the server itself gives."""

from __future__ import annotations

import json
import shlex
from typing import Any

Schema = dict[str, Any]
_SERVER = "http://127.0.0.1:8137"
_PLACES = {"number": "1", "name": "midnight_walk.mp3"}
_JSON = "application/json"
_INTRO = """# HTTP API

Of `tonearm serve`; it gives the same as `/openapi.json`. A body that is JSON is sent with the
header `Content-Type: application/json`. With a token, each call has `Authorization: Bearer TOKEN`.
[The page](../page.md#the-api) has clients in Python and JavaScript.
"""
_PROBLEMS = """## Errors

Every call may give these, as `application/problem+json`: `status`, `title`, `detail` (a sentence
for people) and `kind` (a word for programs, here the usual one).

| status | `kind` | |
|---|---|---|"""


def http_page(document: Schema) -> str:
    """Every call: parameters, body, answers and an example; the errors; the parts of bodies.

    Parameters
    ----------
    document : dict
        What ``/openapi.json`` gives.
    """
    schemas = document["components"]["schemas"]
    calls = [
        (method, address, operation)
        for address, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    lines = [_INTRO]
    named: list[str] = []  # what calls refer to, in the order of the page
    for method, address, operation in calls:
        lines += _call(method, address, operation, schemas, named)
    lines += _errors(calls[0][2])
    lines += ["## Parts", "", "What bodies and answers consist of.", ""]
    for name in named:  # grows: a part may name others
        if name in schemas:
            lines += [f"### {name}", "", *_fields(schemas[name], schemas, named), ""]
    return "\n".join(lines)


def _call(
    method: str, address: str, operation: Schema, schemas: Schema, named: list[str]
) -> list[str]:
    lines = [f"## {method.upper()} {address}", "", f"{operation['summary']}.", ""]
    lines += [" ".join(operation.get("description", "").split()), ""]
    parameters = operation.get("parameters", [])
    if parameters:
        lines += ["| parameter | in | type | default | |", "|---|---|---|---|---|"]
        for each in parameters:
            schema = each["schema"]
            default = "required" if each.get("required") else _value(schema.get("default"))
            words = each.get("description", "")
            kind = _kind(schema, named)
            lines.append(f"| `{each['name']}` | {each['in']} | {kind} | {default} | {words} |")
        lines.append("")
    body = operation.get("requestBody")
    if body:
        lines += _body(body, schemas, named)
    lines += ["```", _curl(method, address, operation), "```", ""]
    for status, answer in operation["responses"].items():
        if int(status) < 400:
            lines += _answer(status, answer, schemas, named)
    return lines


def _body(body: Schema, schemas: Schema, named: list[str]) -> list[str]:
    content = body["content"]
    left_out = "" if body.get("required") else " It may be left out."
    if _JSON not in content:
        kinds = ", ".join(f"`{kind}`" for kind in content)
        return [f"**Body**: the file, as one of {kinds}.{left_out}", ""]
    schema = content[_JSON]["schema"]
    fields = _fields(schema, schemas, named, needed="required")
    return [f"**Body**, JSON.{left_out}", "", *fields, ""]


def _answer(status: str, answer: Schema, schemas: Schema, named: list[str]) -> list[str]:
    content = answer.get("content", {})
    words = answer.get("description", "")
    said = "" if words == "Successful Response" else f": {words[:1].lower()}{words[1:]}"
    if _JSON not in content:
        kinds = " or ".join(f"`{kind}`" for kind in content) or "no body"
        return [f"**{status}**{said}, {kinds}.", ""]
    schema, example = content[_JSON].get("schema", {}), content[_JSON].get("example")
    lines = [f"**{status}**{said}, JSON.", ""]
    lines += [*_fields(schema, schemas, named), ""]
    if example is not None:
        lines += ["```json", _pretty(example), "```", ""]
    return lines


def _fields(schema: Schema, schemas: Schema, named: list[str], needed: str = "") -> list[str]:
    """A table of the keys of an object; what is no object, in words."""
    if "anyOf" in schema:  # one form, or null
        schema = schema["anyOf"][0]
    schema = schemas[_last(schema["$ref"])] if "$ref" in schema else schema
    if "oneOf" in schema:
        return ["An object of the [JSON Schema](schema.md)."]
    words = " ".join(schema.get("description", "").split())
    fields = schema.get("properties")
    if not fields:
        return [words or _kind(schema, named)]
    lines = [words, "", "| key | type | default | |", "|---|---|---|---|"]
    for key, each in fields.items():
        default = needed if key in schema.get("required", ()) else _value(each.get("default"))
        text = " ".join(each.get("description", "").split())
        lines.append(f"| `{key}` | {_kind(each, named)} | {default} | {text} |")
    return lines


def _kind(schema: Schema, named: list[str]) -> str:
    """The type of a value, in words; parts become links, and are noted."""
    if "$ref" in schema:
        name = _last(schema["$ref"])
        if name not in named:
            named.append(name)
        return f"[{name}](#{name.lower()})"
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(_kind(each, named) for each in schema[key]))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum") or [schema["const"]])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}), named)}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object: name to {_kind(schema['additionalProperties'], named)}"
    kinds = [kind] if isinstance(kind, str) else kind
    least, most = schema.get("minimum"), schema.get("maximum")
    # The largest whole number that SQLite holds is no bound that anybody meets.
    bounds = [f"from {least:g}"] if least is not None else []
    bounds += [f"to {most:,g}"] if most is not None and most < 1e15 else []
    return " ".join([" or ".join(kinds), *bounds])


def _curl(method: str, address: str, operation: Schema) -> str:
    """The call as a line for a terminal."""
    for name, value in _PLACES.items():
        address = address.replace(f"{{{name}}}", value)
    words = ["curl", *([] if method in ("get", "post") else ["-X", method.upper()])]
    content = operation.get("requestBody", {}).get("content", {})
    if _JSON in content:
        text = json.dumps(content[_JSON]["example"], ensure_ascii=False)
        words += ["-H", "Content-Type: application/json", "-d", text]
    elif content:
        words += ["-F", "file=@song.mp3"]
    elif method == "post":
        words += ["-X", "POST"]
    return shlex.join([*words, _SERVER + address])


def _errors(operation: Schema) -> list[str]:
    rows = [
        f"| {status} | `{answer['content']['application/problem+json']['example']['kind']}`"
        f" | {answer['description']} |"
        for status, answer in sorted(operation["responses"].items())
        if int(status) >= 400
    ]
    return [_PROBLEMS, *rows, ""]


def _pretty(example: object) -> str:
    short = json.dumps(example, ensure_ascii=False)
    return short if len(short) <= 100 else json.dumps(example, ensure_ascii=False, indent=1)


def _value(value: object) -> str:
    return "" if value is None or value == "" else f"`{json.dumps(value, ensure_ascii=False)}`"


def _last(reference: str) -> str:
    return reference.rpartition("/")[2]
