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


def test_a_stream_of_events_has_no_type(described):
    """An object would have generated clients parse the stream as JSON, a text is no event."""
    content = described["paths"]["/api/v1/events"]["get"]["responses"]["200"]["content"]
    assert {kind: "type" in value["schema"] for kind, value in content.items()} == {
        "text/event-stream": False
    }


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


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    from fastapi.testclient import TestClient

    app = create_app(tmp_path_factory.mktemp("none") / "library.sqlite")
    with TestClient(app, base_url="http://127.0.0.1:8137/api/v1") as client:
        yield client


SAID = '{"ids": [1], "verdict": "accept"}'
JSON = "application/json"


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("application/x-www-form-urlencoded", SAID, "add `Content-Type: application/json`"),
        (None, SAID, "add `Content-Type: application/json`"),
        (JSON, '{"ids": [1], "verdict"', "body: not valid JSON: Expecting ':' delimiter, at ch"),
        (JSON, '{"ids": [1]}', "verdict: Field required"),
        (JSON, "[1]", "body: Input should be"),
        (JSON, None, "body: Field required"),
        (JSON, SAID.replace("accept", 'change", "genre": "a;b'), "genre: must not hold any of ; ,"),
    ],
)
def test_a_wrong_body_is_explained(kind, body, words, client):
    headers = {"Content-Type": kind} if kind else {}
    answer = client.post("review", content=body, headers=headers)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert "pattern" not in answer.json()["detail"]


def test_a_wrong_number_of_windows_is_explained(client):
    answer = client.post("predict?windows=0", files={"file": b"x"})
    assert answer.json()["detail"] == "windows: must be a whole number from 1 to 999999, or all"


@pytest.mark.parametrize("call", ["review/undo", "tags/plan", "playlist"])
def test_a_body_of_which_nothing_is_needed_may_be_left_out(call, client):
    assert client.post(call).json().get("kind") != "invalid"


def test_every_json_answer_has_the_version(described):
    for name, operation in operations(described):
        for answer in operation["responses"].values():
            content = answer.get("content", {}).get("application/json")
            if content:
                assert "schema" in content["example"], name
