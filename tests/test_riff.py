from __future__ import annotations

import io
import struct

from mutagen import id3
from support import tagged

from tonearm.tagging.read import read_tags


def test_wav_info_is_read_and_follows(song):
    path = song(".wav")
    info = b"INFO" + b"IGNR\6\0\0\0Rock\0\0" + b"INAM\5\0\0\0Name\0\0"
    body = path.read_bytes()[8:] + b"LIST" + struct.pack("<I", len(info)) + info
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    data = path.read_bytes()
    tags = read_tags(path)
    assert (tags.genres, tags.title, tags.by_tonearm) == (("Rock",), "Name", False)
    before = tagged.write(path, ["Jazz"])
    assert b"IGNR\5\0\0\0Jazz\0\0INAM" in path.read_bytes()
    assert id3.ID3(fileobj_of(path))["TCON"].text == ["Jazz"]
    tagged.put_back(path, before)
    assert path.read_bytes() == data


def fileobj_of(path):
    data = path.read_bytes()
    return io.BytesIO(data[data.index(b"ID3\4") :])
