from __future__ import annotations

import io
import shutil
import time
from pathlib import Path

import av
import mutagen.flac
import mutagen.id3
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import small_files

from tonearm.containers.edges import sound_bounds
from tonearm.containers.sound_key import sound_key


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One recording in every container."""
    folder = tmp_path_factory.mktemp("containers")
    samples = small_files.music(1, 6.0)
    return {
        suffix: small_files.write(folder / f"song{suffix}", samples)
        for suffix in small_files.CONTAINERS
    }


@pytest.mark.parametrize("suffix", small_files.CONTAINERS)
def test_a_key_survives_renaming_and_tagging(files, tmp_path, suffix):
    before = sound_key(files[suffix])
    path = tmp_path / f"renamed ñ{suffix}"
    shutil.copy(files[suffix], path)
    assert sound_key(path) == before
    for text, bulk in (("Jazz", 0), ("Rock", 100_000), ("Pop", 3), ("A" * 3_000, 900_000)):
        small_files.retag(path, text=text, bulk=bulk)
        assert sound_key(path) == before, f"after a comment of {bulk} bytes"
    assert suffix in (".caf",) or path.read_bytes() != files[suffix].read_bytes()


@pytest.mark.parametrize("suffix", small_files.CONTAINERS)
def test_recordings_of_one_length_and_one_intro_differ(files, tmp_path, suffix):
    samples = small_files.music(1, 6.0)
    second = samples.shape[0] // 6
    samples[3 * second : 4 * second] = small_files.music(2, 1.0)[:second]
    other = small_files.write(tmp_path / f"other{suffix}", samples)
    assert sound_key(other) != sound_key(files[suffix])


def test_containers_have_different_keys(files):
    assert len({sound_key(path) for path in files.values()}) == len(files)


def test_tags_at_the_end_of_an_mp3_do_not_count(files, tmp_path):
    before = sound_key(files[".mp3"])
    path = tmp_path / "song.mp3"
    audio = files[".mp3"].read_bytes()
    with files[".mp3"].open("rb") as file:
        audio = audio[slice(*sound_bounds(file))]
    id3v1 = b"TAG" + bytes(125)
    path.write_bytes(audio + id3v1)
    assert sound_key(path) == before
    item = b"Artist"
    value = (3).to_bytes(4, "little") + bytes(4) + item + b"\0" + b"abc"
    size = (len(value) + 32).to_bytes(4, "little")
    footer = b"APETAGEX" + (2000).to_bytes(4, "little") + size + (1).to_bytes(4, "little")
    header = footer + (0xA0000000).to_bytes(4, "little") + bytes(8)
    footer += (0x80000000).to_bytes(4, "little") + bytes(8)
    lyrics = b"LYRICSBEGININD00002" + b"10"
    lyrics += str(len(lyrics)).zfill(6).encode() + b"LYRICS200"
    for tail in (
        header + value + footer,
        header + value + footer + id3v1,
        lyrics + id3v1,
        header + value + footer + lyrics + id3v1,
    ):
        path.write_bytes(audio + tail)
        assert sound_key(path) == before


def test_an_apev2_tag_of_131_bytes_is_not_read_as_id3v1(files, tmp_path):
    """TAG of APETAGEX then stands where ID3v1 begins."""
    path = tmp_path / "song.mp3"
    with files[".mp3"].open("rb") as file:
        begin, end = sound_bounds(file)
        file.seek(begin)
        audio = file.read(end - begin)
    path.write_bytes(audio)
    before = sound_key(path)
    for length in range(129, 134):
        text = b"x" * (length - 77)  # the rest of the tag takes 77 bytes
        value = len(text).to_bytes(4, "little") + bytes(4) + b"Tool\0" + text
        size = (len(value) + 32).to_bytes(4, "little")
        common = b"APETAGEX" + (2000).to_bytes(4, "little") + size + (1).to_bytes(4, "little")
        header = common + (0xA0000000).to_bytes(4, "little") + bytes(8)
        footer = common + (0x80000000).to_bytes(4, "little") + bytes(8)
        tag = header + value + footer
        assert len(tag) == length
        path.write_bytes(audio + tag)
        assert sound_key(path) == before, length


def test_two_id3_tags_and_padding_behind_them_do_not_count(files, tmp_path):
    path = tmp_path / "song.mp3"
    tag = b"ID3\x04\x00\x00\x00\x00\x01\x00" + bytes(128)
    with files[".mp3"].open("rb") as file:
        begin, end = sound_bounds(file)
        file.seek(begin)
        audio = file.read(end - begin)
    path.write_bytes(tag + tag + bytes(777) + audio)
    assert sound_key(path) == sound_key(files[".mp3"])


def test_a_picture_of_a_flac_and_an_id3_tag_in_front_do_not_count(files, tmp_path):
    path = tmp_path / "song.flac"
    shutil.copy(files[".flac"], path)
    flac = mutagen.flac.FLAC(path)
    picture = mutagen.flac.Picture()
    picture.data, picture.mime, picture.type = bytes(300_000), "image/png", 3
    flac.add_picture(picture)
    flac.save()
    assert sound_key(path) == sound_key(files[".flac"])
    id3 = mutagen.id3.ID3()
    id3.add(mutagen.id3.TPE1(encoding=3, text=["x"]))
    id3.save(path)
    assert path.read_bytes()[:3] == b"ID3"
    assert sound_key(path) == sound_key(files[".flac"])


@pytest.mark.parametrize("suffix", [".ogg", ".opus"])
def test_ogg_pages_that_are_cut_again_do_not_count(tmp_path, suffix):
    path = small_files.write(tmp_path / f"song{suffix}", small_files.music(3, 70.0))
    again = tmp_path / f"again{suffix}"
    with (
        av.open(str(path)) as source,
        av.open(str(again), "w", format="ogg", options={"page_duration": "200000"}) as sink,
    ):
        stream = source.streams.audio[0]
        copy = sink.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                sink.mux(packet)
    assert again.stat().st_size != path.stat().st_size
    assert sound_key(again) == sound_key(path)
    small_files.retag(path, text="Jazz", bulk=200_000)
    assert sound_key(path) == sound_key(again)


def remux(path: Path, to: Path) -> Path:
    """Copy the packets into a new file, as ``ffmpeg -codec copy`` does to write a tag."""
    with av.open(str(path)) as source, av.open(str(to), "w") as sink:
        stream = source.streams.audio[0]
        copy = sink.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                sink.mux(packet)
        sink.metadata["artist"] = "Somebody"
    return to


@pytest.mark.parametrize("suffix", [".mp3", ".flac", ".wav", ".aiff", ".m4a", ".aac"])
def test_a_file_that_ffmpeg_copied_has_the_same_key(files, tmp_path, suffix):
    copy = remux(files[suffix], tmp_path / f"copy{suffix}")
    assert sound_key(copy) == sound_key(files[suffix])


def test_an_index_that_moves_to_the_front_of_an_mp4_does_not_count(tmp_path):
    samples = small_files.music(5)
    path = small_files.write(tmp_path / "song.m4a", samples)
    front = tmp_path / "front.m4a"
    with (
        av.open(str(path)) as source,
        av.open(str(front), "w", format="ipod", options={"movflags": "faststart"}) as sink,
    ):
        stream = source.streams.audio[0]
        copy = sink.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                sink.mux(packet)
    assert front.read_bytes().index(b"moov") < front.read_bytes().index(b"mdat")
    assert sound_key(front) == sound_key(path)


def test_mostly_silent_tracks_of_one_length_differ(tmp_path):
    keys = set()
    for second in range(20):
        samples = np.zeros((20 * small_files.RATE_HZ, 2), dtype=np.float32)
        start = second * small_files.RATE_HZ + 9_000
        samples[start : start + 2_000] = small_files.music(second, 1.0)[:2_000]
        keys.add(sound_key(small_files.wav(tmp_path / f"{second}.wav", samples)))
    assert len(keys) == 20


@pytest.mark.parametrize("suffix", [".mp3", ".flac"])
def test_a_terabyte_of_zeros_is_not_read_through(files, tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    shutil.copy(files[suffix], path)
    with path.open("r+b") as file:
        file.truncate(1 << 40)  # nothing of it is written to the disk
    begun_s = time.process_time()
    assert sound_key(path) != sound_key(files[suffix])
    assert time.process_time() - begun_s < 10


def test_what_breaks_off_is_another_sound(files, tmp_path):
    for suffix, path in files.items():
        short = tmp_path / f"short{suffix}"
        short.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        assert sound_key(short) != sound_key(path), suffix


def test_an_empty_name_of_a_container_is_no_error(tmp_path):
    for head in (
        b"fLaC",
        b"RIFF\0\0\0\0WAVE",
        b"OggS",
        b"\0\0\0\x08ftyp",
        b"DSD ",
        b"\x1aE\xdf\xa3",
    ):
        path = tmp_path / "odd"
        path.write_bytes(head)
        assert len(sound_key(path)) == 32


@given(data=st.binary(min_size=1, max_size=300), head=st.integers(0, 9))
def test_any_bytes_have_a_key(tmp_path_factory, data, head):
    heads = [b"", b"fLaC", b"RIFF....WAVE", b"FORM....AIFF", b"FRM8", b"caff", b"DSD ", b"....ftyp"]
    heads += [bytes.fromhex("1a45dfa3"), bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")]
    path = tmp_path_factory.getbasetemp() / "bytes"
    path.write_bytes(heads[head] + data)
    assert len(sound_key(path)) == 32
    stream = io.BytesIO(path.read_bytes())
    assert stream.read(1)


def test_a_missing_file_says_so(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        sound_key(tmp_path / "none.mp3")
