"""An example of every answer and body in ``/openapi.json``, made from what its fields say.

A field's own example comes first, then what its type allows; so an example always fits its schema,
and no call is without one.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
_DEEPEST = 8  # a model that holds itself ends there
# Of fields that mean the same wherever they stand; their type has to fit too.
_BY_NAME: dict[str, Any] = {
    "path": "/music/Tonearm/midnight_walk.mp3",
    "folder": "Tonearm",
    "title": "Midnight Walk",
    "artist": "Tonearm",
    "album": "Examples",
    "album_artist": "Tonearm",
    "name": "midnight_walk.mp3",
    "genre": "jazz",
    "nearest": "jazz",
    "second": "blues",
    "against": "blues",
    "model": "built-in",
    "start_id": "5f0c7a1e93b2d846",
    "duration_s": 182.4,
    "started_s": 1_764_230_400.0,
    "finished_s": 1_764_230_460.0,
    "start_s": 12.0,
    "end_s": 15.0,
    "low_hz": 150.0,
    "high_hz": 420.0,
    "confidence": 0.83,
    "similarity": 0.91,
    "left_s": 42.5,
    # In keeping with the confidence above.
    "probabilities": {"jazz": 0.83, "blues": 0.17},
}


def add_examples(described: Schema) -> None:
    """Give every JSON answer and body of a description its example.

    Parameters
    ----------
    described : dict
        The description, which is changed.
    """
    schemas = described["components"]["schemas"]
    for operations in described["paths"].values():
        for operation in operations.values():
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for body in bodies:
                content = body.get("content", {}).get("application/json")
                if content and content.get("schema"):
                    content["example"] = example_of(content["schema"], schemas)


def example_of(schema: Schema, schemas: dict[str, Schema], name: str = "", depth: int = 0) -> Any:  # noqa: ANN401
    """A value that fits a schema.

    Parameters
    ----------
    schema : dict
        In JSON Schema, as ``/openapi.json`` has it.
    schemas : dict
        Those it may refer to, by name.
    name : str
        Of the field, where it is one.
    depth : int
        How many schemas this one lies in.
    """
    if "$ref" in schema:
        # What stands next to a reference narrows it.
        more = {key: value for key, value in schema.items() if key != "$ref"}
        target = schemas[schema["$ref"].rpartition("/")[2]]
        return example_of({**target, **more}, schemas, name, depth + 1)
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    for key in ("example", "const", "default"):
        if schema.get(key) is not None:
            return schema[key]
    for key in ("anyOf", "oneOf"):
        if schema.get(key):
            # The first is what there usually is; null comes last.
            return example_of(schema[key][0], schemas, name, depth + 1)
    return _of_type(schema, schemas, name, depth)


def _of_type(schema: Schema, schemas: dict[str, Schema], name: str, depth: int) -> Any:  # noqa: ANN401
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "array":
        items = schema.get("items", {})
        count = max(1, schema.get("minItems", 1))
        return [example_of(items, schemas, "", depth + 1)] * count if depth < _DEEPEST else []
    if kind == "object" or "properties" in schema:
        needed = schema.get("required", ())
        # What is there only in some answers, as the parts of a mix, would contradict the rest.
        named = {
            field: each
            for field, each in schema.get("properties", {}).items()
            if field in needed or "default" in each or not needed
        }
        values = {
            field: example_of(each, schemas, field, depth + 1) for field, each in named.items()
        }
        more = schema.get("additionalProperties")
        if not named and isinstance(_BY_NAME.get(name), dict):
            values = dict(_BY_NAME[name])
        elif not named and isinstance(more, dict):
            values["jazz"] = example_of(more, schemas, "", depth + 1)
            if schema.get("minProperties", 1) > 1:
                values["blues"] = values["jazz"]
        return values
    known = _BY_NAME.get(name)
    if (kind == "string" and isinstance(known, str)) or (kind == "number" and known):
        return known
    least = int(schema.get("minimum", 1))
    return {"integer": least, "number": 0.5, "boolean": True, "null": None}.get(
        kind or "string", "text"
    )
