"""The API against its own description: no request makes it fail, or answer anything but JSON."""

import shutil
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")
schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance
from support.serving import fill_library, served

from tonearm.library.file_analysis import load_embed
from tonearm.library.file_tags import file_tags
from tonearm.library.scan import scan
from tonearm.library.store import Library
from tonearm.model import file as model_file
from tonearm.serve.app import create_app

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    path = folder / "library.sqlite"
    shutil.copy(EXAMPLES / "midnight_walk.mp3", folder)
    with Library(path, write=True) as library:
        embed = partial(load_embed, None)
        model = model_file.load(None)
        scan(library, [folder], model=model, make_embed=embed, read_tags=file_tags, jobs=1)
    fill_library(path, 50)
    with served(path) as address:
        yield schemathesis.openapi.from_url(f"{address}/openapi.json")


OPERATIONS = [
    (method, path)
    for path, methods in create_app("none.sqlite").openapi()["paths"].items()
    for method in methods
]


CHECKS = [not_a_server_error, response_schema_conformance, status_code_conformance]


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_request_makes_it_fail(api, method, path):
    # Schemathesis 4.32's own plugin does not know pytest 9's subtests.
    @settings(
        max_examples=20,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=api[path][method].as_strategy())
    def check(case):
        response = case.call_and_validate(checks=CHECKS)
        if response.status_code >= 400:
            assert response.headers["content-type"][0] == "application/problem+json"
            assert {"type", "title", "status", "detail", "kind"} <= set(response.json())

    check()
