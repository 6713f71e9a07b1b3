"""What messages advise must work where Tonearm is installed."""

from __future__ import annotations

import importlib.metadata

import pytest

from tonearm.errors import pip_install


class Installed:
    """A distribution as pip describes it."""

    def __init__(self, direct_url):
        self._direct_url = direct_url

    def read_text(self, name):
        assert name == "direct_url.json"
        return self._direct_url


@pytest.mark.parametrize("name", ["a folder", "tonearm-1-py3-none-any.whl"])
def test_an_extra_is_added_to_what_was_installed(tmp_path, monkeypatch, name):
    source = tmp_path / name
    source.touch()
    found = Installed(f'{{"url": "{source.as_uri()}"}}')
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: found)
    assert pip_install("ray") == f"pip install '{source}[ray]'"
    source.unlink()  # as after an installation from a copy that is thrown away
    assert pip_install("ray") == "pip install 'tonearm[ray]'"


@pytest.mark.parametrize("direct_url", [None, "{}", '{"url": "https://example.org/x.whl"}'])
def test_what_came_from_an_index_is_named(monkeypatch, direct_url):
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: Installed(direct_url))
    assert pip_install("serve") == "pip install 'tonearm[serve]'"
