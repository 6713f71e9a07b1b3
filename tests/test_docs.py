"""The documentation: its commands exist, its links lead somewhere, the tests it names are there."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tonearm.cli.app import app
from tonearm.cli.reference import pages

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))
import assemble  # noqa: E402
import check_site  # noqa: E402
import hooks  # noqa: E402

GUIDES = sorted(
    path
    for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
    if "experiments" not in path.parts and not path.name.startswith("experiments")
)
COMMANDS = {page.name: page for page in pages(app)}


def typed(text: str) -> Iterator[list[str]]:
    """What readers would type: lines of code blocks, and code within sentences and tables."""
    for block in re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r" [|&;]+ |&& ", line.split("  #")[0].removeprefix("    ")):
                if part.lstrip("$ ").startswith("tonearm "):
                    yield shlex.split(part.lstrip("$ "), posix=False)
    for code in re.findall(r"`(tonearm [^`\n]+)`", text):
        yield code.split()


def wrong(words: list[str]) -> str | None:
    """Why the program would not understand it; None if it would."""
    if len(words) == 1:
        return None
    name = next((word for word in words[1:] if not word.startswith("-")), None)
    # A command may have two words.
    named = COMMANDS.get(" ".join(words[1:3])) or COMMANDS.get(str(name))
    page = COMMANDS["tonearm"] if words[1].startswith("-") else named
    if page is None:
        return f"no command {name}" if str(name).isalpha() and str(name).islower() else None
    known = {option for entry in page.options for option in entry.names}
    for word in words[1:]:
        option = word.split("=")[0].rstrip(",.)")
        if re.fullmatch(r"--[a-z][a-z-]+|-[a-zA-Z]", option) and option not in known:
            return f"{page.name} has no option {option}"
    return None


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_in_guides_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    faults = [f"{' '.join(words)}: {fault}" for words in typed(text) if (fault := wrong(words))]
    assert not faults, "\n".join(faults)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with an environment as index.md has it, whose program notes how it is called."""
    program = tmp_path / "tonearm" / "bin" / "tonearm"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "tonearm $*" >> "$HOME/calls"\n')
    program.chmod(0o755)
    return tmp_path


@pytest.mark.skipif(os.name == "nt", reason="cron and systemd are of other systems")
def test_the_line_for_cron_works_as_it_is_pasted(home: Path) -> None:
    text = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^```\n((?:[\d*]+ ){5}.*)\n```$", text, re.MULTILINE)
    assert "python3 -m venv ~/tonearm " in (ROOT / "docs" / "index.md").read_text("utf-8")
    # As cron runs it: by sh, with two variables of its own.
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    command = line.split(None, 5)[5].partition("%")[0]  # where cron would cut it
    subprocess.run(["/bin/sh", "-c", command], env=environment, check=True)
    assert (home / "calls").read_text().splitlines() == [
        "tonearm scan --quiet",
        "tonearm tag --write",
    ]


def test_units_for_systemd_are_valid(home: Path) -> None:
    text = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    units = re.findall(r"^```ini\n# ~/.config/systemd/user/(\S+)\n(.*?)^```", text, re.M | re.S)
    assert sorted(name for name, _ in units) == [
        "tonearm-nightly.service",
        "tonearm-nightly.timer",
        "tonearm.service",
    ]
    started = re.findall(r"^ExecStart=-?%h/tonearm/bin/(.*)", text, re.MULTILINE)
    assert len(started) == 3 and not [fault for call in started if (fault := wrong(call.split()))]
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for name, content in units:
        (home / name).write_text(content.replace("%h", str(home)))
    command = ["systemd-analyze", "verify", *(str(home / name) for name, _ in units)]
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    assert not [line for line in ran.stderr.splitlines() if "tonearm" in line], ran.stderr


def test_a_command_that_does_not_exist_is_noticed() -> None:
    block = "```\n$ tonearm predict a.mp3 --loudly  # what\ntonearm dance | head\n```\n"
    text = f"{block}and `tonearm tag --writ`"
    assert [wrong(words) for words in typed(text)] == [
        "predict has no option --loudly",
        "no command dance",
        "tag has no option --writ",
    ]


def test_every_test_that_trust_names_is_there() -> None:
    text = (ROOT / "docs" / "trust.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:tests|runs|docs)/[\w/]+\.py)`", text))
    assert len(named) > 20
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_links_between_files_become_links_between_pages() -> None:
    def relinked(link: str, source: str, place: str) -> str:
        return assemble.relinked(f"[x]({link})", ROOT / source, place)

    assert relinked("../runs/README.md", "docs/trust.md", "trust.md") == "[x](runs.md)"
    assert relinked("../library.md#tags", "docs/start/library.md", "start/library.md") == (
        "[x](../library.md#tags)"
    )
    assert relinked("docs/page.md", "CONTRIBUTING.md", "contributing.md") == "[x](page.md)"
    assert relinked("../LICENSE", "docs/trust.md", "trust.md") == "x (`LICENSE`)"
    assert relinked("https://a.b/c", "docs/trust.md", "trust.md") == "[x](https://a.b/c)"
    with pytest.raises(SystemExit, match="leads to no file"):
        relinked("nothing.md", "docs/trust.md", "trust.md")


def test_all_links_of_all_pages(tmp_path: Path) -> None:
    pytest.importorskip("fastapi", reason="the page of the HTTP API needs it")
    assemble.gather(tmp_path / "pages")
    held = {path.relative_to(tmp_path / "pages").as_posix() for path in tmp_path.rglob("*.md")}
    in_nav = set(re.findall(r"([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert in_nav <= held, f"not there: {sorted(in_nav - held)}"
    # Experiments come and go; experiments.md links to each.
    hidden = {name for name in held - in_nav if not name.startswith("experiments/")}
    assert not hidden, f"nobody finds {sorted(hidden)}"
    from tonearm.model.prediction import SCHEMA_FILE
    from tonearm.serve.predict import PATH

    # A validator loads it by its address, which no page is.
    published = tmp_path / "pages" / "reference" / SCHEMA_FILE.name
    assert published.read_bytes() == SCHEMA_FILE.read_bytes()
    assert f"]({SCHEMA_FILE.name})" in published.with_name("schema.md").read_text("utf-8")
    http = (tmp_path / "pages" / "reference" / "http.md").read_text(encoding="utf-8")
    assert f"## POST {PATH}" in http


def test_the_page_of_the_http_api_is_enough_to_call_it(tmp_path: Path) -> None:
    """Parameters, bodies, answers, and an example that the server takes, of every call."""
    pytest.importorskip("fastapi", reason="the page of the HTTP API needs it")
    from fastapi.testclient import TestClient

    from tonearm.serve.app import create_app

    app = create_app(tmp_path / "l.sqlite")
    described = app.openapi()
    page = assemble.http_page(described)
    schemas = described["components"]["schemas"]
    sections = dict(re.findall(r"^## (\S+ \S+)\n(.*?)(?=^## )", page, re.MULTILINE | re.DOTALL))
    with TestClient(app, base_url="http://127.0.0.1:8137") as client:
        for address, operations in described["paths"].items():
            for method, operation in operations.items():
                section = sections[f"{method.upper()} {address}"]
                (call,) = re.findall(r"^curl .*$", section, re.MULTILINE)
                words = [each["name"] for each in operation.get("parameters", ())]
                body = operation.get("requestBody", {}).get("content", {}).get("application/json")
                if body:
                    named = body["schema"].get("anyOf", [body["schema"]])[0]["$ref"]
                    words += schemas[named.rpartition("/")[2]].get("properties", ())
                    sent = json.loads(shlex.split(call)[shlex.split(call).index("-d") + 1])
                    answer = client.request(method, address, json=sent)
                    assert answer.json().get("kind") != "invalid", (call, answer.text)
                assert not [word for word in words if f"| `{word}` |" not in section]
                good = [status for status in operation["responses"] if int(status) < 400]
                assert not [status for status in good if f"**{status}**" not in section]
    links = set(re.findall(r"\]\(#([a-z]+)\)", page))
    assert links <= {title.lower() for title in re.findall(r"^### (\w+)$", page, re.MULTILINE)}
    assert "| 409 |" in page


def test_sphinx_roles_become_plain_code() -> None:
    html = "see :class:<code>~tonearm.database.Database</code>, <code>x</code>"
    assert hooks.on_page_content(html) == (
        "see <code>tonearm.database.Database</code>, <code>x</code>"
    )


def test_faults_of_a_site_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<link rel="canonical" href="https://a.b/a.html"><h1 id="top">x</h1>'
        '<script src="https://cdn.example/x.js"></script>'
        '<a href="b.html">x</a><a href="#top">x</a><a href="#gone">x</a><a href="c.html#y">x</a>'
    )
    (tmp_path / "c.html").write_text('<p id="y"></p>')
    (tmp_path / "a.css").write_text("@font-face { src: url('https://fonts.example/x.woff2') }")
    assert list(check_site.check(tmp_path)) == [
        "a.html loads https://cdn.example/x.js",
        "a.html links to b.html, which is not there",
        "a.html links to #gone, which has no such place",
        "a.css loads https://fonts.example/x.woff2",
    ]


def test_no_conflict_was_merged_unresolved() -> None:
    texts = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "tonearm").rglob("*.js")]
    assert texts
    for path in texts:
        found = re.search(r"^(<{7}|>{7}) ", path.read_text(encoding="utf-8"), re.M)
        assert found is None, path
