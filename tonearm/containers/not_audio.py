"""What a file is that is no audio, by its first bytes: a reason that its owner can act on.

Only asked where no decoder reads the file, but for what is packed: in the bytes of an archive a
decoder may find some frames of a song. Imports nothing of Tonearm.
"""

from __future__ import annotations

# Bytes that are looked at: the mark of a tracker module stands at 1,080.
HEAD_BYTES = 1_084
_UNPACK = "Unpack it first"
_RENDER = "Render it to WAV first"
_ELSEWHERE = "Give the file that it stands for"
# First bytes, and what begins with them; what is not audio for sure, and may hold some.
_PACKED = (
    (b"PK\3\4", f"is a ZIP archive, or a document. {_UNPACK}"),
    (b"Rar!\x1a\7", f"is a RAR archive. {_UNPACK}"),
    (b"7z\xbc\xaf\x27\x1c", f"is a 7z archive. {_UNPACK}"),
    (b"\x1f\x8b\x08", f"is compressed by gzip. {_UNPACK}"),
    (b"BZh", f"is compressed by bzip2. {_UNPACK}"),
    (b"\xfd7zXZ\0", f"is compressed by xz. {_UNPACK}"),
    (b"\x28\xb5\x2f\xfd", f"is compressed by zstd. {_UNPACK}"),
)
_LOCKED = "is copy-protected ({}); only that program can decode it"
_PROTECTED = (
    (b"CTENFDAM", _LOCKED.format("NetEase Cloud Music")),
    (bytes.fromhex("7cd532eb86027f4ba8afa68e0fff9914"), _LOCKED.format("KuGou")),
    (b"yeelion-kuwo", _LOCKED.format("Kuwo")),
    (b"....\x57\x90\x75\x36", _LOCKED.format("Audible")),
)
# A dot is any byte. Names of programs are those that people know the files by.
_OTHERS = (
    (bytes.fromhex("4c00000001140200"), f"is a Windows shortcut. {_ELSEWHERE}"),
    (b"[InternetShortcut]", f"is a link to a web address. {_ELSEWHERE}"),
    (b"book....mark", f"is a macOS alias. {_ELSEWHERE}"),
    (b"bplist00", "is an iCloud placeholder, or macOS settings. Download the song itself"),
    (b"\0\5\x16\7", "is a macOS companion file without sound. Leave it out"),
    (b"version https://git-lfs", "is a Git LFS pointer. Fetch the song with `git lfs pull`"),
    (b"/annex/objects/", "is a git-annex pointer. Fetch the song with `git annex get`"),
    (b"RIFF....CDDA", "is a pointer to a track of a CD, without sound. Rip the CD"),
    (b"MThd", f"is MIDI: notes, without sound. {_RENDER}"),
    (b"RIFF....RMID", f"is MIDI: notes, without sound. {_RENDER}"),
    (b"RIFF....sfbk", "is a soundfont: instruments, without music. Leave it out"),
    (b"Extended Module: ", f"is a tracker module. {_RENDER}"),
    (b"IMPM", f"is a tracker module. {_RENDER}"),
    (b"." * 44 + b"SCRM", f"is a tracker module. {_RENDER}"),
    (b"." * 1_080 + b"M.K.", f"is a tracker module. {_RENDER}"),
    (b"PSID", f"is a program for a Commodore 64 that plays music. {_RENDER}"),
    (b"NESM\x1a", f"is a program for a game console that plays music. {_RENDER}"),
    (b"SNES-SPC700", f"is a program for a game console that plays music. {_RENDER}"),
    (b"Vgm ", f"is a log of a game console's sound chip. {_RENDER}"),
    (b"FLhd", f"is an FL Studio project. {_RENDER}"),
    (b"SQLite format 3", "is a database, without sound that Tonearm could read. Leave it out"),
    (bytes.fromhex("d0cf11e0a1b11ae1"), "is a Windows document. Leave it out"),
    (b"%PDF", "is a PDF document. Leave it out"),
    (b"\x7fELF", "is a program. Leave it out"),
    (b"OFR ", "is OptimFROG, which Tonearm cannot decode. Convert it to FLAC"),
    (b"LA0", "is Lossless Audio (LA), which Tonearm cannot decode. Convert it to FLAC"),
)
CUE_SHEET = "is a CUE sheet. Give the audio file that it names"
# Beginnings of texts, in lower case.
_TEXTS = (
    ("<!doctype html", "is a web page, not a song. Download the song again"),
    ("<html", "is a web page, not a song. Download the song again"),
    ("#extm3u", "is a playlist. Read it with --files-from"),
    ("[playlist]", "is a playlist. Read it with --files-from"),
    ('file "', CUE_SHEET),
)
_TEXT = "is text, not sound. Download the song again, or leave it out"
# Shorter ones may be the first bytes of a song that was cut off there.
_LEAST_TEXT = 8
_ZEROS = "begins with zeros, like an unfinished download. Get it again"


def packed(head: bytes) -> str | None:
    """Why an archive is not read; None for any other file.

    Parameters
    ----------
    head : bytes
        The first bytes of a file.
    """
    return _find(_PACKED, head)


def protected(head: bytes) -> str | None:
    """Why a file that a music service has locked is not read; None for any other file.

    Parameters
    ----------
    head : bytes
        The first bytes of a file.
    """
    return _find(_PROTECTED, head)


def described(head: bytes) -> str | None:
    """What a file is that no decoder reads, and what to do; None where its bytes say nothing.

    Parameters
    ----------
    head : bytes
        The first :data:`HEAD_BYTES` of a file, or all of it.

    Examples
    --------
    >>> described(b"<!DOCTYPE html><html>")
    'is a web page, not a song. Download the song again'
    """
    if known := _find(_OTHERS, head):
        return known
    if not head.strip(b"\0"):
        return _ZEROS
    # The last character may be cut in two; a text has no other control characters than these.
    text = head.decode("utf-8", "ignore").lstrip("\ufeff \t\r\n").lower()
    for first, reason in _TEXTS:
        if text.startswith(first):
            return reason
    cut = len(head.decode("utf-8", "ignore").encode()) >= len(head) - 3
    is_text = cut and all(char.isprintable() or char in "\t\r\n\f" for char in text)
    return _TEXT if is_text and len(text) >= _LEAST_TEXT else None


def _find(table: tuple[tuple[bytes, str], ...], head: bytes) -> str | None:
    return next((reason for first, reason in table if _begins(head, first)), None)


def _begins(head: bytes, first: bytes) -> bool:
    return len(head) >= len(first) and all(
        wanted in (b"."[0], found) for wanted, found in zip(first, head, strict=False)
    )
