"""Fixtures of the tests in a browser: Chromium, a page that must not complain, and libraries."""

from __future__ import annotations

import re
import shutil
from functools import partial

import pytest

from support.serving import (
    CHROMIUM,
    CHROMIUM_ARGUMENTS,
    fill_library,
    fill_with_files,
    served,
)
from tonearm.library.file_analysis import load_embed
from tonearm.library.file_tags import file_tags
from tonearm.library.scan import scan
from tonearm.library.store import Library
from tonearm.model import file as model_file
from tonearm.serve.server import example_files

# A refused upload, and a server that a test has ended before its page.
EXPECTED = re.compile("status of 422|ERR_(CONNECTION_REFUSED|INCOMPLETE_CHUNKED|EMPTY_RESPONSE)")
TITLE = "<script>document.title = 'broken'</script>"


@pytest.fixture(scope="session")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[*CHROMIUM_ARGUMENTS, "--autoplay-policy=no-user-gesture-required"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    path = tmp_path_factory.mktemp("many") / "library.sqlite"
    fill_library(path, 10_000)
    with Library(path, write=True) as library:
        library.write(
            "UPDATE tracks SET title = ?, artist = ? WHERE id = 1", [[TITLE, "<b>bold</b>"]]
        )
    with served(path) as address:
        yield address


@pytest.fixture
def own(tmp_path):
    """A library of 600 tracks for one test, which may review them."""
    path = tmp_path / "library.sqlite"
    fill_library(path, 600)
    with served(path) as address:
        yield address


@pytest.fixture
def few(tmp_path):
    folder = tmp_path / "music"
    folder.mkdir()
    for piece in example_files().values():
        shutil.copy(piece, folder)
    path = tmp_path / "library.sqlite"
    with Library(path, write=True) as library:
        scan(
            library,
            [folder],
            model=model_file.load(None),
            make_embed=partial(load_embed, None),
            read_tags=file_tags,
            jobs=1,
        )
    with served(path) as address:
        yield address, folder


@pytest.fixture
def page(browser):
    """A page that must not complain, nor ask anybody but this machine."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, permissions=["microphone"]
    )
    page = context.new_page()
    faults, hosts = [], set()
    page.on("pageerror", lambda error: faults.append(str(error)))
    # A refused upload is shown on the page; the browser logs its status as well.
    page.on(
        "console",
        lambda message: (
            message.type in {"error", "warning"}
            and not EXPECTED.search(message.text)
            and faults.append(message.text)
        ),
    )
    page.on("request", lambda request: hosts.add(re.sub(r"^(\w+://[^/:]+).*", r"\1", request.url)))
    yield page
    context.close()
    assert faults == []
    assert all(host.startswith(("http://127.0.0.1", "blob", "data")) for host in hosts), hosts


@pytest.fixture
def files(tmp_path):
    """A library of 300 small files that are there, and can be written."""
    path, folder = tmp_path / "library.sqlite", tmp_path / "music"
    fill_with_files(path, folder, 300)
    with served(path) as address:
        yield address, folder
