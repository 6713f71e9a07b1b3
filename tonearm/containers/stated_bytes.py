"""How many bytes of sound a header states, in containers of chunks whose decoder does not tell.

CAF, DSF, DSDIFF and Wave64; and whether an MP4 lacks the index without which no decoder reads it.
"""

from __future__ import annotations

from itertools import islice
from typing import BinaryIO, NamedTuple

from tonearm.containers.chunks import CAF, DSDIFF, DSF, W64, chunks
from tonearm.containers.edits import read_at
from tonearm.containers.mp4_atoms import atoms

# As an encoder leaves them that does not know the size yet: all ones, or the largest number.
_UNKNOWN = frozenset({(1 << 64) - 1, (1 << 63) - 1})
# Zeros read as chunks without end: a file of a gigabyte of them must not take minutes.
_MOST_CHUNKS = 4_096

# By first bytes: the form, and the names of the chunk of sound. The first chunk of a DSF is its
# header, and has the name that the sound has in a DSDIFF. Wave64 names its chunks by GUIDs that
# begin with the names in WAV.
_FORMS = {
    b"caff": (CAF, (b"data",)),
    b"DSD ": (DSF, (b"data",)),
    b"FRM8": (DSDIFF, (b"DSD ", b"DST ")),
    b"riff": (W64, (b"data",)),
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
    found = _FORMS.get(read_at(file, 0, 4))
    if found is None:
        return None
    form, wanted = found
    every = chunks(file, form.first, file.seek(0, 2), form)
    for chunk in islice(every, _MOST_CHUNKS):
        if chunk.name[:4] in wanted:
            # What a file states of unknown size counts the header too, where sizes do.
            if chunk.size + form.counted_bytes in _UNKNOWN:
                return None
            return SoundBytes(chunk.size, min(chunk.inside, chunk.size))
    return None


def too_few_bytes(file: BinaryIO) -> str | None:
    """Words where there is less sound than a header states.

    Parameters
    ----------
    file : binary file
        The open file.
    """
    found = sound_bytes(file)
    if found is None or found.there >= found.stated:
        return None
    return truncated(found.there, found.stated)


def truncated(there: int, stated: int) -> str:
    """Words for a file that ends before its sound does.

    Parameters
    ----------
    there, stated : int
        Bytes of sound: how many there are, and how many a header promises.
    """
    return f"truncated: {there:,} of {stated:,} bytes of sound are there"


def lacks_index(file: BinaryIO) -> bool:
    """Whether this is an MP4 whose index, which often stands last, is not there.

    Parameters
    ----------
    file : binary file
        The open file.
    """
    names = [atom.name for atom in islice(atoms(file, 0, file.seek(0, 2)), _MOST_CHUNKS)]
    return names[:1] == [b"ftyp"] and not {b"moov", b"moof"} & set(names)
