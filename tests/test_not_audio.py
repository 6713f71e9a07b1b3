"""Files that are no audio: named as what they are, with what to do."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
from pathlib import Path

import pytest
from support.sounds import tone, write_sndfile

from tonearm.audio import decode, open_audio
from tonearm.containers.not_audio import described, packed, protected
from tonearm.errors import DecodeError

RATE = 22_050
RANDOM = random.Random(1).randbytes(20_000)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"PK\3\4" + RANDOM, "is a ZIP archive, or a document. Unpack it first"),
        (bz2.compress(RANDOM), "is compressed by bzip2. Unpack it first"),
        (gzip.compress(RANDOM), "is compressed by gzip. Unpack it first"),
        (b"CTENFDAM\1a" + RANDOM, "is copy-protected (NetEase Cloud Music)"),
        (b"\0\0\1\0\x57\x90\x75\x36" + RANDOM, "is copy-protected (Audible)"),
        (b"RIFF$\0\0\0CDDAfmt \x18\0\0\0" + bytes(24), "is a pointer to a track of a CD"),
        (bytes.fromhex("4c0000000114020000000000c0") + bytes(300), "is a Windows shortcut"),
        (b"bplist00" + bytes(150), "is an iCloud placeholder"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "git lfs pull"),
        (b"MThd\0\0\0\6\0\0\0\1\0`" + bytes(300), "is MIDI: notes, without sound"),
        (b"IMPM" + bytes(500), "is a tracker module. Render it to WAV first"),
        (b"\n<!DOCTYPE HTML><html><body>404</body></html>", "is a web page, not a song"),
        ("\ufeff#EXTM3U\nsong.mp3\n".encode(), "is a playlist. Read it with --files-from"),
        (b'FILE "a.wav" WAVE\n  TRACK 01 AUDIO\n', "is a CUE sheet. Give the audio file"),
        (b'{"error": "expired"}' * 200, "is text, not sound"),
        (bytes(100_000), "begins with zeros"),
        (b"hello\n", "has 6 bytes, too few for sound. It is incomplete: get it again"),
    ],
)
def test_it_is_named_as_what_it_is(data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "song.mp3").write_bytes(data)
    with pytest.raises(DecodeError) as caught, open_audio(tmp_path / "song.mp3"):
        pass
    assert said in caught.value.reason and "FFmpeg" not in caught.value.reason
    assert caught.value.kind == ("protected" if "protected" in said else "not-audio")


def test_an_archive_is_not_searched_for_frames_of_a_song(tmp_path: Path) -> None:
    song = write_sndfile(tmp_path / "a.flac", tone(440, 3, RATE), RATE).read_bytes()
    noise = song + RANDOM  # which xz cannot make smaller, so that a song lies in its bytes
    (tmp_path / "a.flac").write_bytes(lzma.compress(noise))
    with pytest.raises(DecodeError, match="is compressed by xz"):
        decode(tmp_path / "a.flac")


def test_a_mark_far_behind_the_beginning_counts() -> None:
    for at, mark in ((44, b"SCRM"), (1_080, b"M.K.")):
        assert described(b"a song".ljust(at, b"\0") + mark + bytes(900)) is not None


def test_of_what_a_song_may_begin_with_nothing_is_said() -> None:
    for head in (b"ID3\4" + RANDOM, b"fLaC" + RANDOM, b"OggS", b"fL", RANDOM, b"\xff\xfb" * 50):
        assert packed(head) is protected(head) is described(head) is None


def test_samples_without_a_header_are_refused(tmp_path: Path) -> None:
    (tmp_path / "song.al").write_bytes(RANDOM)  # FFmpeg knows A-law by this name alone
    with pytest.raises(DecodeError, match="without a header"):
        decode(tmp_path / "song.al")
