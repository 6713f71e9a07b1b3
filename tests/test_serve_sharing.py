"""Who else may use the server: pages of named sites, and people who enter the token by a form."""

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")
pytest.importorskip("httpx")

from fastapi.testclient import TestClient

from tonearm.serve.app import create_app

SITE = "https://music.example"
HEALTH = "/api/v1/health"


@pytest.fixture
def shared(tmp_path):
    app = create_app(tmp_path / "library.sqlite", token="secret word", origins=[SITE])
    with TestClient(app, base_url="http://127.0.0.1", follow_redirects=False) as client:
        yield client


def test_a_named_site_may_use_the_api_with_the_token(shared):
    cross = {"origin": SITE, "sec-fetch-site": "cross-site"}
    asked = {**cross, "access-control-request-method": "POST"}
    preflight = shared.options("/api/v1/review", headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == SITE
    assert "Authorization" in preflight.headers["access-control-allow-headers"]
    refused = shared.get(HEALTH, headers=cross)
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == SITE, "so that it can read why"
    answer = shared.get(HEALTH, headers={**cross, "authorization": "Bearer secret word"})
    assert answer.status_code == 200 and answer.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in answer.headers, "no cookie counts there"


@pytest.mark.parametrize(
    ("origin", "path"),
    [
        ("https://other.example", HEALTH),
        ("https://music.example.evil", HEALTH),
        ("http://music.example", HEALTH),
        ("null", HEALTH),
        (SITE, "/"),  # the page itself is nobody's to use
        (SITE, "/static/app.js"),
    ],
)
def test_no_other_site_and_nothing_but_the_api(shared, origin, path):
    headers = {
        "origin": origin,
        "sec-fetch-site": "cross-site",
        "authorization": "Bearer secret word",
    }
    answer = shared.get(path, headers=headers)
    assert answer.status_code == 403 and "access-control-allow-origin" not in answer.headers
    asked = {"origin": origin, "access-control-request-method": "GET"}
    assert shared.options(path, headers=asked).status_code in {401, 403}


def test_a_person_without_the_token_gets_a_form_and_enters_by_it(shared):
    asked = shared.get("/", headers={"accept": "text/html", "sec-fetch-mode": "navigate"})
    assert asked.status_code == 401 and "<form" in asked.text
    assert "hidden>This token is wrong" in asked.text
    policy = asked.headers["content-security-policy"]
    assert "form-action 'self'" in policy and "script-src 'self'" in policy
    form = {"content-type": "application/x-www-form-urlencoded", "origin": "http://127.0.0.1"}
    wrong = shared.post("/token", content="token=guess", headers=form)
    assert wrong.status_code == 401 and "hidden>This token is wrong" not in wrong.text
    entered = shared.post("/token", content="token=secret+word", headers=form)
    assert entered.status_code == 303 and entered.headers["location"] == "/"
    assert "httponly" in entered.headers["set-cookie"].lower()
    assert shared.get(HEALTH).status_code == 200


def test_programs_get_a_problem_and_the_form_is_not_for_other_sites(shared):
    for headers in ({}, {"accept": "*/*"}):
        refused = shared.get("/", headers=headers)
        assert refused.headers["content-type"] == "application/problem+json"
    refused = shared.get(HEALTH, headers={"accept": "text/html"}).json()
    shown = shared.app.openapi()["paths"][HEALTH]["get"]["responses"]["401"]["content"]
    assert refused["kind"] == shown["application/problem+json"]["example"]["kind"] == "no-token"
    foreign = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert shared.post("/token", content="token=secret+word", headers=foreign).status_code == 403
    huge = shared.post("/token", content=b"token=" + b"x" * 100_000)
    assert huge.status_code == 401
