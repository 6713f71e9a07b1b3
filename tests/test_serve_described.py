"""``/openapi.json``: valid, and every call with models, examples that fit them, and its errors."""

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")
jsonschema = pytest.importorskip("jsonschema")

from tonearm.serve.app import create_app


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    return create_app(tmp_path_factory.mktemp("none") / "library.sqlite").openapi()


def operations(described):
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def fits(value, schema, described):
    """References point into the whole description."""
    whole = {**schema, "components": described["components"]}
    jsonschema.Draft202012Validator(whole).validate(value)


def test_it_is_a_valid_description(described):
    pytest.importorskip("openapi_spec_validator").validate(described)


def test_every_success_has_a_model_and_an_example_that_fits(described):
    seen = 0
    for name, operation in operations(described):
        for code, answer in operation["responses"].items():
            if not code.startswith("2") or code == "204":
                continue
            assert answer["content"], (name, code)
            for kind, content in answer["content"].items():
                assert content["schema"], (name, code, kind)
                if kind == "application/json":
                    fits(content["example"], content["schema"], described)
                    seen += 1
    assert seen > 30


def test_every_body_has_an_example_that_the_server_would_take(described):
    for name, operation in operations(described):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content:
            assert content["example"] is not None, name
            fits(content["example"], content["schema"], described)


def test_every_call_declares_its_errors_as_problems(described):
    for name, operation in operations(described):
        for code in ("400", "401", "403", "404", "409", "422", "503"):
            (kind, content), *none = operation["responses"][code]["content"].items()
            assert kind == "application/problem+json" and not none, (name, code)
            fits(content["example"], content["schema"], described)
            assert content["example"]["status"] == int(code), (name, code)


def test_no_reference_leads_nowhere(described):
    """A part of the published schema of predictions may refer to its own file alone."""
    names = set(described["components"]["schemas"])

    def walk(value):
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                assert value["$ref"].removeprefix("#/components/schemas/") in names
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    walk(described)
