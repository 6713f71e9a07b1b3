"""What a change replaced in a file, byte by byte, whatever its format.

A delta leads from the changed file back to the original: the edits that restore it, and digests of
both. It is checked against the original before the file is replaced, so that an undo gives every
byte back, or the file is not written at all.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from tonearm.containers.edits import Edit, edited_pieces
from tonearm.errors import REPORT, TagError

# Bytes that have to agree for two places to count as the same, and how far one is looked for.
# So many bytes of sound never agree by chance. Padding may: that makes a delta longer, not wrong.
_ANCHOR = 32
_NEAR = 64
_FAR = 1 << 20
# Closely at first; an anchor that is found later only makes the delta a little longer.
_STEPS = (*range(256), *range(256, 1 << 16, 64), *range(1 << 16, 1 << 20, 1_024))
_PIECE = 1 << 16
# A genre takes some hundred bytes; numbers of Ogg pages, some thousand.
_LONGEST = 4 << 20


@dataclass(frozen=True)
class Delta:
    """Edits of the changed file that restore the original, and both files' digests."""

    edits: tuple[Edit, ...]
    before: str
    after: str

    def to_json(self) -> str:
        """As text for the journal."""
        # Hexadecimal, because JSON has no bytes; deltas are small.
        edits = [[edit.offset, edit.length, edit.data.hex()] for edit in self.edits]
        return json.dumps({"edits": edits, "before": self.before, "after": self.after})

    @classmethod
    def from_json(cls, text: str) -> Delta:
        """Back from :meth:`to_json`.

        Parameters
        ----------
        text : str
            The text.
        """
        values = json.loads(text)
        edits = tuple(
            Edit(int(offset), int(length), bytes.fromhex(data))
            for offset, length, data in values["edits"]
        )
        return cls(edits, str(values["before"]), str(values["after"]))


def delta_of(original: str | os.PathLike[str], changed: str | os.PathLike[str]) -> Delta:
    """The delta from a changed file back to its original.

    Parameters
    ----------
    original : path
        The file as it was.
    changed : path
        The file as it is now.

    Raises
    ------
    TagError
        When the change is too large to be kept, or would not restore the original.
    """
    with open(original, "rb") as old_file, open(changed, "rb") as new_file:
        # Mapped, not read: a file may be larger than the memory, and most of its pages are only
        # compared.
        with _mapped(old_file) as old, _mapped(new_file) as new:
            edits = tuple(_edits(old, new))
        before, after = digest(old_file), digest(new_file)
        # The journal keeps every delta.
        if sum(len(edit.data) for edit in edits) > _LONGEST:
            raise TagError(f"{original}: so much of it would change that undo could not restore it")
        # Proved before anything is replaced, rather than trusted.
        if _digest_of(edited_pieces(new_file, edits)) != before:
            raise TagError(f"{original}: its old bytes could not be kept. {REPORT}")
    return Delta(edits, before, after)


def digest_of(path: str | os.PathLike[str]) -> str:
    """Digest of a file's content, to be compared with those of a delta.

    Parameters
    ----------
    path : path
        The file.
    """
    with open(path, "rb") as file:
        return digest(file)


def digest(file: BinaryIO) -> str:
    """Digest of an open file's content.

    Parameters
    ----------
    file : BinaryIO
        The open file.
    """
    file.seek(0)
    return _digest_of(iter(lambda: file.read(1 << 20), b""))


def _digest_of(pieces: Iterator[bytes]) -> str:
    # 160 bits: no two files of a library meet by chance.
    state = hashlib.blake2b(digest_size=20)
    for piece in pieces:
        state.update(piece)
    return state.hexdigest()


def _mapped(file: BinaryIO) -> mmap.mmap:
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _edits(old: mmap.mmap, new: mmap.mmap) -> Iterator[Edit]:
    """What of ``new`` becomes what of ``old``, from the beginning to the end of both."""
    i = j = 0
    while True:
        same = _common(old, new, i, j)
        i, j = i + same, j + same
        if i == len(old) and j == len(new):
            return
        # Replace b bytes of the new file by a bytes of the old; the sizes differ where a tag has
        # grown.
        a, b = _next_anchor(old, new, i, j)
        yield Edit(j, b, old[i : i + a])
        i, j = i + a, j + b


def _common(old: mmap.mmap, new: mmap.mmap, i: int, j: int) -> int:
    """How many bytes agree from there on."""
    start, most = i, min(len(old) - i, len(new) - j)
    size = _PIECE
    # By halves: 64 KB at a time, then down to the byte that differs.
    while size:
        while i - start + size <= most and old[i : i + size] == new[j : j + size]:
            i, j = i + size, j + size
        size //= 2
    return i - start


def _next_anchor(old: mmap.mmap, new: mmap.mmap, i: int, j: int) -> tuple[int, int]:
    """Bytes of both to pass over until they agree again; all where they do not."""
    # What remains of the new file is longer by so much: if only one place differs, that is how far
    # the rest has moved.
    growth = (len(new) - j) - (len(old) - i)
    # Replaced by as many bytes, or all that follows is moved.
    for shift in dict.fromkeys((0, growth)):
        a, b = max(0, -shift), max(0, shift)
        for step in range(1 if not shift else 0, _NEAR):
            rest = old[i + a + step : i + a + step + _ANCHOR]
            if rest and rest == new[j + b + step : j + b + step + _ANCHOR]:
                return a + step, b + step
    for step in _STEPS:
        anchor = old[i + step : i + step + _ANCHOR]
        if len(anchor) == _ANCHOR:
            found = new.find(anchor, j, j + step + _FAR)
            if found >= 0:
                return step, found - j
    # Nothing agrees any more: all that is left is replaced.
    return len(old) - i, len(new) - j
