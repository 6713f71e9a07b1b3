"""Measure the form of the package: sizes, complexity, documentation, comments.

    python -m runs.code_metrics

Prints a Markdown table for ``CONTRIBUTING.md``. Lines of a function are counted without its
docstring, so that documentation does not make code look long. Complexity is McCabe's, by ruff.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import re
import statistics
import subprocess
import sys
import tokenize
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

import tonearm

Function = ast.FunctionDef | ast.AsyncFunctionDef
PACKAGE = Path(tonearm.__file__).parent


def main() -> None:
    """Print one row per figure."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    paths = sorted(PACKAGE.rglob("*.py"))
    texts = [path.read_text(encoding="utf-8") for path in paths]
    trees = [ast.parse(text) for text in texts]
    lines = [text.count("\n") for text in texts]
    lengths = [body_lines(function) for tree in trees for function in functions(tree)]
    complexities = [number for _, number in complexity(PACKAGE)]
    aliases = {name for tree in trees for name in described_aliases(tree)} | body_models(trees)
    documented = [known for t in trees for _, known in public_parameters(t, aliases, trees)]
    comments = sum(map(comment_lines, texts))
    longest = paths[lines.index(max(lines))].relative_to(PACKAGE)
    root = [path.stem for path in PACKAGE.glob("*.py") if not path.stem.startswith("_")]
    rows = [
        ("modules at the package root", f"{len(root)}"),
        ("files", f"{len(paths)}, {sum(lines):,} lines"),
        ("lines of a file, median", f"{statistics.median(lines):.0f}"),
        ("lines of a file, maximum", f"{max(lines)} (`{longest}`)"),
        ("lines of a function, median", f"{statistics.median(lengths):.0f}"),
        ("lines of a function, 95th percentile", f"{np.quantile(lengths, 0.95):.0f}"),
        ("lines of a function, maximum", f"{max(lengths)}"),
        ("complexity, median", f"{statistics.median(complexities):.0f}"),
        ("complexity, maximum", f"{max(complexities)}"),
        ("public parameters with a description", f"{np.mean(documented):.0%}"),
        ("lines with a comment", f"{comments / sum(lines):.1%}"),
    ]
    print("| what | figure |\n|---|---|")
    for what, figure in rows:
        print(f"| {what} | {figure} |")


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function and method, inner ones too."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def body_lines(function: Function) -> int:
    """Lines of a function, from ``def`` to its end, without the docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def complexity(folder: Path) -> list[tuple[str, int]]:
    """McCabe's complexity of every function below ``folder``, with its place."""
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "C901"]
    command += ["--config", "lint.mccabe.max-complexity=0", "--output-format", "json", str(folder)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode not in (0, 1):  # 1: it found something, as asked
        raise SystemExit(found.stderr)
    rows = []
    for finding in json.loads(found.stdout):
        name, number = re.findall(r"`(.*)` is too complex \((\d+)", finding["message"])[0]
        path = Path(finding["filename"]).relative_to(folder)
        rows.append((f"{path}:{finding['location']['row']} {name}", int(number)))
    return rows


def described_aliases(tree: ast.Module) -> Iterator[str]:
    """Names of types that several functions share, and that describe what they are the type of.

    Such as ``Annotated[Path, typer.Option(help=...)]``, ``Annotated[int, Path(description=...)]``
    and ``Annotated[Filter, Depends(...)]``, whose function has the parameters instead.
    """
    for node in tree.body:
        if isinstance(node, ast.Assign) and re.search(
            r"arg='(help|description)'|id='Depends'", ast.dump(node.value)
        ):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def body_models(trees: Sequence[ast.Module]) -> set[str]:
    """Classes of what an API call is sent, whose docstrings the API's description shows."""
    classes = [node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
    bases = {each.name: {ast.unparse(base) for base in each.bases} for each in classes}
    found, more = set[str](), {"BaseModel"}
    while more:
        found |= more
        more = {name for name, of in bases.items() if of & found} - found
    return {each.name for each in classes if each.name in found and ast.get_docstring(each)}


def public_parameters(
    tree: ast.Module,
    aliases: Collection[str] = (),
    trees: Sequence[ast.Module] = (),
) -> Iterator[tuple[str, bool]]:
    """Each parameter of each public function, and whether it has a description.

    A description is prose: an entry under ``Parameters`` with a line below its name and type, a
    mention in double backticks, the text of a command's option or of a query parameter, or the
    docstring of the model of a request's body. The
    parameters of ``__init__`` are described by their class, those of a method also by the method
    that it overrides, in this module or in ``trees``; a request and typer's context are the
    framework's.
    """
    for owner, function in public_functions(tree):
        documented_by = owner if owner is not None and function.name == "__init__" else function
        text = ast.get_docstring(documented_by) or ""
        named = set(described_in(text)) | set(re.findall(r"``(\w+)``", text))
        if owner is not None:
            named |= described_by_bases(owner, function.name, tree, trees)
        arguments = function.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        for argument in every:
            hint = ast.dump(argument.annotation) if argument.annotation else ""
            words = set(re.findall(r"\w+", hint))
            if argument.arg in ("self", "cls") or argument.arg.startswith("_"):
                continue
            if words & {"Request", "Context"}:
                continue
            described = argument.arg in named or bool(words & {"help", "description", *aliases})
            yield f"{function.name}({argument.arg})", described


def described_by_bases(
    owner: ast.ClassDef, method: str, tree: ast.Module, trees: Sequence[ast.Module]
) -> set[str]:
    """Parameters of a method that a class which ``owner`` inherits from describes."""
    found = set[str]()
    for name in (ast.unparse(base).rpartition(".")[2] for base in owner.bases):
        # Several modules have a class ``Net``: one of the same module comes first, and of several
        # elsewhere none, since it is not known which was imported.
        near = [(tree, each) for each in tree.body if is_class(each, name)]
        far = [(other, each) for other in trees for each in other.body if is_class(each, name)]
        candidates = near or far
        if len(candidates) != 1:
            continue
        home, base = candidates[0]
        assert isinstance(base, ast.ClassDef)
        for inner in base.body:
            if isinstance(inner, Function) and inner.name == method:
                found |= set(described_in(ast.get_docstring(inner) or ""))
        found |= described_by_bases(base, method, home, trees)
    return found


def is_class(node: ast.stmt, name: str) -> bool:
    """Whether a statement is the class of that name."""
    return isinstance(node, ast.ClassDef) and node.name == name


def described_in(text: str) -> Iterator[str]:
    """Names of the parameters that a docstring describes in words of their own."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w+\n-+\n|\Z)", text, re.M | re.S)
    # An entry is a line that is not indented; prose is what stands indented below it.
    for head in re.finditer(
        r"^(\S[^\n:]*?)(?: :[^\n]*)?\n+ +\S", section[1] if section else "", re.M
    ):
        yield from (name.strip(" *") for name in head[1].split(","))


def public_functions(tree: ast.Module) -> Iterator[tuple[ast.ClassDef | None, Function]]:
    """Public functions and methods of a module, each with its class."""
    for node in tree.body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            yield None, node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for inner in node.body:
                if isinstance(inner, Function) and (
                    inner.name == "__init__" or not inner.name.startswith("_")
                ):
                    yield node, inner


def comment_lines(text: str) -> int:
    """Lines that hold a comment, alone or after code."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return len({token.start[0] for token in tokens if token.type == tokenize.COMMENT})


if __name__ == "__main__":
    main()
