"""What a person wrote is read, in whatever bytes; what nobody wrote is not a genre."""

from __future__ import annotations

import struct

import mutagen
import pytest
from support import tagged

from tonearm.errors import TagError
from tonearm.tagging.fields import edits_for_genres
from tonearm.tagging.read import read_tags

MPEG_FRAMES = (b"\xff\xfb\x90\x64" + bytes(413)) * 20


def mp3(path, body, *, version=4, behind=b""):
    """An MP3 whose tag holds one genre frame."""
    frame = tagged.id3_frame(b"TCON", body, version)
    path.write_bytes(tagged.id3_tag(version, 0, frame) + behind + MPEG_FRAMES)
    return path


@pytest.mark.parametrize(
    ("body", "genres"),
    [
        (b"\3P\xf6lka", ("Pölka",)),  # Latin-1 that says it is UTF-8
        (b"Polka", ("Polka",)),  # no encoding at all
        (b"\1\xff\xfeP\0\0\xd8k\0", ("P�k",)),  # half of a surrogate pair
        (b"\2\0P\0o\0l\0k\0a", ("Polka",)),
        (b"\3(17)", ("Rock",)),
        (b"\3Rock\0Polka", ("Rock", "Polka")),
        (b"\0(255)", ()),
        (b"\0(999)Polka", ("Polka",)),
        (b"\0", ()),
        (b"\3 \0", ()),
    ],
)
def test_genres_of_id3_in_any_bytes(tmp_path, body, genres):
    path = mp3(tmp_path / "a.mp3", body)
    assert read_tags(path).genres == genres
    data = path.read_bytes()
    tagged.edit(path, edits_for_genres(path, ["Jazz"], guesses=[]))
    assert read_tags(path).genres == ("Jazz",)
    assert b"lka" not in path.read_bytes() and data != path.read_bytes()


def test_a_second_id3_tag_with_a_genre_is_not_left_behind(tmp_path):
    other = tagged.id3_tag(4, 0, tagged.id3_frame(b"TCON", b"\3Swing"))
    path = mp3(tmp_path / "a.mp3", b"\3", behind=other)
    assert read_tags(path).genres == ("Swing",)
    with pytest.raises(TagError, match="second ID3 tag"):
        edits_for_genres(path, ["Jazz"], guesses=[])


def test_apev2_before_lyrics3_follows(tmp_path):
    """Players that read APEv2 would go on showing the old genre."""
    path = mp3(tmp_path / "a.mp3", b"\3Polka")
    tags = mutagen.apev2.APEv2()
    tags["Genre"] = "Polka"
    tags.save(path)
    lyrics = b"LYRICSBEGININD0000200"
    with path.open("ab") as file:
        file.write(lyrics + f"{len(lyrics):06}LYRICS200".encode() + b"TAG" + bytes(124) + b"\xff")
    tagged.edit(path, edits_for_genres(path, ["Jazz"], guesses=[]))
    assert b"Polka" not in path.read_bytes()


def atom(name, *content):
    data = b"".join(content)
    return struct.pack(">I", len(data) + 8) + name + data


def text(name, value, kind=1):
    return atom(name, atom(b"data", struct.pack(">II", kind, 0), value))


def tag_list(*items):
    handler = atom(b"hdlr", bytes(8), b"mdirappl", bytes(9))
    return atom(b"meta", bytes(4), handler, atom(b"ilst", *items))


def with_udta(path, *udta):
    """The tags of an M4A whose movie atom is its last, made again."""
    data = path.read_bytes()
    at = data.rindex(b"moov") - 4
    (size,) = struct.unpack_from(">I", data, at)
    assert at + size == len(data), "the movie atom is not the last"
    moov = data[at + 8 :]
    if b"udta" in moov:
        moov = moov[: moov.rindex(b"udta") - 4]
    path.write_bytes(data[:at] + atom(b"moov", moov, *udta))
    return path


def test_an_m4a_with_chapters_before_its_tags(song):
    tags = atom(b"udta", tag_list(text(b"\xa9nam", b"Song"), text(b"\xa9gen", b"Polka")))
    path = with_udta(song(".m4a", None), atom(b"udta", atom(b"chpl", bytes(9))), tags)
    found = read_tags(path)
    assert (found.title, found.genres) == ("Song", ("Polka",))
    tagged.edit(path, edits_for_genres(path, ["Jazz"], guesses=[]))
    assert read_tags(path).genres == ("Jazz",) and b"Polka" not in path.read_bytes()


def test_an_m4a_with_two_lists_of_tags_is_read_and_not_written(song):
    first = atom(b"udta", tag_list(text(b"\xa9nam", b"Song")))
    path = with_udta(song(".m4a", None), first, atom(b"udta", tag_list(text(b"\xa9gen", b"Polka"))))
    assert read_tags(path).genres == ("Polka",)
    with pytest.raises(TagError, match="several lists of tags"):
        edits_for_genres(path, ["Jazz"], guesses=[])


@pytest.mark.parametrize(
    ("item", "genres"),
    [
        (text(b"\xa9gen", b"P\xf6lka"), ("Pölka",)),
        (text(b"\xa9gen", "Pölka".encode("utf-16-be"), kind=2), ("Pölka",)),
        (text(b"gnre", b"\x12", kind=0), ("Rock",)),
        (text(b"gnre", b"\0\0", kind=0), ()),
    ],
)
def test_genres_of_mp4_in_any_bytes(song, item, genres):
    path = with_udta(song(".m4a", None), atom(b"udta", tag_list(item)))
    assert read_tags(path).genres == genres


def test_quicktime_keys_are_read_and_not_written(song):
    key = b"com.apple.quicktime.genre"
    keys = atom(b"keys", struct.pack(">II", 0, 1), struct.pack(">I", len(key) + 8), b"mdta", key)
    handler = atom(b"hdlr", bytes(8), b"mdta", bytes(13))
    values = atom(b"ilst", text(b"\0\0\0\1", b"Polka"))
    path = with_udta(song(".m4a", None), atom(b"meta", bytes(4), handler, keys, values))
    assert read_tags(path).genres == ("Polka",)
    with pytest.raises(TagError, match="QuickTime key"):
        edits_for_genres(path, ["Jazz"], guesses=[])


def test_a_wav_whose_chunk_lacks_its_pad_byte_is_read_and_not_written(song):
    path = song(".wav", None)
    info = b"INFO" + b"IGNR" + struct.pack("<I", 5) + b"Polka"
    id3 = tagged.id3_tag(4, 0, tagged.id3_frame(b"TIT2", b"\3Song"))
    data = path.read_bytes()
    data += b"LIST" + struct.pack("<I", len(info)) + info
    data += b"id3 " + struct.pack("<I", len(id3)) + id3
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    found = read_tags(path)
    assert (found.title, found.genres) == ("Song", ("Polka",))
    with pytest.raises(TagError, match="pad byte"):
        edits_for_genres(path, ["Jazz"], guesses=[])
    assert path.read_bytes()[:4] == b"RIFF"


def test_a_binary_genre_of_wma_is_none(song):
    path = song(".wma", None)
    file = mutagen.File(path)
    file["WM/Genre"] = [mutagen.asf.ASFByteArrayAttribute(b"\1\2\3")]
    file.save()
    assert read_tags(path).genres == ()


def test_the_genre_of_a_flac_with_an_id3_tag_alone(song):
    path = song(".flac", None)
    path.write_bytes(
        tagged.id3_tag(4, 0, tagged.id3_frame(b"TCON", b"\3Polka")) + path.read_bytes()
    )
    assert read_tags(path).genres == ("Polka",)
