"""Odd but legal files: what writers of files do that others do not, by changing plain ones.

Each function takes the bytes of a plain file with tags and gives those of an odd one. Python's own
``wave`` leaves the pad byte out, some taggers fill padding with old tags, iTunes wrote sizes of
ID3v2.4 as plain numbers, and a checksum may be wrong in a file that plays everywhere.
"""

from __future__ import annotations

import re
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import mutagen
import mutagen.id3

from .tagged import (
    with_tags,  # relative, since the scripts in runs/ call this package tests.support
)

RUBBISH = b"what an older tagger left here "
_COMMENTS, _PADDING = 4, 1
_V24_PLAIN_BYTES = 200  # a size above 127 differs between plain and syncsafe


def unpadded_sound(data: bytes) -> bytes:
    """A WAV or AIFF that ends with an odd number of bytes of sound, and no pad byte."""
    order = "little" if data[:4] == b"RIFF" else "big"
    name = b"data" if order == "little" else b"SSND"
    chunks = [(n, c) for n, c in _chunks(data, order) if n != name]
    sound = dict(_chunks(data, order))[name]
    return _form(data, order, [*chunks, (name, sound[:20_001])])


def unpadded_tag(data: bytes) -> bytes:
    """A WAV or AIFF whose tag of odd length stands last, without its pad byte."""
    order = "little" if data[:4] == b"RIFF" else "big"
    chunks = list(_chunks(data, order))
    tags = [(n, c) for n, c in chunks if n in {b"ID3 ", b"id3 "}]
    others = [(n, c) for n, c in chunks if n not in {b"ID3 ", b"id3 "}]
    name, tag = tags[-1] if tags else (b"JUNK", RUBBISH)
    return _form(data, order, [*others, (name, tag if len(tag) % 2 else tag + b"\0")])


def rubbish_info(data: bytes) -> bytes:
    """A WAV with a LIST INFO of odd pieces, padded by something that is not zero."""
    pieces = (
        b"INAM" + struct.pack("<I", 3) + b"abc\x7f" + b"IGNR" + struct.pack("<I", 5) + b"Polka!"
    )
    return _form(data, "little", [*_chunks(data, "little"), (b"LIST", b"INFO" + pieces)])


def overstuffed(data: bytes) -> bytes:
    """ID3v2.3 in which every FF has a zero behind it, needed or not."""
    flags, body, rest = _id3(data)
    return _with_id3(3, 0, flags | 0x80, body.replace(b"\xff", b"\xff\0"), rest)


def extended(data: bytes) -> bytes:
    """ID3v2.3 with an extended header that states some other padding than there is."""
    flags, body, rest = _id3(data)
    return _with_id3(3, 0, flags | 0x40, struct.pack(">IHI", 6, 0, 77) + body, rest)


def checksummed(data: bytes) -> bytes:
    """ID3v2.3 with an extended header that holds a checksum."""
    flags, body, rest = _id3(data)
    header = struct.pack(">IHII", 10, 0x8000, 0, 0x12345678)
    return _with_id3(3, 0, flags | 0x40, header + body, rest)


def revised(data: bytes) -> bytes:
    """An ID3 tag of a revision that nobody published."""
    return data[:4] + b"\7" + data[5:]


def experimental(data: bytes) -> bytes:
    """An ID3 tag that calls itself experimental."""
    return data[:5] + bytes([data[5] | 0x20]) + data[6:]


def plain_sizes(data: bytes) -> bytes:
    """ID3v2.4 whose frames state plain sizes, as iTunes wrote them."""
    flags, body, rest = _id3(data)
    text = b"TIT2" + struct.pack(">IH", _V24_PLAIN_BYTES, 0)
    text += b"\3" + b"t" * (_V24_PLAIN_BYTES - 1)
    genre = re.search(rb"TCON....\0\0", body, re.DOTALL)
    frames = body[genre.start() : genre.end() + _plain(genre[0][4:8])] if genre else b""
    return _with_id3(4, 0, flags, text + frames + bytes(64), rest)


def ape_flags(data: bytes) -> bytes:
    """An APEv2 tag whose header has bits that its footer has not."""
    at = data.rindex(b"APETAGEX", 0, data.rindex(b"APETAGEX"))
    return data[: at + 20] + bytes([data[at + 20] | 0x10]) + data[at + 21 :]


def ape_reserved(data: bytes) -> bytes:
    """An APEv2 tag whose reserved bytes are in use."""
    at = data.rindex(b"APETAGEX")
    return data[: at + 24] + b"reserved" + data[at + 32 :]


def ape_read_only(data: bytes) -> bytes:
    """An APEv2 tag whose first item says that it is read-only."""
    at = data.rindex(b"APETAGEX", 0, data.rindex(b"APETAGEX")) + 32
    return data[: at + 4] + bytes([data[at + 4] | 1]) + data[at + 5 :]


def ape_without_header(data: bytes) -> bytes:
    """An APEv2 tag with a footer alone."""
    foot = data.rindex(b"APETAGEX")
    at = data.rindex(b"APETAGEX", 0, foot)
    flags = int.from_bytes(data[foot + 20 : foot + 24], "little") & ~(1 << 31)
    footer = data[foot : foot + 20] + flags.to_bytes(4, "little") + data[foot + 24 :]
    return data[:at] + data[at + 32 : foot] + footer


def flac_rubbish(data: bytes) -> bytes:
    """FLAC with padding that is not zero: a block that players skip."""
    return _flac([(k, _filled(len(c)) if k == _PADDING else c) for k, c in _blocks(data)], data)


def flac_order(data: bytes) -> bytes:
    """FLAC with padding of rubbish on both sides of its comments, and a block of some program."""
    blocks = [(k, c) for k, c in _blocks(data) if k != _PADDING]
    blocks = [blocks[0], (_PADDING, _filled(100)), (2, b"TEST" + RUBBISH), *blocks[1:]]
    return _flac([*blocks, (_PADDING, _filled(20)), (_PADDING, _filled(300))], data)


def mp4_rubbish(data: bytes) -> bytes:
    """MP4 whose free atoms hold something."""
    changed = bytearray(data)
    for found in re.finditer(b"free", data):
        size = int.from_bytes(data[found.start() - 4 : found.start()], "big")
        if 8 < size <= len(data) - found.start() + 4:
            changed[found.end() : found.start() - 4 + size] = _filled(size - 8)
    return bytes(changed)


def mp4_spare(data: bytes) -> bytes:
    """MP4 with more free atoms of rubbish at its end, and one that is empty."""
    return data + struct.pack(">I", 8 + len(RUBBISH)) + b"free" + RUBBISH + b"\0\0\0\x08free"


def ogg_checksum(data: bytes) -> bytes:
    """Ogg with a wrong checksum on the page of its comments."""
    return _flipped(data, data.index(b"OggS", 4) + 22)


def ogg_sound_checksum(data: bytes) -> bytes:
    """Ogg with a wrong checksum on its last page."""
    return _flipped(data, data.rindex(b"OggS") + 22)


# Suffix of the plain file, and whether it has an ID3 tag of version 3, 4 or none.
KINDS: dict[str, tuple[str, int, Callable[[bytes], bytes]]] = {
    "wav without a pad byte": (".wav", 4, unpadded_sound),
    "wav with an unpadded tag": (".wav", 4, unpadded_tag),
    "wav with odd texts": (".wav", 4, rubbish_info),
    "aiff without a pad byte": (".aiff", 4, unpadded_sound),
    "aiff with an unpadded tag": (".aiff", 4, unpadded_tag),
    "id3v2.3 with needless zeros": (".mp3", 3, overstuffed),
    "id3v2.3, extended": (".mp3", 3, extended),
    "id3v2.3 with a checksum": (".mp3", 3, checksummed),
    "id3v2.3 of a revision": (".mp3", 3, revised),
    "id3v2.4 of a revision": (".tta", 4, revised),
    "id3v2.4, experimental": (".mp3", 4, experimental),
    "id3v2.4 with plain sizes": (".mp3", 4, plain_sizes),
    "ape with flags": (".wv", 0, ape_flags),
    "ape with reserved bytes": (".wv", 0, ape_reserved),
    "ape, read-only": (".wv", 0, ape_read_only),
    "ape without a header": (".wv", 0, ape_without_header),
    "flac with rubbish": (".flac", 0, flac_rubbish),
    "flac in another order": (".flac", 0, flac_order),
    "mp4 with rubbish": (".m4a", 0, mp4_rubbish),
    "mp4 with spare atoms": (".m4a", 0, mp4_spare),
    "ogg with a wrong checksum": (".ogg", 0, ogg_checksum),
    "ogg with a wrong last checksum": (".ogg", 0, ogg_sound_checksum),
    "opus with a wrong checksum": (".opus", 0, ogg_checksum),
}


def make(plain: Path, kind: str, place: Path, genres: list[str], bulk: int) -> Path:
    """An odd file next to ``place``'s name, from a plain one without tags.

    ``bulk`` is the length of a comment, which moves everything behind it.
    """
    suffix, version, oddity = KINDS[kind]
    path = place.with_suffix(suffix)
    shutil.copy(plain, path)
    with_tags(path, genres)
    file = mutagen.File(path)
    if isinstance(file.tags, mutagen.id3.ID3):
        file.tags.add(mutagen.id3.COMM(encoding=3, lang="eng", desc="", text=["x" * bulk]))
    else:
        file.tags["\xa9cmt" if suffix == ".m4a" else "comment"] = "x" * bulk
    file.save()
    if suffix in {".mp3", ".tta"}:
        mutagen.id3.ID3(path).save(path, v2_version=version)
    path.write_bytes(oddity(path.read_bytes()))
    return path


def _filled(length: int) -> bytes:
    return (RUBBISH * (length // len(RUBBISH) + 1))[:length]


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def _chunks(data: bytes, order: str) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], order)
        yield data[at : at + 4], data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _form(data: bytes, order: str, chunks: list[tuple[bytes, bytes]]) -> bytes:
    """A file of these chunks, the last of which has no pad byte."""
    body = data[8:12]
    for name, content in chunks:
        body += bytes(len(body) % 2) + name + len(content).to_bytes(4, order) + content
    return data[:4] + len(body).to_bytes(4, order) + body


def _plain(size: bytes) -> int:
    """A syncsafe number."""
    return size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3]


def _id3(data: bytes) -> tuple[int, bytes, bytes]:
    """Flags and content of the tag in front, and what follows it."""
    end = 10 + _plain(data[6:10])
    return data[5], data[10:end], data[end:]


def _with_id3(version: int, revision: int, flags: int, body: bytes, rest: bytes) -> bytes:
    size = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3" + bytes([version, revision, flags]) + size + body + rest


def _blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    at, last = 4, False
    while not last:
        last, size = data[at] > 0x7F, int.from_bytes(data[at + 1 : at + 4], "big")
        yield data[at] & 0x7F, data[at + 4 : at + 4 + size]
        at += 4 + size


def _flac(blocks: list[tuple[int, bytes]], data: bytes) -> bytes:
    head = b"fLaC"
    for number, (kind, content) in enumerate(blocks, 1):
        last = 0x80 if number == len(blocks) else 0
        head += bytes([kind | last]) + len(content).to_bytes(3, "big") + content
    return head + data[4 + sum(4 + len(content) for _, content in _blocks(data)) :]
