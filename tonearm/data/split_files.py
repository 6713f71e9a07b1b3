"""Split files: the package's own text with a name and a hash, plain CSV, and official lists.

The text is comment lines with the split's name, then ``subset<TAB>track``. Plain CSV has the
columns ``path`` and ``split``; its name is that of the file, and a table of labels that has a
column ``split`` is such a file too. An excerpt of a track is written ``track#3``.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tonearm.data import labels
from tonearm.data.labels import Label
from tonearm.errors import DatasetError
from tonearm.files import write_atomically

SUBSETS = ("train", "valid", "test")
LEAKING = "leaking-"
# Made from an index (`splits.make`), so not the names of files or lists.
MADE = ("grouped", "random-tracks", "random-segments")
_UNUSED = "excluded"
_HEADER = "# tonearm-split 1"
_LISTS = Path(__file__).parent / "lists"


@dataclass(frozen=True)
class Split:
    """Named subsets, each the names of tracks (or of excerpts, ``track#3``), sorted."""

    name: str
    subsets: Mapping[str, tuple[str, ...]]

    @property
    def leaks(self) -> bool:
        """Whether groups cross it on purpose. Never report its accuracy next to an honest one."""
        return self.name.startswith(LEAKING)

    @cached_property
    def text(self) -> str:
        """The canonical text, which is saved and hashed."""
        # Sorted, so that the hash does not depend on the order in which it was made.
        rows = sorted((subset, name) for subset, names in self.subsets.items() for name in names)
        for _, name in rows:
            if "\n" in name or "\r" in name:
                raise DatasetError(
                    f"{name!r} has a line break in its name: rename the file and prepare again"
                )
        return "\n".join([_HEADER, f"# name: {self.name}", *map("\t".join, rows), ""])

    @property
    def sha256(self) -> str:
        """Hash of the canonical text."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogateescape")).hexdigest()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it, whole or not at all; as plain CSV if the file is called so.

        Parameters
        ----------
        path : path
            Where to; what is there is replaced.
        """
        if Path(path).suffix.lower() == ".csv":
            subset_of = {name: subset for subset, names in self.subsets.items() for name in names}
            table = {name: Label(subset=subset_of[name]) for name in sorted(subset_of)}
            labels.write(table, Path(path), columns=("path", "split"))
            return
        write_atomically(path, self.text.encode("utf-8", "surrogateescape"))


def load(path: str | os.PathLike[str]) -> Split:
    """Read a split file; DatasetError names the line that is wrong.

    Parameters
    ----------
    path : path
        The package's own text, plain CSV with ``path`` and ``split``, or FMA's ``tracks.csv``.
    """
    try:
        text = Path(path).read_text("utf-8", "surrogateescape")
    except OSError as error:
        raise DatasetError(f"the split {path} cannot be read: {error.strerror}") from None
    # Not splitlines(), which also splits at U+2028 and other characters that names may contain.
    lines = text.removesuffix("\n").split("\n")
    head = 2
    if lines[0].partition("\t")[0] in (*SUBSETS, _UNUSED) and "\t" in lines[0]:
        head = 0  # as a person writes it
    elif Path(path).suffix.lower() in (".csv", ".tsv"):
        return _of_labels(Path(path))
    elif lines[0] != _HEADER or not lines[1:2] or not lines[1].startswith("# name: "):
        raise DatasetError(
            f"{path} is not a split file: it must have lines subset<TAB>track, or be a CSV with "
            "the columns path and split"
        )
    subsets: dict[str, list[str]] = defaultdict(list)
    for number, line in enumerate(lines[head:], head + 1):
        subset, tab, name = line.partition("\t")
        if not tab or not subset or not name:
            raise DatasetError(f"{path}, line {number} is not `subset<TAB>track`: {line!r}")
        if subset not in (*SUBSETS, _UNUSED):
            known = ", ".join((*SUBSETS, _UNUSED))
            raise DatasetError(f"{path}, line {number}: {subset!r} is not a subset ({known})")
        subsets[subset].append(name)
    counts = Counter(name for names in subsets.values() for name in names)
    # In two subsets it would leak; in one it would count twice.
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise DatasetError(f"{path} names tracks twice: {', '.join(twice[:5])}")
    # Named after its file, which says `leaking-` where it is meant to leak.
    called = lines[1][8:] if head else Path(path).stem
    return Split(called, {subset: tuple(sorted(names)) for subset, names in subsets.items()})


def _of_labels(path: Path) -> Split:
    """The split in a table of labels."""
    subsets: dict[str, list[str]] = defaultdict(list)
    for name, label in labels.read(path).items():
        if label.subset:
            subsets[label.subset].append(name)
    if not subsets:
        raise DatasetError(f"{path} has no column split, so it is not a split")
    # Named after its file, which says `leaking-` where it is meant to leak.
    return Split(path.stem, {subset: tuple(sorted(names)) for subset, names in subsets.items()})


def official(name: str) -> Split:
    """A split that comes with the package, e.g. ``gtzan-filtered``.

    Parameters
    ----------
    name : str
        Without folder and suffix.
    """
    path = _LISTS / f"{name}.split"
    if not path.exists():
        known = ", ".join((*MADE, *sorted(file.stem for file in _LISTS.glob("*.split"))))
        raise DatasetError(f"there is no split {name!r}: name a file, or one of {known}")
    return load(path)


def is_official(split: Split) -> bool:
    """Whether it is one of the lists that come with the package, unchanged.

    Parameters
    ----------
    split : Split
        What is compared with the list of its name.
    """
    path = _LISTS / f"{split.name}.split"
    # By its hash: a list that was edited is somebody's own, and is checked like one.
    return path.exists() and load(path).sha256 == split.sha256


def written(wanted: str) -> Split | None:
    """Read the split of a file or an official name; None for one that is made from an index.

    Parameters
    ----------
    wanted : str
        A path or a name.

    Raises
    ------
    DatasetError
        If there is no such split.
    """
    if wanted in MADE:
        return None
    return load(wanted) if os.path.isfile(wanted) else official(wanted)
