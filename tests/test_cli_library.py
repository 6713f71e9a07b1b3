from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support import small_files, tagged
from support.waiting import wait_until
from typer.testing import CliRunner

from tonearm.cli.app import main
from tonearm.library.store import Library
from tonearm.model import file as model_file

ROOT = Path(__file__).parents[1]


def tonearm(*words, library: Path, **options) -> subprocess.CompletedProcess:
    """The command as a user has it, with its exit code."""
    return subprocess.run(
        [sys.executable, "-m", "tonearm", *map(str, words)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TONEARM_LIBRARY": str(library)},
        **options,
    )


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    """A folder with five sounds, a copy, a file that is none, and its library."""
    folder = tmp_path_factory.mktemp("scanned")
    music = folder / "music"
    (music / "album ☃").mkdir(parents=True)
    for i in range(5):
        path = small_files.write(music / "album ☃" / f"{i}.mp3", small_files.music(i, 3.0 + i))
        small_files.retag(path, text=["Jazz", "Rock", "Hip-Hop/Rap", "Polka", "Pop"][i])
    shutil.copy(music / "album ☃" / "1.mp3", music / "copy.mp3")
    os.link(music / "album ☃" / "2.mp3", music / "link.mp3")
    (music / "broken.flac").write_text("no audio")
    library = folder / "library.sqlite"
    ran = tonearm("scan", music, "-j", 2, library=library)
    assert ran.returncode == 1, ran.stderr
    assert ran.stdout == "8 files: 0 unchanged, 5 analysed, 2 recognised, 1 failed\n"
    assert "1 could not be read:\n" in ran.stderr and "broken.flac is text, not sound" in ran.stderr
    return music, library


def test_a_second_scan_of_the_same_folders(scanned):
    _, library = scanned
    ran = tonearm("scan", library=library, cwd="/")
    assert ran.returncode == 0 and ran.stderr == ""
    assert ran.stdout == (
        "8 files: 8 unchanged, 0 analysed, 0 recognised, "
        "1 failed before (--retry tries them again)\n"
    )
    assert tonearm("scan", "--retry", library=library).returncode == 1


def test_what_is_no_file_is_counted_apart(tmp_path):
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "broken.flac").write_text("no audio")
    (tmp_path / "music" / "lost.mp3").symlink_to(tmp_path / "nowhere.mp3")
    ran = tonearm("scan", tmp_path / "music", library=tmp_path / "library.sqlite")
    words = "1 file: 0 unchanged, 0 analysed, 0 recognised, 1 failed; 1 more could not be opened\n"
    assert ran.stdout == words and "2 could not be read:\n" in ran.stderr


def test_files_that_were_named_are_looked_at_again(scanned, tmp_path):
    music, _ = scanned
    library = tmp_path / "library.sqlite"
    ran = tonearm("scan", library=library)
    assert ran.returncode == 2 and "name folders to scan" in ran.stderr
    assert tonearm("scan", music / "copy.mp3", library=library).returncode == 0
    ran = tonearm("scan", library=library)
    assert (ran.returncode, ran.stdout) == (0, "1 file: 1 unchanged, 0 analysed, 0 recognised\n")


def test_status(scanned):
    music, library = scanned
    ran = tonearm("status", library=library)
    assert ran.returncode == 0 and ran.stderr == ""
    assert "8 files with 1 link, 0:34 of sound, analysed by" in ran.stdout
    assert "\x1b" not in ran.stdout
    values = json.loads(tonearm("status", "-f", "json", library=library).stdout)
    assert (values["tracks"], values["analysed"], values["failed"], values["copies"]) == (
        8,
        7,
        1,
        2,
    )
    assert sum(values["genres"].values()) == 7
    known = 7 - values["genres"].get("unknown", 0)
    assert sum(values["confidence"]) == known, "unknown tracks have no confidence"
    assert ("confidence" in ran.stdout) == (known > 0)
    failed = tonearm("list", "--failed", library=library).stdout
    assert f"{music}/broken.flac  (is text, not sound" in failed
    # The count of `status` is that of `list`: a link to a file is not a copy of it.
    first, second = tonearm("list", "--copies", library=library).stdout.splitlines()
    assert first.endswith(f"  {music}/album ☃/1.mp3")
    assert second.endswith(f"  {music}/copy.mp3  (the same sound as {music}/album ☃/1.mp3)")


def test_a_copy_on_a_disk_that_is_offline_counts_in_no_place(scanned):
    music, library = scanned
    with Library(library, write=True) as opened:
        opened.write("INSERT INTO roots VALUES (?)", [[os.fsencode(music / "album ☃")]])
    away = (music / "album ☃").rename(music.with_name("away"))
    try:
        assert tonearm("list", "--copies", library=library).stdout == ""
        said = tonearm("status", library=library).stdout
    finally:
        away.rename(music / "album ☃")
        with Library(library, write=True) as opened:
            opened.write("DELETE FROM roots WHERE path = ?", [[os.fsencode(music / "album ☃")]])
    assert "0  with the sound of another file" in said and "5  offline" in said


def test_links_in_a_folder_that_is_offline_are_not_counted(scanned):
    music, library = scanned
    away = music.rename(music.with_name("away"))
    try:
        said = tonearm("status", library=library).stdout
    finally:
        away.rename(music)
    assert "\n0 files, " in said and "link" not in said


def test_confidence_counts_known_tracks_alone(tmp_path):
    paths = [small_files.wav(tmp_path / f"{i}.wav", small_files.music(i, 1.0)) for i in range(3)]
    given = ({"jazz": 0.95}, {"blues": 0.42}, {})
    library = tagged.library_of(tmp_path / "l.sqlite", dict(zip(paths, given, strict=True)))
    lines = tonearm("status", library=library).stdout.splitlines()
    assert [line.split()[-2:] for line in lines if "–" in line and line.split()[-2] != "0"] == [
        ["1", "50%"],
        ["1", "50%"],
    ]
    values = json.loads(tonearm("status", "-f", "json", library=library).stdout)
    assert values["confidence"] == [0, 0, 0, 0, 1, 0, 0, 0, 0, 1]


def test_a_reader_that_has_seen_enough_is_no_failure(scanned):
    _, library = scanned
    command = [sys.executable, "-m", "tonearm", "status", "--library", str(library)]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ran = subprocess.run(
            command, check=False, stdout=writing, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
    finally:
        os.close(writing)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("words", [["playlist"], ["similar", "copy.mp3", "-f", "m3u8"]])
def test_a_slip_of_minus_o_writes_over_nothing(scanned, tmp_path, words):
    music, library = scanned
    song, kept = tmp_path / "song.mp3", tmp_path / "kept.m3u8"
    for path, reason in ((song, "is named like a music file"), (kept, "is read-only")):
        path.write_text("as it was")
        path.chmod(0o444)
        ran = tonearm(*words, "-o", path, library=library, cwd=music)
        assert ran.returncode == 2 and reason in " ".join(ran.stderr.split()), ran.stderr
        assert path.read_text() == "as it was"
    ran = tonearm(*words, "-o", "-", library=library, cwd=music)
    assert ran.returncode == 0 and ran.stdout.startswith("#EXTM3U"), ran.stderr
    assert not (music / "-").exists()


def test_a_scan_goes_on_with_the_model_of_the_last(scanned, tmp_path):
    music, _ = scanned
    library, own = tmp_path / "l.sqlite", tmp_path / "own.tonearm"
    shipped = model_file.load()
    head = replace(shipped.head, weight=-shipped.head.weight)
    model_file.save(replace(shipped, name="own", head=head), own)

    def scan(*words):
        return tonearm("scan", *words, library=library)

    first = scan(music / "copy.mp3", "--model", own)
    assert (first.returncode, first.stderr) == (0, "")
    again = scan()
    assert again.returncode == 0 and "classified again" not in again.stdout
    assert (
        again.stderr
        == f"model: {own}, as in the last scan (for Tonearm's own, use --model built-in)\n"
    )
    own.rename(tmp_path / "away")
    gone = scan()
    assert (gone.returncode, gone.stdout) == (2, "")
    assert f"last scanned with {own}, which is gone: name a model file with --model" in gone.stderr
    (tmp_path / "away").rename(own)
    with sqlite3.connect(library) as db:
        db.execute("DROP TABLE settings")
    before = scan()
    assert before.returncode == 2, "a library of before does not know the file"
    assert "was classified by a model that is not the built-in one" in before.stderr
    assert "1 classified again" in scan("--model", "built-in").stdout
    plain = scan()
    assert (plain.returncode, plain.stderr) == (0, "") and "classified again" not in plain.stdout


def test_playlist(scanned, tmp_path):
    music, library = scanned
    output = music / "lists.m3u8"
    ran = tonearm("playlist", "--min-length", "0:05", "-o", output, library=library)
    assert ran.returncode == 0 and ran.stderr == f"3 tracks in {output}\n"  # a sound once
    ran = tonearm("playlist", "--min-length", "0:05", "--copies", "-o", output, library=library)
    replaced = f"3 tracks in {output}, which replaces an older file\n"
    assert ran.returncode == 0 and ran.stderr == replaced
    no_match = tonearm("playlist", "--no-genre", "-o", output, library=library)
    said = f"no track meets all of these conditions\n{output} is not written\n"
    assert (no_match.returncode, no_match.stderr) == (1, said)
    lines = output.read_text().splitlines()
    output.unlink()
    assert lines[0] == "#EXTM3U"
    assert lines[2::2] == ["album ☃/2.mp3", "album ☃/3.mp3", "album ☃/4.mp3"]
    ran = tonearm("playlist", "--no-genre", library=library)
    assert (ran.stdout, ran.stderr) == ("#EXTM3U\n", "no track meets all of these conditions\n")
    for words in (["-g", "polka"], ["--min-length", "x"], ["--tag", "a"], ["-o", tmp_path / "n/n"]):
        ran = tonearm("playlist", *words, library=library)
        assert ran.returncode == 2 and "Traceback" not in ran.stderr
    for spelling in ("Hip-Hop", "hip-hop", "hip hop", "Unknown"):
        assert tonearm("playlist", "-g", spelling, library=library).returncode == 0


def test_similar(scanned, tmp_path):
    music, library = scanned
    file = music / "copy.mp3"
    ran = tonearm("similar", file, "-n", 3, library=library)
    assert ran.returncode == 0 and len(ran.stdout.splitlines()) == 4
    inside = json.loads(tonearm("similar", file, "-f", "json", library=library).stdout)
    paths = [found["path"] for found in inside["similar"]]
    assert len(paths) == 4 and not any(path.endswith(("1.mp3", "copy.mp3")) for path in paths)
    retagged = Path(shutil.copy(file, tmp_path / "other name.mp3"))
    small_files.retag(retagged, text="Something", bulk=10_000)
    outside = json.loads(tonearm("similar", retagged, "-f", "json", library=library).stdout)
    assert outside["similar"] == inside["similar"]
    new = small_files.write(tmp_path / "new.flac", small_files.music(1, 4.0))
    analysed = json.loads(tonearm("similar", new, "-f", "json", library=library).stdout)
    assert [found["path"] for found in analysed["similar"]]
    # -o alone asks for a list.
    ran = tonearm("similar", file, "-o", tmp_path / "l.m3u8", library=library)
    assert (tmp_path / "l.m3u8").read_text().count("#EXTINF") == 4
    ran = tonearm("similar", music / "broken.flac", library=library)
    assert ran.returncode == 1 and "broken.flac is text, not sound" in ran.stderr


@pytest.mark.parametrize("words", [["status"], ["playlist"], ["similar", "x.mp3"], ["scan"]])
def test_a_library_that_cannot_be_used_is_one_line_and_2(tmp_path, words):
    path = tmp_path / "l.sqlite"
    if words != ["scan"]:
        ran = tonearm(*words, library=path)
        assert ran.returncode == 2 and not path.exists()
        assert (
            ran.stderr == f"tonearm: there is no library at {path} yet: run `tonearm scan FOLDER`\n"
        )
    path.write_bytes(b"no database, but a text of some length" * 100)
    ran = tonearm(*words, library=path)
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1), ran.stderr
    assert "is not a database" in ran.stderr


def test_a_library_of_a_newer_version_is_left_alone(tmp_path):
    path = tmp_path / "l.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA application_id = 1414483525")
        db.execute("CREATE TABLE tracks(of_the_future)")
        db.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    ran = tonearm("scan", tmp_path, library=path)
    assert ran.returncode == 2 and "newer Tonearm" in ran.stderr
    assert path.read_bytes() == before


def test_nothing_to_scan_is_a_mistake_of_use(tmp_path):
    assert tonearm("scan", library=tmp_path / "l.sqlite").returncode == 2


def test_the_default_place_is_the_platforms(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("TONEARM_LIBRARY", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["tonearm", "status"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "library.sqlite yet" in capsys.readouterr().err


def test_options_are_explained():
    from tonearm.cli.app import app

    for command in ("scan", "status", "playlist", "similar"):
        ran = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
        assert ran.exit_code == 0 and "--library" in ran.output


def test_ctrl_c_keeps_what_was_analysed(tmp_path):
    music, path = tmp_path / "music", tmp_path / "l.sqlite"
    music.mkdir()
    first = small_files.wav(music / "0000.wav", small_files.music(1, 1.0)).read_bytes()
    for i in range(1, 400):
        (music / f"{i:04}.wav").write_bytes(first[:-4] + i.to_bytes(4, "little"))
    process = subprocess.Popen(
        [sys.executable, "-m", "tonearm", "scan", str(music), "--library", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )

    def kept() -> int:
        try:
            with sqlite3.connect(path) as db:
                return db.execute("SELECT count(*) FROM tracks").fetchone()[0]
        except sqlite3.OperationalError:
            return 0

    wait_until(lambda: kept() >= 3)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "Interrupted. What was analysed is kept" in err and "Traceback" not in err
    count = kept()
    assert 3 <= count < 400 and f" {count} analysed" in out
    for rest in sorted(music.iterdir())[count + 10 :]:
        rest.unlink()
    ran = tonearm("scan", library=path)
    assert ran.returncode == 0 and f"{count} unchanged" in ran.stdout
