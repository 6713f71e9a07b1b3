"""How many bytes of sound a header states, in containers of chunks whose decoder does not tell.

CAF, DSF, DSDIFF and Wave64: names, sizes and contents, one after another.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, Literal, NamedTuple

from tonearm.containers.chunks import WAV, chunks
from tonearm.containers.edits import read_at
from tonearm.containers.mp4_atoms import atoms

# As an encoder leaves them that does not know the size yet: all ones, or the largest number.
_UNKNOWN = frozenset({(1 << 64) - 1, (1 << 63) - 1})
# Zeros, read as chunks without end.
_MOST_CHUNKS = 4_096
_WAVS = frozenset({b"RIFF", b"RF64", b"BW64"})


@dataclass(frozen=True)
class _Chunks:
    """What chunks look like: where the first lies, their names, and sizes of 8 bytes.

    Parameters
    ----------
    first, name_bytes, align : int
    order : 'big' or 'little'
    counts_header : bool
        Whether a size counts the chunk's name and itself.
    """

    first: int
    name_bytes: int
    align: int
    order: Literal["big", "little"]
    counts_header: bool


# Wave64 names its chunks by GUIDs that begin with the names in WAV.
_FORMS = {
    b"caff": _Chunks(8, 4, 1, "big", False),
    b"DSD ": _Chunks(0, 4, 1, "little", True),
    b"FRM8": _Chunks(16, 4, 2, "big", False),
    b"riff": _Chunks(40, 16, 8, "little", True),
}
# The first chunk of a DSF is its header, and has the name of the sound in a DSDIFF.
_SOUND = {
    b"caff": (b"data",),
    b"DSD ": (b"data",),
    b"FRM8": (b"DSD ", b"DST "),
    b"riff": (b"data",),
}


class SoundBytes(NamedTuple):
    """Bytes of sound: what a header states, and how many are there."""

    stated: int
    there: int


def sound_bytes(file: BinaryIO) -> SoundBytes | None:
    """Bytes of the first chunk of sound; None where nothing is stated, or it is another container.

    Parameters
    ----------
    file : binary file
        The open file.
    """
    kind = read_at(file, 0, 4)
    form = _FORMS.get(kind)
    if form is None:
        return None
    end, at = file.seek(0, 2), form.first
    header = form.name_bytes + 8
    for _ in range(_MOST_CHUNKS):
        head = read_at(file, at, header)
        if len(head) < header:
            return None
        size = int.from_bytes(head[form.name_bytes :], form.order)
        length = size - header if form.counts_header else size
        if head[:4] in _SOUND[kind]:
            there = max(0, end - at - header)
            return None if size in _UNKNOWN else SoundBytes(length, min(there, length))
        if length < 0:
            return None
        at += -(-(header + length) // form.align) * form.align
    return None


def what_differs(file: BinaryIO) -> str | None:
    """Words where there is less sound than a header states, or more than players read.

    Parameters
    ----------
    file : binary file
        The open file.
    """
    if _holds_more(file):
        return (
            "holds several recordings, one behind the other, of which players read only the first"
        )
    found = sound_bytes(file)
    if found is None or found.there >= found.stated:
        return None
    return f"truncated: {found.there:,} of {found.stated:,} bytes of sound are there"


def _holds_more(file: BinaryIO) -> bool:
    """Whether a WAV has more sound behind the first: a second part, or another WAV."""
    if read_at(file, 0, 4) not in _WAVS:
        return False
    found = islice(chunks(file, 12, file.seek(0, 2), WAV), _MOST_CHUNKS)
    sound = [each.name for each in found if each.name in (b"data", *_WAVS) and each.size]
    return len(sound) > 1


def lacks_index(file: BinaryIO) -> bool:
    """Whether this is an MP4 whose index, which often stands last, is not there.

    Parameters
    ----------
    file : binary file
        The open file.
    """
    names = [atom.name for atom in islice(atoms(file, 0, file.seek(0, 2)), _MOST_CHUNKS)]
    return names[:1] == [b"ftyp"] and not {b"moov", b"moof"} & set(names)
