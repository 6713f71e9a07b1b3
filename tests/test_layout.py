"""The layout: imports go down only, and few modules import each third-party package."""

from __future__ import annotations

import ast
import contextlib
import graphlib
import itertools
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import pytest

import tonearm

PACKAGE = Path(tonearm.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))

# From the bottom up. A module imports from its own folder and from the lines above its own.
LAYERS = [
    "errors genres files windows",
    "features metrics database workers faults",
    "containers",
    "audio",
    "timeline",
    "model",
    "nets",
    "data",
    "tagging",
    "library",
    "plugins",
    "training",
    "distributed",
    "serve",
    "cli",
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names.split()}

# The modules that may import a package; a name that ends in a slash is a folder.
IMPORTERS = {
    "soundfile": ["audio/sndfile.py"],
    "av": ["audio/av_input.py", "audio/ffmpeg.py", "audio/packets.py"],
    "soxr": ["audio/spans.py"],
    "onnxruntime": ["model/network.py"],
    "onnx": ["nets/", "training/", "model/imports/graph.py"],
    "torch": ["nets/", "training/"],
    "lightning": ["training/"],
    "lightning_fabric": ["training/"],
    "mutagen": ["containers/mutagen_tags.py"],
    "sqlite3": ["database.py"],
    "watchfiles": ["cli/watch.py"],
    "beets": [],  # beetsplug/ alone, which beets itself imports
    "ray": ["distributed/"],
    "fsspec": ["distributed/storage.py"],
    "pyarrow": ["distributed/", "library/table.py", "cli/import_tracks.py"],
    "typer": ["cli/"],
    "rich": ["cli/"],
    "fastapi": ["serve/"],
    "starlette": ["serve/"],
    "uvicorn": ["serve/"],
    "python_multipart": ["serve/"],
    "pydantic": ["serve/"],
    # Tests compare with these; the package must not need them.
    "librosa": [],
    "matplotlib": [],
    "sklearn": [],
    "scipy": [],
    "pickle": [],
    "tensorflow": [],
}


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def module_of(path: Path) -> str:
    parts = ["tonearm", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(part for part in parts if part != "__init__")


MODULES = {module_of(path) for path in SOURCES}


def imports(path: Path, *, typing_too: bool) -> Iterator[tuple[int, str]]:
    """Line and full name of every module that ``path`` imports, at the top or late."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if not typing_too and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            skipped.update(child for inner in node.body for child in ast.walk(inner))
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: a relative import"
            assert node.module is not None
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                is_module = node.module == "tonearm" or inner in MODULES
                yield node.lineno, inner if is_module else node.module


def part_of(module: str) -> str:
    """``tonearm.cli.console`` is of ``cli``."""
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_imports_go_down(path: Path) -> None:
    part = name_of(path).split("/", maxsplit=1)[0].removesuffix(".py")
    if part in ("__init__", "__main__"):
        return
    assert part in RANK, f"{part} has no layer: give it one in this test and in the design"
    for line, module in imports(path, typing_too=False):
        if not module.startswith("tonearm") or module == "tonearm.__version__":
            continue
        other = part_of(module)
        assert other in RANK, f"{path}:{line} imports {module}, which has no layer"
        allowed = other == part or RANK[other] < RANK[part]
        assert allowed, f"{name_of(path)}:{line} imports {module}, which is not below it"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_few_modules_import_a_third_party(path: Path) -> None:
    for line, module in imports(path, typing_too=False):
        allowed = IMPORTERS.get(module.split(".")[0])
        if allowed is not None:
            here = name_of(path)
            fits = any(
                here == place or (place.endswith("/") and here.startswith(place))
                for place in allowed
            )
            assert fits, f"{here}:{line} imports {module}: only {allowed or 'tests'} may"


def required(texts: Iterable[str]) -> set[str]:
    """Names of the distributions in requirements, without those that only an extra needs."""
    names = (re.split(r"[^\w.-]", text, maxsplit=1)[0] for text in texts if "extra ==" not in text)
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names}


def test_what_is_imported_is_installed_with_the_package() -> None:
    """Not only on a developer's machine, where other programs bring half of it."""
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    extras = required(itertools.chain(*project["optional-dependencies"].values()))
    declared = required(project["dependencies"])
    # What a dependency of the core or FastAPI brings along is always there, too.
    for name in sorted(declared | {"fastapi"}):
        with contextlib.suppress(metadata.PackageNotFoundError):
            declared |= required(metadata.requires(name) or [])
    declared |= extras
    from_whom = metadata.packages_distributions()
    for path in SOURCES:
        for line, module in imports(path, typing_too=False):
            owners = from_whom.get(module.split(".")[0], [])
            wanted = required(owners) if module.split(".")[0] != "tonearm" else set()
            assert not wanted or wanted & declared, f"{name_of(path)}:{line} imports {module}"


def test_the_rules_find_what_breaks_them(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(
        "import torch.nn as nn\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import av\n"
        "def f():\n    from tonearm.model import file\n    from tonearm.cli.console import say\n"
    )
    found = [module for _, module in imports(path, typing_too=False)]
    assert sorted(found) == ["tonearm.cli.console", "tonearm.model.file", "torch.nn", "typing"]
    assert "av" in [module for _, module in imports(path, typing_too=True)]
    assert part_of("tonearm.cli.console") == "cli"


def test_no_modules_import_each_other() -> None:
    """Late imports count too: they hide a cycle, and do not undo it."""
    graph = {
        module_of(path): {
            name for _, name in imports(path, typing_too=False) if name.startswith("tonearm.")
        }
        for path in SOURCES
    }
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, with the way round


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_file_is_long(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= 500, f"{name_of(path)} has {lines} lines"


def test_the_root_has_at_most_a_dozen_modules() -> None:
    root = [path.name for path in PACKAGE.glob("*.py") if not path.name.startswith("__")]
    assert len(root) <= 12, root


def test_the_readme_shows_every_room_in_the_order_of_imports() -> None:
    readme = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")
    tree = readme[readme.index("tonearm/            the package") :]
    places = {name: re.search(rf"(?m)^  (\w+\.py )*{name}(/|\.py)", tree) for name in RANK}
    assert all(places.values()), places
    shown = sorted(RANK, key=lambda name: places[name].start())
    ranks = [RANK[name] for name in shown]
    assert ranks == sorted(ranks, reverse=True), shown


def test_the_architecture_page_states_the_order_of_imports() -> None:
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    stated = page[page.index("cli → ") :].split("```", maxsplit=1)[0]
    layers = [set(re.findall(r"\w+", layer)) for layer in stated.split("→")]
    assert layers == [set(names.split()) for names in reversed(LAYERS)]


def test_no_test_imports_what_is_private() -> None:
    for path in Path(__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tonearm"):
                private = [alias.name for alias in node.names if re.match(r"_[^_]", alias.name)]
                assert not private, f"{path}:{node.lineno}: {private}"


def test_no_machine_is_named() -> None:
    odd = re.compile(r"""["'](/home/|/root/|/work/|/Users/|/mnt/|[A-Z]:\\\\)""")
    for path in [*SOURCES, *sorted(Path(__file__).parent.glob("*.py"))]:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if path != Path(__file__):
                assert not odd.search(line), f"{path}:{number}: {line.strip()}"


def modules_after(statement: str) -> set[str]:
    """What is loaded after it, in a fresh interpreter."""
    script = f"{statement}\nimport sys\nprint(*sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in ended.stdout.split()}


HEAVY = set(IMPORTERS) - {"typer", "rich", "pickle"} | {"numpy", "numba", "ray"}


def test_import_tonearm_is_light() -> None:
    loaded = modules_after("import tonearm; tonearm.__version__")
    assert "tonearm" in loaded
    assert not loaded & (HEAVY | {"typer", "rich"}), loaded & HEAVY


def test_the_command_line_starts_light() -> None:
    loaded = modules_after("import tonearm.cli.app")
    assert "typer" in loaded
    assert not loaded & HEAVY, loaded & HEAVY


def test_a_classifier_needs_only_the_core() -> None:
    loaded = modules_after("from tonearm import Classifier; Classifier.load()")
    assert "numpy" in loaded
    extras = {"torch", "sklearn", "scipy", "onnx", "fastapi", "uvicorn", "matplotlib", "librosa"}
    assert not loaded & extras, loaded & extras


def test_public_names() -> None:
    assert tonearm.Classifier.__module__ == "tonearm.model.classifier"
    assert set(tonearm.__all__) >= {"Classifier", "Embeddings", "Prediction", "__version__"}
    with pytest.raises(AttributeError, match="no attribute 'Clasifier'"):
        tonearm.Clasifier  # noqa: B018
