from __future__ import annotations

import struct

import pytest
from mutagen import id3
from mutagen.apev2 import APEv2
from support import tagged
from support.tagged import id3_frame as frame
from support.tagged import id3_tag

from tonearm.errors import TagError
from tonearm.tagging.fields import edits_for_genres, other_items
from tonearm.tagging.read import others, read_tags


def test_version_2_3_stays_and_is_joined(song):
    path = song(".mp3")
    tags = id3.ID3()
    tags.add(id3.TIT2(encoding=1, text=["Tïtle"]))
    tags.add(id3.TYER(encoding=0, text=["1999"]))
    tags.add(id3.TCON(encoding=0, text=["(17)"]))
    tags.save(path, v2_version=3)
    data = path.read_bytes()
    assert read_tags(path).genres == ("Rock",)
    before = tagged.write(path, ["Jazz", "Électro"])
    loaded = id3.ID3(path, translate=False)
    assert loaded.version == (2, 3, 0)
    assert loaded["TCON"].text == ["Jazz; Électro"]
    assert loaded["TYER"].text == ["1999"]
    assert read_tags(path).genres == ("Jazz", "Électro")
    tagged.put_back(path, before)
    assert path.read_bytes() == data
    assert b"(17)" in data


RAW_TAGS = {
    "two genre frames": id3_tag(
        4,
        0,
        frame(b"TCON", b"\0(17)") + frame(b"TIT2", b"\0x") + frame(b"TCON", b"\x01\xff\xfeP\0"),
    ),
    "junk and doubles": id3_tag(
        3, 0, frame(b"TIT2", b"\0one", 3) * 2 + frame(b"ZZZZ", b"\0\1", 3) + bytes(50)
    ),
    "version 2.2": id3_tag(2, 0, frame(b"TT2", b"\0x", 2) + frame(b"TCO", b"\0(4)", 2) + bytes(9)),
    "unsynchronised": id3_tag(
        3, 0x80, frame(b"TIT2", b"\x01\xff\xfex\0", 3).replace(b"\xff", b"\xff\0")
    ),
    "extended": id3_tag(
        3, 0x40, struct.pack(">IHI", 6, 0, 30) + frame(b"TIT2", b"\0x", 3) + bytes(30)
    ),
    "only padding": id3_tag(4, 0, bytes(100)),
    "new frames in 2.3": id3_tag(
        3, 0, frame(b"TSOP", b"\0Sort", 3) + frame(b"TDRC", b"\x002001", 3)
    ),
}


@pytest.mark.parametrize("form", RAW_TAGS)
def test_odd_id3_tags_keep_every_other_byte(song, form):
    path = song(".mp3")
    audio = path.read_bytes()[10 + id3.ID3(path).size - 10 :]
    path.write_bytes(RAW_TAGS[form] + audio)
    data, kept, rest = path.read_bytes(), other_items(path), others(path)
    before = tagged.write(path, ["Jazz", "Blues"])
    assert read_tags(path).genres == ("Jazz", "Blues")
    assert path.read_bytes()[3] == RAW_TAGS[form][3], "version"
    assert (other_items(path), others(path)) == (kept, rest)
    tagged.put_back(path, before)
    assert path.read_bytes() == data


BROKEN_TAGS = {
    "size is not syncsafe": b"ID3\4\0\0\0\0\xff\xff" + bytes(300),
    "unknown version": b"ID3\x09\0\0\0\0\0\x20" + bytes(32),
    "longer than the file": b"ID3\4\0\0\x7f\x7f\x7f\x7f" + bytes(300),
    "sizes do not add up": id3_tag(
        4, 0, frame(b"TIT2", b"\0abc") + b"TCON\0\0\x7f\0\0\0" + b"x" * 40
    ),
    "a checksum": id3_tag(
        3, 0x40, struct.pack(">IHII", 10, 0x8000, 0, 7) + frame(b"TIT2", b"\0x", 3)
    ),
}


@pytest.mark.parametrize("form", BROKEN_TAGS)
def test_a_broken_id3_tag_is_named_and_left_alone(song, form):
    path = song(".mp3")
    path.write_bytes(BROKEN_TAGS[form] + path.read_bytes())
    with pytest.raises(TagError, match="sóng"):
        edits_for_genres(path, ["Jazz"], guesses=[])


def test_version_1_follows_where_it_is(song):
    path = song(".mp3", ["Rock"])
    tags = id3.ID3(path)
    tags.save(path, v1=2)
    data = path.read_bytes()
    before = tagged.write(path, ["Hip-Hop"])
    assert path.read_bytes()[-128:-125] + path.read_bytes()[-1:] == b"TAG\x07"
    tagged.put_back(path, before)
    assert path.read_bytes() == data
    tagged.write(path, ["Something else"])
    assert path.read_bytes()[-1] == 255


def test_fields_of_version_1_come_along_into_a_new_tag(song):
    path = song(".mp3")
    id3.ID3(path).delete(path)
    v1 = b"TAG" + b"Name".ljust(30, b"\0") + b"Artist".ljust(30, b"\0") + b"Album".ljust(30, b"\0")
    path.write_bytes(path.read_bytes() + v1 + b"1999" + b"words".ljust(28, b"\0") + b"\0\x03\xff")
    data = path.read_bytes()
    before = tagged.write(path, ["Jazz"])
    loaded = id3.ID3(path, load_v1=False)
    assert [str(loaded[key]) for key in ("TIT2", "TPE1", "TALB", "TDRC", "TRCK")] == [
        "Name", "Artist", "Album", "1999", "3"
    ]  # fmt: skip
    tagged.put_back(path, before)
    assert path.read_bytes() == data


@pytest.mark.parametrize("full", [False, True])
def test_an_ape_tag_in_an_mp3(song, full):
    path = song(".mp3")
    id3.ID3(path).delete(path)
    ape = APEv2()
    ape["MP3GAIN_MINMAX"] = "100,200"
    if full:
        ape["Title"], ape["Genre"] = "Name", "Rock"
    ape.save(path)
    data = path.read_bytes()
    assert read_tags(path).genres == (("Rock",) if full else ())
    before = tagged.write(path, ["Jazz"])
    assert read_tags(path).genres == ("Jazz",)
    assert (path.read_bytes()[:3] == b"ID3") is not full, "full APE tags stay the only ones"
    assert ("Genre" in APEv2(path)) is full
    tagged.put_back(path, before)
    assert path.read_bytes() == data


# FFmpeg leaves its own name in an APEv2 tag, which comes to 131 bytes with a genre of four letters:
# TAG of APETAGEX then stands where ID3v1 begins.
@pytest.mark.parametrize("suffix", [".tta", ".wv"])
@pytest.mark.parametrize("genre", ["Jazz", "Electronic"])
def test_an_apev2_tag_is_never_read_as_id3v1(song, suffix, genre):
    path = song(suffix)
    original = path.read_bytes()
    before = tagged.write(path, [genre])
    assert path.read_bytes()[-128:-125] != b"TAG"
    assert tagged.ffmpeg_genre(path) == genre
    assert read_tags(path).by_tonearm
    if suffix == ".tta":
        assert id3.ID3(path)["TCON"].text == [genre], "TagLib reads no APEv2 of TTA"
    tagged.put_back(path, before)
    assert path.read_bytes() == original
