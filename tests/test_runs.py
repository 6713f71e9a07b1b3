"""Every script in ``runs/`` can be imported, and its README lists it."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import runs
from runs import code_metrics, doubtful_labels
from tonearm.genres import GTZAN_GENRES

FOLDER = Path(runs.__file__).parent
OURS = {"runs", "tests", "tonearm", "benchmarks"}
NAMES = sorted(
    module.name
    for module in pkgutil.walk_packages(runs.__path__, "runs.")
    if not module.name.endswith("__main__")
)


@pytest.mark.parametrize("name", NAMES)
def test_a_script_finds_what_it_imports(name: str) -> None:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] in OURS:
            raise
        pytest.skip(f"{name} needs {error.name}")


def test_the_readme_lists_every_script_and_no_other() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    here = {name.split(".")[1] for name in NAMES}
    assert {name for name in here if f"`{name}`" not in text and f"`{name}/`" not in text} == set()
    cells = [
        cell
        for line in text.splitlines()
        if line.startswith("| `")
        for cell in [line.split("|")[1]]
    ]
    listed = {word.strip("` /") for cell in cells for word in cell.split(",")}
    assert {word for word in listed if word.isidentifier() and word not in here} == set()


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_a_script_starts_as_a_module_and_has_help(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert "sys.path" not in source
    if '__name__ == "__main__"' in source:
        assert "ArgumentParser" in source, "no --help"


def test_a_name_and_a_type_alone_describe_no_parameter() -> None:
    text = """Do it.

    Parameters
    ----------
    path : path
    rate_hz, count : int
        Of the sound.

    Returns
    -------
    int
        The ``number`` of it.
    """
    assert set(code_metrics.described_in(inspect.cleandoc(text))) == {"rate_hz", "count"}


def test_an_override_is_described_by_the_method_that_it_overrides() -> None:
    doc = "    Parameters\n    ----------\n    n : int\n        How many.\n    "
    first = f'class A:\n  def read(self, n):\n    """Read.\n\n{doc}"""\n'
    tree = ast.parse(f"{first}class B(A):\n  def read(self, n):\n    pass\n")
    assert dict(code_metrics.public_parameters(tree)) == {"read(n)": True}
    other = ast.parse("class A:\n  def read(self, n):\n    pass\n")
    assert dict(code_metrics.public_parameters(other, (), [tree, other])) == {"read(n)": False}


def test_what_a_shared_type_says_of_a_parameter_counts() -> None:
    tree = ast.parse(
        "TrackId = Annotated[int, Path(description='Its id')]\n"
        "Wanted = Annotated[Filter, Depends(filter_of)]\n"
        "Number = Annotated[int, Path(ge=1)]\n"
        "def a(request: Request, number: TrackId, wanted: Wanted, other: Number): pass\n"
    )
    aliases = set(code_metrics.described_aliases(tree))
    assert dict(code_metrics.public_parameters(tree, aliases)) == {
        "a(number)": True,
        "a(wanted)": True,
        "a(other)": False,
    }


def test_the_model_of_a_body_describes_it() -> None:
    first = ast.parse('class Plain: pass\nclass Chosen(BaseModel):\n  """Which."""\n')
    second = ast.parse('class All(Chosen):\n  """Which and how."""\nclass Bare(Chosen): pass\n')
    assert code_metrics.body_models([second, first]) == {"Chosen", "All"}


def test_no_description_is_of_a_parameter_that_was_renamed():
    foreign = []
    for path in code_metrics.PACKAGE.rglob("*.py"):
        for function in code_metrics.functions(ast.parse(path.read_text("utf-8"))):
            of = function.args
            every = [*of.posonlyargs, *of.args, *of.kwonlyargs, *filter(None, [of.vararg])]
            described = code_metrics.described_in(ast.get_docstring(function) or "")
            lost = set(described) - {argument.arg for argument in every}
            foreign += [f"{path.name}: {function.name}({name})" for name in lost]
    assert not foreign


def test_the_form_of_the_package_keeps_its_measures() -> None:
    """The figures of CONTRIBUTING may improve, not fall back."""
    texts = [path.read_text("utf-8") for path in code_metrics.PACKAGE.rglob("*.py")]
    trees = [ast.parse(text) for text in texts]
    aliases = {name for tree in trees for name in code_metrics.described_aliases(tree)}
    aliases |= code_metrics.body_models(trees)
    known = [
        is_known
        for tree in trees
        for _, is_known in code_metrics.public_parameters(tree, aliases, trees)
    ]
    assert sum(known) / len(known) > 0.97, "public parameters with a description"
    lines = sum(text.count("\n") for text in texts)
    assert sum(map(code_metrics.comment_lines, texts)) / lines > 0.045, "lines with a comment"
    assert max(number for _, number in code_metrics.complexity(code_metrics.PACKAGE)) <= 12


def test_a_label_that_a_store_contradicts_counts_less_and_for_both() -> None:
    half = doubtful_labels.DOUBTFUL_MASS
    assert doubtful_labels.opinions("blues", "Rock") == [("blues", half), ("rock", half)]
    assert doubtful_labels.opinions("blues", "Zydeco") == [("blues", half)], "none of ours"
    for genre, store in (("blues", "Electric Blues"), ("pop", "Soundtrack"), ("jazz", "")):
        assert doubtful_labels.opinions(genre, store) == [(genre, 1.0)], store
    genres = {*doubtful_labels.ACCEPTED}
    assert genres == {*GTZAN_GENRES} and {*doubtful_labels.COUNTERPARTS.values()} <= genres
