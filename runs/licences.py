"""List the licence of everything that an installation of Tonearm brings along.

    python -m runs.licences [--extra serve] [--extra train]

Ends with 1 if a package states none, so that nobody ships it unread.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution

_NAME = re.compile(r"[\w.-]+")
# Longer than this it is the licence's text and not its name.
_LONGEST_NAME = 80


def closure(name: str, extras: Iterable[str]) -> dict[str, Distribution]:
    """The packages that a package needs, and they, and so on; without it; by their names."""
    found: dict[str, Distribution] = {}
    waiting = [*needed(distribution(name), extras)]
    while waiting:
        key = waiting.pop()
        if key in found or key == name:
            continue
        try:
            found[key] = distribution(key)
        except PackageNotFoundError:  # for another platform or Python
            continue
        waiting += needed(found[key], ())
    return dict(sorted(found.items()))


def needed(package: Distribution, extras: Iterable[str]) -> list[str]:
    """Names of its requirements; those of an extra only where it is asked for."""
    names = []
    for requirement in package.requires or ():
        text, _, marker = requirement.partition(";")
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", marker)
        if extra is None or extra[1] in extras:
            match = _NAME.match(text.strip())
            assert match, requirement
            names.append(re.sub(r"[-_.]+", "-", match[0]).lower())
    return names


def licence_of(package: Distribution) -> str:
    """The licence as its metadata name it; empty where they do not."""
    metadata = package.metadata
    if expressions := metadata.get_all("License-Expression", []):
        return str(expressions[0])
    prefix = "License :: "
    classifiers = [
        value.removeprefix(prefix).split(" :: ")[-1]
        for value in metadata.get_all("Classifier", [])
        if value.startswith(prefix)
    ]
    if classifiers:
        return ", ".join(classifiers)
    stated = "".join(metadata.get_all("License", [])[:1]).strip()
    return stated if len(stated) <= _LONGEST_NAME else stated.splitlines()[0].strip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--extra", action="append", default=[], help="serve, train, docs, dev")
    options = parser.parse_args(arguments)
    unstated = []
    print("| package | version | licence |\n|---|---|---|")
    for name, package in closure("tonearm", options.extra).items():
        licence = licence_of(package)
        print(f"| {name} | {package.version} | {licence or '**not stated**'} |")
        if not licence:
            unstated.append(name)
    return 1 if unstated else 0


if __name__ == "__main__":
    raise SystemExit(main())
