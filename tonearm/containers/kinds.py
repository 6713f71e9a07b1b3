"""What kind of file it is, by its first bytes: names lie, and each kind keeps its tags elsewhere.

Imports nothing of Tonearm but errors, files and how long ID3 tags are (``edges.py``).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tonearm.containers.edges import id3v2_bytes
from tonearm.errors import TagError
from tonearm.files import as_path, why_unreadable

_SNIFFED_BYTES = 64
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_FIRST_BYTES = (
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"wvpk", "wavpack"),
    (b"MPCK", "musepack"),
    (b"MP+", "musepack"),
    (b"MAC ", "monkey"),
    (b"tBaK", "tak"),
    (b"OFR ", "optimfrog"),
    (b"DSD ", "dsf"),
    (_ASF_HEADER, "asf"),
    (b"TTA1", "tta"),
    (b"FRM8", "dsdiff"),
    (b"caff", "caf"),
    (bytes.fromhex("1a45dfa3"), "matroska"),
)
# QuickTime files may begin with another atom than ``ftyp``; those are not tagged.
_ATOMS = frozenset({b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"})
# Kinds of tags by container.
_TAGGED = {kind: kind for kind in ("wav", "aiff", "dsf", "flac", "ogg", "mp4", "asf")}
_TAGGED |= {"wavpack": "ape", "musepack": "ape", "monkey": "ape", "tak": "ape", "optimfrog": "ape"}
_TAGGED |= {"tta": "mp3"}
_MPEG_SUFFIXES = frozenset({".mp3", ".mp2", ".mpga", ".tta"})


def container_of(head: bytes) -> str | None:
    """The container that begins with these bytes; None for elementary streams and what is none.

    Parameters
    ----------
    head : bytes [16 or more]
        What stands behind ID3 tags, where there are any.
    """
    form = head[8:12]
    if head[:4] in {b"RIFF", b"RF64", b"BW64"} and form == b"WAVE":
        return "wav"
    if head[:4] == b"FORM" and form in {b"AIFF", b"AIFC"}:
        return "aiff"
    for first, container in _FIRST_BYTES:
        if head.startswith(first):
            return container
    if head[4:8] == b"ftyp":
        return "mp4"
    return "quicktime" if head[4:8] in _ATOMS else None


def sniff(path: str | os.PathLike[str]) -> str:
    """Kind of a file: mp3, aiff, wav, dsf (ID3), flac, ogg (Vorbis), mp4, asf or ape.

    The last stands for all that end in an APEv2 tag: WavPack, Musepack, Monkey's Audio and others.

    Parameters
    ----------
    path : path
        The file.

    Raises
    ------
    TagError
        When the file cannot be read, is empty, or keeps no tags that Tonearm knows.
    """
    try:
        if stat.S_ISFIFO(as_path(path).stat().st_mode):  # opening it would wait for a writer
            raise TagError(f"{path}: is a pipe, not a file")
        with as_path(path).open("rb") as file:
            file.seek(id3v2_bytes(file))
            head = file.read(_SNIFFED_BYTES)
    except OSError as error:
        raise TagError(f"{path}: {why_unreadable(path, error)}") from None
    # Where ID3 tags stand in front of a container that keeps its own tags, the container decides.
    kind = _TAGGED.get(container_of(head) or "")
    if kind is not None:
        return kind
    # MPEG audio has no signature worth the name, and may begin with rubbish: its name decides.
    if head and Path(path).suffix.lower() in _MPEG_SUFFIXES:
        return "mp3"
    if not head:
        raise TagError(f"{path}: is empty, or holds nothing but a tag")
    raise TagError(f"{path}: is of a kind whose tags Tonearm does not know")
