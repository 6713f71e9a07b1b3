"""What is built for others: the wheel's contents, the same bytes each time, and its man pages."""

from __future__ import annotations

import importlib.util
import subprocess
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from runs import release, try_wheel
from tonearm.cli.app import app
from tonearm.cli.manual import man, markdown
from tonearm.cli.reference import Entry, Page, pages

ROOT = Path(__file__).parents[1]


def test_the_wheel_is_whole_and_reproducible(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    if int(version("setuptools").split(".")[0]) < 77 or not importlib.util.find_spec("setuptools"):
        pytest.skip("setuptools is older than 77")
    first = release.build(tmp_path / "one", epoch=1_700_000_000)
    second = release.build(tmp_path / "another place", epoch=1_700_000_000)
    assert [path.name for path in first] == [path.name for path in second]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), f"{one.name} differs"
    wheel, sdist = first if first[0].suffix == ".whl" else first[::-1]
    assert release.check_contents(wheel, sdist) == []
    with zipfile.ZipFile(wheel) as file:
        held = file.read("tonearm/weights/gtzan.tonearm")
    assert held == (ROOT / "tonearm" / "weights" / "gtzan.tonearm").read_bytes()


def test_contents_that_are_wrong_are_named(tmp_path: Path) -> None:
    wheel, sdist = tmp_path / "a.whl", tmp_path / "a.tar.gz"
    with zipfile.ZipFile(wheel, "w") as file:
        for name in (*release.WANTED[1:], "tests/test_a.py"):
            file.writestr(name, b"")
    subprocess.run(["tar", "-czf", sdist, "-C", tmp_path, "a.whl"], check=True)
    wrong = release.check_contents(wheel, sdist)
    assert wrong[:2] == [f"the wheel lacks {release.WANTED[0]}", "the wheel holds tests/test_a.py"]
    assert "the sdist lacks setup.py" in wrong


def test_every_dependency_has_a_lowest_version() -> None:
    pins = try_wheel.lowest_versions()
    assert len(pins) >= 8 and all("==" in pin for pin in pins)


def test_each_command_has_a_man_page_with_all_its_options() -> None:
    found = pages(app)
    for page in found:
        text = man(page, found).replace("\\-", "-")
        for entry in page.options:
            assert all(name in text for name in entry.names), f"{page.name} lacks {entry.names}"
    program = man(found[0], found).replace("\\-", "-")
    assert all(f"tonearm-{page.name}(1)" in program for page in found[1:])


def test_a_man_page_escapes_what_roff_would_obey() -> None:
    entry = Entry("-x", ".TH is not a request, nor is \\fB", ("-x",), False, (), False)
    page = Page("x", "tonearm x", "'Quoted' first.", (), (entry,))
    lines = man(page, [page]).splitlines()
    assert "\\&.TH is not a request, nor is \\efB" in lines
    assert "\\&'Quoted' first." in lines


def test_in_the_reference_code_stays_as_it_is() -> None:
    help_text = "Lines of `[tag]` or `a|b*`, [not] <code>."
    (_, section) = markdown([Page("x", "x", help_text, (), ())]).split("## tonearm x")
    assert "Lines of `[tag]` or `a\\|b*`, \\[not] &lt;code>." in section


def test_the_reference_names_every_option_once_for_its_command() -> None:
    found = pages(app)
    sections = markdown(found).split("\n## ")
    for page, section in zip(found, sections[1:], strict=False):
        for entry in page.options:
            assert section.count(f"| `{entry.written}` |") == 1
