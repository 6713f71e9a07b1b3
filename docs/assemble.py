"""Gather the pages of the documentation site for MkDocs (`make docs`).

    python docs/assemble.py build/site-source

The command reference, the HTTP API and the JSON Schema come from the program. Links between files
of the repository become links between pages; links to other files become plain text.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from http_page import http_page

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
# Pages that live elsewhere in the repository.
ELSEWHERE = {
    "tonearm/weights/MODEL_CARD.md": "model-card.md",
    "tonearm/model/prediction.schema.json": "reference/schema.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "runs/README.md": "runs.md",
    "examples/README.md": "examples.md",
    "README.md": "index.md",
}
# Pages that are made of the program: no file of the repository.
MADE = ("docs/reference/commands.md", "docs/reference/http.md")
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def gather(target: Path) -> None:
    """Write every page below ``target`` again."""
    shutil.rmtree(target, ignore_errors=True)
    for path in sorted(DOCS.rglob("*")):
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            place = path.relative_to(DOCS).as_posix()
            (target / place).parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".md":
                text = relinked(path.read_text(encoding="utf-8"), path, place)
                (target / place).write_text(text, encoding="utf-8")
            else:
                shutil.copy(path, target / place)
    for source, place in ELSEWHERE.items():
        path = ROOT / source
        if place.startswith("reference/") or place == "index.md" or not path.exists():
            continue
        text = relinked(path.read_text(encoding="utf-8"), path, place)
        (target / place).write_text(text, encoding="utf-8")
    reference = target / "reference"
    (reference / "commands.md").write_text(command_page(), encoding="utf-8")
    (reference / "schema.md").write_text(schema_page(), encoding="utf-8")
    # As a file too, which validators load by its address.
    shutil.copy(schema_file(), reference)
    (reference / "http.md").write_text(http_page(http_description()), encoding="utf-8")


def relinked(text: str, source: Path, place: str) -> str:
    """A page whose links between files of the repository lead to pages of the site."""

    def replaced(match: re.Match[str]) -> str:
        picture, words, link = match.groups()
        parts = urlsplit(link)
        if parts.scheme or parts.netloc or not parts.path:
            return match[0]
        file = Path(os.path.normpath(source.parent / unquote(parts.path)))
        name = file.relative_to(ROOT).as_posix()
        if not file.exists() and name not in MADE:
            raise SystemExit(f"{source.relative_to(ROOT)}: {link} leads to no file")
        new = ELSEWHERE.get(name) or (
            name.removeprefix("docs/") if name.startswith("docs/") else ""
        )
        if not new or file.is_dir():
            return match[0] if picture else f"{words} (`{name}`)"
        link = os.path.relpath(new, os.path.dirname(place) or ".")
        return f"{picture}[{words}]({link}{'#' + parts.fragment if parts.fragment else ''})"

    return _LINK.sub(replaced, text)


def command_page() -> str:
    """Every command and option, from the program."""
    from tonearm.cli.app import app
    from tonearm.cli.manual import markdown
    from tonearm.cli.reference import pages

    return markdown(pages(app))


def schema_page() -> str:
    """The JSON Schema of a result: its keys as a table, and the schema itself."""
    file = schema_file()
    schema = json.loads(file.read_text(encoding="utf-8"))
    lines = [
        "# JSON Schema",
        "",
        schema["description"],
        "",
        f"As a file: [{file.name}]({file.name})",
    ]
    lines.append("")
    for name in ("prediction", "failure"):
        part = schema["$defs"][name]
        lines += [f"## {name.capitalize()}", "", "| key | always | content |", "|---|---|---|"]
        for key, value in part["properties"].items():
            always = "yes" if key in part["required"] else "no"
            lines.append(f"| `{key}` | {always} | {value.get('description', _kind(value))} |")
        lines.append("")
    text = file.read_text(encoding="utf-8").rstrip()
    return "\n".join([*lines, "## The schema", "", "```json", text, "```", ""])


def schema_file() -> Path:
    """The JSON Schema in the program."""
    from tonearm.model.prediction import SCHEMA_FILE

    return SCHEMA_FILE


def _kind(value: dict[str, Any]) -> str:
    if "const" in value:
        return f"`{value['const']}`"
    kinds = value.get("type", "object")
    return f"{' or '.join([kinds] if isinstance(kinds, str) else kinds)}"


def http_description() -> dict[str, Any]:
    """The description of the HTTP API that the server itself gives."""
    from tonearm.serve.app import create_app

    with tempfile.TemporaryDirectory() as folder:
        return create_app(Path(folder) / "library.sqlite").openapi()


if __name__ == "__main__":
    gather(Path(sys.argv[1]))
