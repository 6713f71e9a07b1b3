"""A file of which most is missing is known to be damaged, in every container, and stays so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.small_files import CONTAINERS, music, write

from tonearm.containers.stated_bytes import lacks_index, sound_bytes
from tonearm.errors import DecodeError
from tonearm.library.scan import scan
from tonearm.library.store import Library
from tonearm.model.classifier import Classifier

SECONDS = 6.0
# ADTS has no header that states a length, and an Ogg ends wherever its last page does.
UNSTATED = {".aac"}
# The index of an MP4 that was not rewritten for the web stands at its end.
UNREADABLE = {".m4a"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    for i, suffix in enumerate(CONTAINERS):
        write(folder / f"a{suffix}", music(i, SECONDS))
    return folder


def cut(whole: Path, suffix: str, share: float, place: Path) -> Path:
    data = (whole / f"a{suffix}").read_bytes()
    place.write_bytes(data[: int(len(data) * share)])
    return place


@pytest.mark.parametrize("share", [0.15, 0.5, 0.9])
@pytest.mark.parametrize("suffix", CONTAINERS)
def test_a_part_of_a_file_is_named_as_one(
    suffix: str, share: float, whole: Path, tiny: Classifier, tmp_path: Path
) -> None:
    found = tiny.predict_or_error(cut(whole, suffix, share, tmp_path / f"a{suffix}"))
    if isinstance(found, DecodeError):
        # Of a second there may be nothing left to decode, which says enough.
        assert share < 0.2 or suffix in UNREADABLE
        assert suffix not in UNREADABLE or "lacks its end" in found.reason
        return
    assert found.duration_s < SECONDS * (share + 0.1)
    said = " ".join(found.warnings)
    assert ("truncated" in said) == (suffix not in UNSTATED), said


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_a_whole_file_is_not(suffix: str, whole: Path, tiny: Classifier) -> None:
    found = tiny.predict_or_error(whole / f"a{suffix}")
    assert not isinstance(found, DecodeError) and found.warnings == ()


def test_a_library_remembers_it(whole: Path, tiny: Classifier, tmp_path: Path) -> None:
    stated = [suffix for suffix in CONTAINERS if suffix not in UNSTATED | UNREADABLE]
    music_path = tmp_path / "music"
    music_path.mkdir()
    for suffix in stated:
        cut(whole, suffix, 0.3, music_path / f"a{suffix}")
    with Library(tmp_path / "library.sqlite", write=True) as library:
        scan(library, [music_path], model=tiny.model, jobs=1)
        again = scan(library, [music_path], model=tiny.model, jobs=1)
        assert again.analysed == 0
        rows = library.rows(
            "SELECT t.path, s.warning FROM tracks t JOIN sounds s ON s.id = t.sound"
        )
    kept = {Path(path.decode()).suffix: warning for path, warning in rows}
    assert sorted(kept) == sorted(stated)
    assert all("truncated" in warning for warning in kept.values()), kept


def test_a_scan_names_it_and_no_decoder_speaks(
    whole: Path, model_path: Path, tmp_path: Path
) -> None:
    """mpg123 prints what it thinks of the header of such a file, from a process of its own."""
    cut(whole, ".mp3", 0.4, tmp_path / "a.mp3")
    words = ["scan", tmp_path, "--library", tmp_path / "l.sqlite", "--model", model_path]
    command = [sys.executable, "-m", "tonearm", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "a.mp3: truncated or damaged" in done.stderr
    assert "Xing" not in done.stderr and "mpg123" not in done.stderr


def test_sizes_that_are_not_known_yet_promise_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.caf"
    for size, promised in ((-1, None), (500, (500, 100))):
        head = b"caff\0\1\0\0" + b"free" + (8).to_bytes(8, "big") + bytes(8)
        data = b"data" + size.to_bytes(8, "big", signed=True) + bytes(100)
        path.write_bytes(head + data)
        with path.open("rb") as file:
            assert sound_bytes(file) == promised
            assert not lacks_index(file)


def test_a_size_beyond_every_file_is_no_fault(tmp_path: Path) -> None:
    """Where the next chunk would lie is a number that no file system takes."""
    path = tmp_path / "a.caf"
    path.write_bytes(b"caff\0\1\0\0" + b"free" + ((1 << 63) - 9).to_bytes(8, "big") + bytes(100))
    with path.open("rb") as file:
        assert sound_bytes(file) is None


@pytest.mark.parametrize(
    "head", [b"caff\0\1\0\0", b"DSD ", b"FRM8" + bytes(12), b"riff" + bytes(36)]
)
def test_zeros_behind_a_header_end(head: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(head + bytes(1_000_000))
    with path.open("rb") as file:
        assert sound_bytes(file) is None
