"""Lists of paths in every form that programs write."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonearm.cli.path_list import not_a_list, paths_in

HERE = Path("music")
posix = pytest.mark.skipif(os.name != "posix", reason="bytes in names")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
    ],
)
def test_lines_in_every_encoding(end: str, encoding: str, mark: bytes) -> None:
    names = ["song.flac", "Pölka/#1.mp3", "日本.ogg"]
    for last in ("", end):
        data = mark + (end.join(names) + last).encode(encoding)
        assert paths_in(data, folder=HERE) == [Path(name) for name in names]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark(encoding: str) -> None:
    data = "song.flac\nother.mp3\n".encode(encoding)
    assert paths_in(data, folder=HERE) == [Path("song.flac"), Path("other.mp3")]


@posix
def test_nul_as_find_writes_it() -> None:
    names = [b"a\nb.wav", b"x", b"y", b"caf\xe9.mp3"]
    found = paths_in(b"\0".join(names) + b"\0", folder=HERE)
    assert [os.fsencode(path) for path in found] == names


def test_a_playlist_is_read_from_where_it_lies(tmp_path: Path) -> None:
    text = "#EXTM3U\n#EXTINF:12,Somebody - Song\na.mp3\n\n  # a remark\n../b.mp3 \n/abs/c.mp3\n"
    text += "file:///with%20space/d.mp3\nsub\\e.mp3\n"
    found = paths_in(b"\xef\xbb\xbf" + text.encode(), folder=tmp_path)
    assert found[:4] == [
        tmp_path / "a.mp3",
        tmp_path / "../b.mp3",
        Path("/abs/c.mp3"),
        Path("/with space/d.mp3"),
    ]
    if os.sep == "/":
        assert found[4] == tmp_path / "sub/e.mp3"
    assert paths_in(text.encode("utf-16"), folder=tmp_path) == found


def test_without_its_first_line_only_the_name_says_that_it_is_a_playlist(tmp_path: Path) -> None:
    data = b"#1 hit.mp3\na.mp3\n"
    assert paths_in(data, folder=tmp_path) == [Path("#1 hit.mp3"), Path("a.mp3")]
    assert paths_in(data, folder=tmp_path, is_playlist=True) == [tmp_path / "a.mp3"]


@given(st.binary(max_size=60))
def test_no_list_raises(data: bytes) -> None:
    for each in (
        data,
        b"#EXTM3U\nfile://[" + data,
        b"#EXTM3U\n" + data,
        codecs.BOM_UTF16_LE + data,
    ):
        paths_in(each, folder=HERE)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1)))
def test_names_are_kept(names: list[str]) -> None:
    wanted = [Path(name) for name in names]
    if names and (names[0].startswith(("#EXTM3U", "\ufeff"))):
        return
    assert paths_in("\n".join(names).encode(), folder=HERE) == wanted
    assert (
        paths_in(codecs.BOM_UTF16_LE + "\n".join(names).encode("utf-16-le"), folder=HERE) == wanted
    )


def test_a_pls_names_its_files_alone() -> None:
    text = "[playlist]\nNumberOfEntries=2\nFile1=a.mp3\nTitle1=A\nLength1=9\nfile2=b c.mp3\n"
    assert paths_in(text.encode(), folder=HERE) == [HERE / "a.mp3", HERE / "b c.mp3"]


@posix
@pytest.mark.parametrize("entry", [b"caf\xe9.mp3", b"caf%C3%A9.mp3", "caf\u00e9.mp3".encode()])
def test_an_entry_is_found_however_it_is_written(entry: bytes, tmp_path: Path) -> None:
    (tmp_path / "caf\u00e9.mp3").touch()
    assert paths_in(b"#EXTM3U\n" + entry, folder=tmp_path) == [tmp_path / "caf\u00e9.mp3"]


def test_what_is_no_list_is_named() -> None:
    for data, said in {
        b"ID3\4\0\0\0\0\0\0": "is a song",
        b"fLaC\0\0\0\x22": "is a song",
        b"PK\3\4" + bytes(20): "is a ZIP archive",
        b'\xef\xbb\xbf<?xml version="1.0"?><playlist>': "is XML",
        b'FILE "a.wav" WAVE\n': "is a CUE sheet",
        b'["a.mp3"]': "is JSON",
    }.items():
        assert said in (not_a_list(data) or "")
    for data in (b"a.mp3\n", b"[a] b.mp3\n", b"#EXTM3U\n", b"", "a\n".encode("utf-16")):
        assert not_a_list(data) is None
