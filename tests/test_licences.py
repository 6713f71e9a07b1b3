"""Licences are found wherever packages state them, and a package without one is an error."""

from __future__ import annotations

from email.message import Message
from importlib.metadata import Distribution
from typing import Any

import pytest

from runs import licences


class Made(Distribution):
    """A package with this metadata."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self.message = Message()
        for name, value in fields:
            self.message[name] = value

    @property
    def metadata(self) -> Any:
        return self.message

    @property
    def requires(self) -> list[str]:
        return self.message.get_all("Requires-Dist", [])

    @property
    def version(self) -> str:
        return "1"

    def read_text(self, filename: str) -> None: ...

    def locate_file(self, path: Any) -> Any: ...


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ([("License-Expression", "MIT"), ("License", "other")], "MIT"),
        ([("Classifier", "License :: OSI Approved :: BSD License")], "BSD License"),
        ([("License", "ISC")], "ISC"),
        ([("License", "MIT License\n\nCopyright " + "x" * 100)], "MIT License"),
        ([("Classifier", "Topic :: Sound")], ""),
    ],
)
def test_a_licence_is_found_where_it_is_stated(fields: list[tuple[str, str]], licence: str) -> None:
    assert licences.licence_of(Made(fields)) == licence


def test_all_that_is_needed_and_no_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    packages = {
        "tonearm": ["A_b>=1", "c; extra == 'serve'"],
        "a-b": ["d.e[fast]>2", "tonearm"],
        "d-e": ["x; extra == 'fast'"],
        "c": [],
    }

    def made(name: str) -> Made:
        licence = [] if name == "c" else [("License", "MIT")]
        return Made([*licence, *(("Requires-Dist", each) for each in packages[name])])

    monkeypatch.setattr(licences, "distribution", made)
    assert list(licences.closure("tonearm", ())) == ["a-b", "d-e"]
    assert list(licences.closure("tonearm", ["serve"])) == ["a-b", "c", "d-e"]
    assert licences.main([]) == 0
    assert licences.main(["--extra", "serve"]) == 1
    assert "| c | 1 | **not stated** |" in capsys.readouterr().out
