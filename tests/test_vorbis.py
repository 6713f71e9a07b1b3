from __future__ import annotations

import pytest
from mutagen.flac import FLAC
from support import tagged
from support.tagged import id3_frame as frame
from support.tagged import id3_tag


def test_id3_in_front_of_flac_stays_as_it_is(song):
    path = song(".flac", ["Rock"])
    front = id3_tag(4, 0, frame(b"TCON", b"\0Foreign") + bytes(20))
    path.write_bytes(front + path.read_bytes())
    before = tagged.write(path, ["Jazz"])
    assert path.read_bytes().startswith(front)
    assert FLAC(path)["genre"] == ["Jazz"]
    tagged.put_back(path, before)
    assert FLAC(path)["genre"] == ["Rock"]


@pytest.mark.parametrize("padding", [0, 3, 10_000])
def test_flac_grows_only_beyond_its_padding(song, padding):
    path = song(".flac", ["Rock"])
    file = FLAC(path)
    file.save(padding=lambda _: padding)
    data = path.read_bytes()
    before = tagged.write(path, ["Jazz"])
    assert (len(path.read_bytes()) == len(data)) is (padding == 10_000)
    assert FLAC(path).pictures[0].data == tagged.PICTURE
    tagged.put_back(path, before)
    assert path.read_bytes() == data


def test_flac_without_any_comments(song):
    path = song(".flac")
    data = path.read_bytes()
    size = 4 + int.from_bytes(data[5:8], "big")
    audio = data.index(b"\xff\xf8", size)
    path.write_bytes(b"fLaC\x80" + data[5 : 4 + size] + data[audio:])
    bare = path.read_bytes()
    before = tagged.write(path, ["Jazz"])
    assert FLAC(path)["genre"] == ["Jazz"]
    tagged.put_back(path, before)
    assert path.read_bytes() == bare
