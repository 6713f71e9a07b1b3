"""Sound keys as they are stored in libraries: the value for one small file of every container.

A changed value means that every library analyses its music again. The files are built byte by byte,
so that no encoder's version matters; most have something odd about them.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tonearm.containers.sound_key import sound_key

SOUND = random.Random(1).randbytes(3_000)


def chunk(name: bytes, data: bytes, order: str = "<", size: str = "I") -> bytes:
    return name + struct.pack(order + size, len(data)) + data


def wav(*, before: bytes = b"") -> bytes:
    body = b"WAVE" + chunk(b"fmt ", bytes(range(16))) + before + chunk(b"data", SOUND)
    return chunk(b"RIFF", body + chunk(b"LIST", b"INFOIGNR\4\0\0\0Jazz"))


def rf64() -> bytes:
    wide = struct.pack("<QQQI", 0, len(SOUND), 0, 0)
    sound = b"data" + b"\xff" * 4 + SOUND
    body = b"WAVE" + chunk(b"ds64", wide) + chunk(b"fmt ", bytes(range(16))) + sound
    return b"RF64" + b"\xff" * 4 + body + chunk(b"id3 ", b"ID3 tag")


def aiff() -> bytes:
    body = b"AIFF" + chunk(b"COMM", bytes(18), ">") + chunk(b"SSND", bytes(8) + SOUND, ">")
    return chunk(b"FORM", body, ">")


def caf() -> bytes:
    head = b"caff\0\1\0\0" + chunk(b"desc", bytes(32), ">", "Q")
    return head + b"data" + b"\xff" * 8 + SOUND


def dsdiff() -> bytes:
    body = b"DSD " + chunk(b"PROP", b"SND ", ">", "Q") + chunk(b"DSD ", SOUND, ">", "Q")
    return chunk(b"FRM8", body, ">", "Q")


def dsf() -> bytes:
    place = 92 + len(SOUND)
    head = b"DSD " + struct.pack("<QQQ", 28, place + 7, place)
    form = b"fmt " + struct.pack("<Q", 52) + bytes(40)
    return head + form + b"data" + struct.pack("<Q", 12 + len(SOUND)) + SOUND + b"ID3 tag"


def flac() -> bytes:
    info, comments = bytes(range(34)), b"Jazz"
    blocks = b"\0\0\0\x22" + info + b"\x84" + len(comments).to_bytes(3, "big") + comments
    return b"fLaC" + blocks + SOUND


def ogg() -> bytes:
    def page(flags: int, granule: int, number: int, body: bytes) -> bytes:
        lengths = bytes([255] * (len(body) // 255) + [len(body) % 255])
        head = struct.pack("<4sBBqIIIB", b"OggS", 0, flags, granule, 7, number, 0, len(lengths))
        return head + lengths + body

    heads = page(2, 0, 0, b"\1vorbis" + bytes(23)) + page(0, 0, 1, b"\3vorbis tags")
    rubbish = b"between two pages"
    return heads + page(0, 900, 2, SOUND[:2_000]) + rubbish + page(4, 1_800, 3, SOUND[2_000:])


def mp4(*, wide: bool = False) -> bytes:
    sound = struct.pack(">I4s", 8 + len(SOUND), b"mdat") + SOUND
    if wide:
        sound = struct.pack(">I4sQ", 1, b"mdat", 16 + len(SOUND)) + SOUND
    index = struct.pack(">I4s", 16, b"moov") + bytes(8)
    kind = struct.pack(">I4s4sI", 16, b"ftyp", b"M4A ", 0)
    return kind + index + sound + struct.pack(">I4s", 0, b"free") + bytes(5)


def asf() -> bytes:
    head = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + struct.pack("<QIH", 30, 0, 0x0201)
    data = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
    return head + data + struct.pack("<Q", 50 + len(SOUND)) + bytes(26) + SOUND


def matroska() -> bytes:
    head = bytes.fromhex("1a45dfa3") + b"\x84" + bytes(4)
    segment = bytes.fromhex("18538067") + b"\x01" + b"\xff" * 7  # unknown length, as in streams
    info = bytes.fromhex("1549a966") + b"\x82" + bytes(2)
    cluster = bytes.fromhex("1f43b675") + (0x4000 | len(SOUND)).to_bytes(2, "big") + SOUND
    return head + segment + info + cluster


def mp3() -> bytes:
    ape = struct.pack("<8sIIII8s", b"APETAGEX", 2_000, 32, 0, 0, bytes(8))
    v1 = b"TAG" + bytes(125)
    lyrics = b"LYRICSBEGIN" + b"000011LYRICS200"
    return b"ID3\4\0\0\0\0\0\5" + bytes(5) + bytes(3) + SOUND + ape + lyrics + v1


BUILT: dict[str, tuple[Callable[[], bytes], str]] = {
    "wav": (wav, "4502220a8ff16d1bc0b3988e66ef79a5"),
    "wav with a chunk that lacks its pad byte": (
        lambda: wav(before=chunk(b"abcd", b"odd")),
        "0c34694a31c4ee3397379cecb8fc3004",
    ),
    "rf64": (rf64, "4502220a8ff16d1bc0b3988e66ef79a5"),
    "aiff": (aiff, "3a04121926a6c5c0f9f0dd300d7ad136"),
    "caf": (caf, "4a5d37dd53a795799ac0f3b8540a8d0c"),
    "dsdiff": (dsdiff, "5ce988147e776e640e90e5391b4a9c16"),
    "dsf": (dsf, "ba6ddf4467028995d002ee9e52b63898"),
    "flac": (flac, "9f0d5cf6e2f304c0feaf34fc80968e2c"),
    "flac behind ID3": (
        lambda: b"ID3\4\0\0\0\0\0\5" + bytes(5) + flac(),
        "9f0d5cf6e2f304c0feaf34fc80968e2c",
    ),
    "ogg": (ogg, "9022c61ade5c6678658cb991fee442d6"),
    "mp4": (mp4, "d8c7cd00fdb171f1864ed079d8ba679d"),
    "mp4 with a size of 8 bytes": (lambda: mp4(wide=True), "d8c7cd00fdb171f1864ed079d8ba679d"),
    "asf": (asf, "d8c7cd00fdb171f1864ed079d8ba679d"),
    "matroska": (matroska, "d8c7cd00fdb171f1864ed079d8ba679d"),
    "mp3": (mp3, "d8c7cd00fdb171f1864ed079d8ba679d"),
    "nothing known": (lambda: SOUND, "d8c7cd00fdb171f1864ed079d8ba679d"),
}


@pytest.mark.parametrize("name", BUILT)
def test_the_key_of_each_container_is_the_one_in_libraries(name: str, tmp_path: Path) -> None:
    build, key = BUILT[name]
    path = tmp_path / "file"
    path.write_bytes(build())
    assert sound_key(path) == key
