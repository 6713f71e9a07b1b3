"""The Python API as people meet it: every example in a docstring or in docs/python.md is run."""

from __future__ import annotations

import doctest
import importlib
import inspect
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import tonearm
from tonearm import Classifier

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
MODULES = [
    "tonearm.errors",
    "tonearm.cli.completion",
    "tonearm.cli.manual",
    "tonearm.cli.reference",
    "tonearm.audio.source",
    "tonearm.model.classifier",
    "tonearm.model.encoder",
    "tonearm.model.prediction",
    "tonearm.model.styles",
    "tonearm.library.records",
    "tonearm.library.scan",
    "tonearm.library.similar",
    "tonearm.library.tag_plan",
    "tonearm.tagging.plan",
]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture(scope="module")
def names() -> dict[str, object]:
    """What an example may use without saying where it comes from."""
    classifier = Classifier.load()
    return {"classifier": classifier}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the example pieces, as the working directory."""
    for path in filter(Path.is_file, EXAMPLES.iterdir()):
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def run(test: doctest.DocTest) -> None:
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    said: list[str] = []
    runner.run(test, out=said.append)
    assert not runner.failures, "".join(said)


@pytest.mark.parametrize("module", MODULES)
def test_examples_of(module: str, names: dict[str, object], here: Path) -> None:
    loaded = importlib.import_module(module)
    public = vars(loaded) | names
    found = doctest.DocTestFinder(exclude_empty=True).find(loaded, extraglobs=public)
    examples = [test for test in found if test.examples]
    assert examples
    for test in examples:
        run(test)


def test_examples_of_the_guide(here: Path) -> None:
    """From top to bottom, as a reader would type them."""
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    lines = ["" if line.startswith("```") else line for line in text.splitlines()]
    test = doctest.DocTestParser().get_doctest("\n".join(lines), {}, "python.md", "python.md", 0)
    assert len(test.examples) > 20
    (here / "music").mkdir()
    for path in filter(Path.is_file, EXAMPLES.iterdir()):
        shutil.copy(path, here / "music")
    run(test)


def public_methods() -> Iterator[tuple[str, object]]:
    for name in tonearm.__all__:
        member = getattr(tonearm, name)
        if inspect.isclass(member):
            for inner, method in vars(member).items():
                if not inner.startswith("_") and callable(getattr(member, inner)):
                    yield f"{name}.{inner}", method


def test_each_public_method_has_an_example() -> None:
    bare = [
        name
        for name, method in public_methods()
        if ">>>" not in (inspect.getdoc(getattr(method, "__func__", method)) or "")
    ]
    assert not bare, f"no example: {bare}"


def test_all_names_are_there_without_loading_them_first() -> None:
    assert set(tonearm.__all__) <= set(dir(tonearm))
    for name in tonearm.__all__:
        assert getattr(tonearm, name) is not None
