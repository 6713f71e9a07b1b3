"""Finding files in folders of every kind, and writing them whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonearm import files
from tonearm.files import FileStatus, find, why_unreadable, write_atomically

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX links and rights")


def found(*paths: Path, errors: list[tuple[Path, OSError]] | None = None) -> list[Path]:
    reported: list[tuple[Path, OSError]] = [] if errors is None else errors
    result = list(
        find(paths, suffixes={".mp3", ".flac"}, on_error=lambda *args: reported.append(args))
    )
    if errors is None:
        assert not reported
    return result


def fill(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_order_is_that_of_names_files_before_folders(tmp_path: Path) -> None:
    fill(tmp_path, "b/2.mp3", "b/1.mp3", "a/z/9.flac", "a/3.mp3", "c.mp3", "B.MP3", "a.Flac")
    names = [path.relative_to(tmp_path).as_posix() for path in found(tmp_path)]
    assert names == ["B.MP3", "a.Flac", "c.mp3", "a/3.mp3", "a/z/9.flac", "b/1.mp3", "b/2.mp3"]


def test_other_suffixes_and_hidden_names_are_left_alone(tmp_path: Path) -> None:
    fill(tmp_path, "a.mp3", "cover.jpg", "mp3", "._a.mp3", ".hidden.mp3", ".trash/b.mp3", "x.mp3~")
    assert found(tmp_path) == [tmp_path / "a.mp3"]


def test_what_is_named_outright_is_always_given(tmp_path: Path) -> None:
    fill(tmp_path, "notes.txt", ".hidden.mp3")
    named = [tmp_path / "notes.txt", tmp_path / ".hidden.mp3", tmp_path / "missing.mp3"]
    assert found(*named) == named


@posix
def test_links_to_folders_are_followed_and_loops_end(tmp_path: Path) -> None:
    fill(tmp_path, "music/a.mp3", "elsewhere/b.mp3")
    (tmp_path / "music" / "loop").symlink_to(tmp_path / "music")
    (tmp_path / "music" / "up").symlink_to("..")
    (tmp_path / "music" / "other").symlink_to(tmp_path / "elsewhere")
    names = [path.name for path in found(tmp_path / "music")]
    assert sorted(names) == ["a.mp3", "b.mp3"], "each once"


@posix
def test_a_folder_is_met_by_its_own_path_and_not_by_a_link_to_it(tmp_path: Path) -> None:
    fill(tmp_path, "music/z/a.mp3", "other/b.mp3")
    (tmp_path / "music" / "a link").symlink_to("z")
    (tmp_path / "music" / "other").symlink_to(tmp_path / "other")
    named = [tmp_path / "music", tmp_path / "other"]
    assert found(*named) == [tmp_path / "music" / "z" / "a.mp3", tmp_path / "other" / "b.mp3"]


@posix
def test_links_to_files_nothing_and_themselves(tmp_path: Path) -> None:
    fill(tmp_path, "a.mp3")
    (tmp_path / "b.mp3").symlink_to("a.mp3")
    (tmp_path / "broken.mp3").symlink_to("none")
    (tmp_path / "self.mp3").symlink_to("self.mp3")
    # Whoever opens the last two says what is wrong with them.
    assert [path.name for path in found(tmp_path)] == ["a.mp3", "b.mp3", "broken.mp3", "self.mp3"]


def test_a_folder_named_twice_is_walked_once(tmp_path: Path) -> None:
    fill(tmp_path, "a.mp3", "sub/b.mp3")
    assert len(found(tmp_path, tmp_path, tmp_path / "sub")) == 2


def test_a_folder_that_is_named_like_a_file(tmp_path: Path) -> None:
    fill(tmp_path, "live.mp3/a.mp3")
    assert found(tmp_path) == [tmp_path / "live.mp3" / "a.mp3"]


def test_deep_folders(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 300)
    deep.mkdir(parents=True)
    fill(deep, "a.mp3")
    assert found(tmp_path) == [deep / "a.mp3"]


@posix
def test_an_unreadable_folder_is_reported_and_the_rest_found(tmp_path: Path) -> None:
    fill(tmp_path, "m/a.mp3", "m/locked/b.mp3", "m/z/c.mp3")
    tmp_path.chmod(0o755)
    (tmp_path / "m" / "locked").chmod(0)
    script = """
import os
from pathlib import Path
from tonearm.files import find
if os.geteuid() == 0:  # root may read everything
    os.setgid(65534); os.setuid(65534)
report = lambda path, error: print("bad", path, error.strerror)
for path in find(["m"], suffixes={".mp3"}, on_error=report):
    print(path)
"""
    try:
        ended = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
        )
    finally:
        (tmp_path / "m" / "locked").chmod(0o755)
    assert ended.stdout.splitlines() == ["m/a.mp3", "bad m/locked Permission denied", "m/z/c.mp3"]


def test_a_folder_that_vanishes_is_reported(tmp_path: Path) -> None:
    fill(tmp_path, "a.mp3", "sub/b.mp3")
    errors: list[tuple[Path, OSError]] = []
    walk = find([tmp_path], suffixes={".mp3"}, on_error=lambda *args: errors.append(args))
    assert next(walk) == tmp_path / "a.mp3"
    (tmp_path / "sub" / "b.mp3").unlink()
    (tmp_path / "sub").rmdir()
    assert list(walk) == []
    assert [path for path, _ in errors] == [tmp_path / "sub"]


@posix
def test_names_that_are_no_unicode(tmp_path: Path) -> None:
    name = b"caf\xe9\n.mp3"
    (tmp_path / os.fsdecode(name)).write_bytes(b"x")
    assert [os.fsencode(path.name) for path in found(tmp_path)] == [name]


@given(st.lists(st.text("abAB01", min_size=1, max_size=3), min_size=1, max_size=8, unique=True))
def test_every_file_once_in_repeatable_order(
    tmp_path_factory: pytest.TempPathFactory, stems: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    for depth, stem in enumerate(stems):
        fill(folder, "/".join(["d"] * (depth % 3) + [f"{stem}.mp3"]))
    first = found(folder)
    assert len(first) == len(set(first)) == len({(i % 3, s) for i, s in enumerate(stems)})
    assert found(folder) == first


def test_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_atomically(path, b"one")
    write_atomically(path, b"two" * 1_000)
    assert path.read_bytes() == b"two" * 1_000
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left"), KeyboardInterrupt()])
def test_failure_leaves_the_old_content(
    step: str, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        assert path.read_bytes() == b"old"
        raise error

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(error)) as raised:
        write_atomically(path, b"new")
    if isinstance(raised.value, OSError):
        assert raised.value.filename == str(path), "a full disk names no file itself"
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path], "the temporary file is left behind"


def test_into_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "none" / "a.bin", b"x")
    assert not list(tmp_path.iterdir())


def test_a_failure_names_the_file_and_not_the_one_beside_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        write_atomically(tmp_path / "none" / "clip.wav", b"new")
    assert caught.value.filename == os.path.realpath(tmp_path / "none" / "clip.wav")


def test_the_longest_names_can_be_written(tmp_path: Path) -> None:
    for name in ("n" * 255, "é" * 122 + "x"):
        write_atomically(tmp_path / name, b"whole")
        assert (tmp_path / name).read_bytes() == b"whole"
    assert len(list(tmp_path.iterdir())) == 2, "nothing unfinished is left"


def test_numbers_of_a_file_fit_a_database_and_stay_apart() -> None:
    class Stat:
        st_size, st_dev, st_ino = 5, 2**64 - 1, 2**63
        st_mtime_ns = st_ctime_ns = 15 * 10**18  # in 2445

    status = FileStatus.of(Stat())
    assert all(-(2**63) <= number < 2**63 for number in status)
    assert status.size == 5
    Stat.st_mtime_ns += 1
    assert FileStatus.of(Stat()) != status


def test_a_folder_with_nomedia_is_entered_only_if_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    for name in (".nomedia", "a.mp3"):
        (tmp_path / "videos" / name).touch()
    look = partial(files.find, suffixes={".mp3"}, on_error=pytest.fail)
    assert list(look([tmp_path])) == []
    assert list(look([tmp_path / "videos"])) == [tmp_path / "videos" / "a.mp3"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(2, "No such file or directory"), "does not exist"),
        (PermissionError(13, "Permission denied"), "cannot be read: permission denied"),
        (OSError(5, "Input/output error"), "cannot be read: Input/output error"),
        (OSError("lost"), "cannot be read: lost"),
    ],
)
def test_why_a_file_cannot_be_read(tmp_path: Path, error: OSError, words: str) -> None:
    assert why_unreadable(tmp_path / "a.mp3", error) == words
    if isinstance(error, FileNotFoundError):
        # pathlib leaves one slash.
        for named in ("https://example.org/a.mp3", Path("https://example.org/a.mp3")):
            assert why_unreadable(named, error) == "is a URL: download it, and name the file"


def test_large_files_are_seen_through_a_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large"
    data = bytes(range(256)) * 40
    path.write_bytes(data)
    monkeypatch.setattr(files, "_MOST_MAPPED", 100)
    monkeypatch.setattr(files, "_WINDOW_BYTES", 64)
    places = [slice(0, 10), slice(50, 200), slice(9_000, 9_001), slice(10_230, 10_500), slice(5, 5)]
    with path.open("rb") as file, files.mapped(file) as seen:
        assert isinstance(seen, files.Window)
        assert len(seen) == len(data)
        for place in [*places, *reversed(places)]:
            file.seek(3)  # others may read the same file meanwhile
            assert seen[place] == data[place]
        for wanted, start, end in (
            (b"\x3f\x40\x41", 0, 10_240),  # across the border of two pieces
            (b"\x3f\x40\x41", 70, 10_240),
            (b"\x3f\x40\x41", 0, 64),
            (b"\1\1", 0, 10_240),
            (b"\xff", 10_239, 10_240),
        ):
            assert seen.find(wanted, start, end) == data.find(wanted, start, end)
