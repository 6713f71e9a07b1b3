from __future__ import annotations

import json
import os
import tomllib

import pytest
from support import small_files, tagged
from typer.testing import CliRunner

from tonearm.cli import settings
from tonearm.cli.app import app, main
from tonearm.cli.library_options import location
from tonearm.errors import SettingsError
from tonearm.library.store import Library


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A settings file; Tonearm reads it wherever the platform keeps others."""
    path = tmp_path / "settings.toml"
    monkeypatch.setenv(settings.VARIABLE, str(path))
    return path


def run(monkeypatch, capsys, *arguments):
    """The whole program, as the shell starts it."""
    monkeypatch.setattr("sys.argv", ["tonearm", *map(str, arguments)])
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    ended = capsys.readouterr()
    return code, ended.out, ended.err


def test_the_settings_file_changes_defaults_of_commands(place, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("TONEARM_LIBRARY", raising=False)
    song = small_files.write(tmp_path / "a.flac", small_files.music(1, 0.3))
    tagged.with_tags(song, ["Plain"])
    library = tagged.library_of(tmp_path / "own.sqlite", {song: {"jazz": 0.65}})
    place.write_text(
        f'library = "{library}"\n[tag]\nmin-confidence = 0.7\nplaceholder = ["Plain"]\n'
    )
    code, out, err = run(monkeypatch, capsys, "tag")
    assert (code, err) == (0, "") and "confidence below 70%" in out
    _, out, _ = run(monkeypatch, capsys, "tag", "--min-confidence", "0.6")
    assert "Plain → Jazz" in out
    place.write_text(f'library = "{library}"\n')
    _, out, _ = run(monkeypatch, capsys, "tag")
    assert "have a genre that a person wrote" in out


def test_where_each_value_comes_from(place, monkeypatch, capsys):
    place.write_text("jobs = 3\n[scan]\njobs = 2\n[tag]\nmin-confidence = 0.7\n")
    monkeypatch.setenv("TONEARM_LIBRARY", "/elsewhere.sqlite")
    _, out, _ = run(monkeypatch, capsys, "settings", "--changed", "--format", "json")
    rows = {(r["command"], r["option"]): r for r in json.loads(out)["settings"]}
    assert rows["scan", "jobs"]["value"] == 2
    assert rows["scan", "jobs"]["source"] == "settings file"
    assert rows["tag", "min-confidence"]["value"] == 0.7
    assert rows["tag", "library"]["source"] == "$TONEARM_LIBRARY"
    assert ("tag", "policy") not in rows
    _, out, _ = run(monkeypatch, capsys, "settings")
    assert 'policy = "missing"  # program' in out and "# files-from: not set" in out
    # What is shown can be the settings file: TOML, in which nothing is unknown or changed.
    assert tomllib.loads(out.partition("\n")[2])["tag"]["min-confidence"] == 0.7
    monkeypatch.delenv("TONEARM_LIBRARY")
    _, out, _ = run(monkeypatch, capsys, "settings")
    assert f'library = "{location(None)}"  # program' in out


@pytest.mark.parametrize(
    ("text", "named"),
    [("[tga]\nx = 1\n", "tga"), ("[tag]\nmin_confidence = 1\n", "min_confidence"), ("x = 1", "x")],
)
def test_what_does_not_exist_is_named(place, monkeypatch, capsys, text, named):
    place.write_text(text)
    code, _, err = run(monkeypatch, capsys, "status")
    assert code == 2 and named in err and "no such option" in err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tag]\nmin-confidence = [0.5]\n", "min-confidence = [0.5]: a text or a number is needed"),
        ("[tag]\nmin-confidence = {a = 1}\n", "a text or a number is needed"),
        ("[tag]\nmin-confidence = true\n", "min-confidence = True: a text or a number is needed"),
        ("[tag]\nplaceholder = [['a']]\n", "a text or a number is needed"),
        ("[tag]\nmap = 3\n", "map = 3: a path in quotes is needed"),
        ("library = ['a']\n", "library = ['a']: a path in quotes is needed"),
        ("[tag]\nstyles = 3\n", "styles = 3: true or false is needed"),
        ("tag = 3\n", "tag = 3: true or false is needed"),
        ("scan = 3\n", "scan: no such option"),
    ],
)
def test_values_of_another_kind_are_named(place, monkeypatch, capsys, text, words):
    place.write_text(text)
    code, _, err = run(monkeypatch, capsys, "status")
    assert code == 2 and words in err and "bug" not in err


def test_paths_begin_at_the_file_and_lists_may_be_one_value(place, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TONEARM_LIBRARY", raising=False)
    place.write_text(
        'library = "own.sqlite"\n[scan]\nexclude = "Podcasts"\nmodel = "built-in"\n'
        '[tag]\nlibrary = "~/x.sqlite"\n'
    )
    _, out, _ = run(monkeypatch, capsys, "settings", "--changed")
    values = tomllib.loads(out.partition("\n")[2])
    assert values["list"]["library"] == str(tmp_path / "own.sqlite")
    assert values["tag"]["library"] == str(tmp_path / "home" / "x.sqlite")
    assert (values["scan"]["exclude"], values["scan"]["model"]) == (["Podcasts"], "built-in")


@pytest.mark.parametrize(
    ("command", "option"), [("tag", "write"), ("models import", "accept-licence")]
)
def test_what_is_asked_each_time_is_no_setting(place, monkeypatch, capsys, command, option):
    place.write_text(f'["{command}"]\n{option} = true\n')
    code, _, err = run(monkeypatch, capsys, "tag")
    assert code == 2 and f"[{command}] {option} works on the command line only" in err


def test_a_named_file_has_to_be_there(place, monkeypatch, capsys):
    code, _, err = run(monkeypatch, capsys, "status")
    assert code == 2 and "settings.toml, which TONEARM_SETTINGS names, is not there" in err


def test_a_file_that_is_not_toml(place):
    place.write_text("[[[")
    with pytest.raises(SettingsError, match="cannot be read as settings"):
        settings.defaults({})


@pytest.fixture
def folder(tmp_path):
    music = small_files.music(1, 1.0)
    for name in ("a.wav", "b.flac", "Podcasts/c.flac", "videos/d.flac", "live/e.flac"):
        path = tmp_path / "music" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        small_files.write(path, music)
    (tmp_path / "music" / "videos" / ".nomedia").touch()
    return tmp_path / "music"


def scanned(tmp_path, *arguments):
    place = tmp_path / "l.sqlite"
    ran = CliRunner().invoke(app, ["scan", "--library", str(place), *map(str, arguments)])
    with Library(place) as library:
        return ran, [track.path.rpartition("music/")[2] for track in library.tracks()]


def test_excluded_names_and_nomedia(folder, tmp_path):
    _, names = scanned(tmp_path, folder, "--exclude", "*.wav", "--exclude", "Podcasts")
    assert names == ["b.flac", "live/e.flac"]
    ran, names = scanned(tmp_path, folder, "--exclude", "*/live/*")
    assert names == ["Podcasts/c.flac", "a.wav", "b.flac"]
    assert "1 missing or excluded" in ran.stdout


def test_an_empty_mount_point_is_not_missing(folder, tmp_path):
    _, names = scanned(tmp_path, folder)
    disk = tmp_path / "disk"
    folder.rename(disk)
    folder.mkdir()
    with Library(tmp_path / "l.sqlite", write=True) as library:
        stored = os.fsencode(folder)
        library.write("INSERT INTO mounts VALUES (?)", [[stored]])  # it was another disk
    ran, still = scanned(tmp_path)
    assert (
        ran.exit_code == 1 and "is not there: its 4 tracks are kept. Connect its disk" in ran.stderr
    )
    assert still == names and len(names) == 4
    folder.rmdir()
    disk.rename(folder)
    ran, still = scanned(tmp_path)
    assert (ran.exit_code, still) == (0, names)


def test_quiet_and_json(folder, tmp_path):
    ran, _ = scanned(tmp_path, folder, "--format", "json")
    values = json.loads(ran.stdout)
    assert (values["analysed"] + values["recognised"], values["failures"]) == (4, [])
    quiet, _ = scanned(tmp_path, "--quiet")
    assert quiet.output == ""
    (folder / "f.flac").write_bytes(b"no sound")
    new, _ = scanned(tmp_path, "--quiet")
    assert new.exit_code == 1 and "f.flac" in new.stderr
    old, _ = scanned(tmp_path, "--quiet")
    assert (old.exit_code, old.output) == (0, "")


def test_settings_show_all_commands_also_without_a_file(place, monkeypatch, capsys):
    code, out, _ = run(monkeypatch, capsys, "settings")
    assert code == 0 and "not there yet" in out and "[predict]" in out and "[tag]" in out


def test_a_wrong_value_says_in_which_file_it_stands(place, monkeypatch, capsys):
    place.write_text('[tag]\nmin-confidence = "high"\n')
    code, _, err = run(monkeypatch, capsys, "tag")
    assert code == 2 and str(place) in err.replace("\n", "")
    code, _, err = run(monkeypatch, capsys, "tag", "--min-confidence", "low")
    assert code == 2 and str(place) not in err.replace("\n", "")


def test_watching_tags_in_a_program_that_was_started_for_scan_alone(
    folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.delenv(settings.VARIABLE, raising=False)
    monkeypatch.setattr(settings, "settings_path", lambda: tmp_path / "none.toml")
    place = tmp_path / "l.sqlite"
    tags = []

    def watch(_folders, on_change):
        on_change([folder])  # nothing is new in it: what a person undid stays undone
        (folder / "new.wav").write_bytes((folder / "a.wav").read_bytes())
        on_change([folder])
        raise KeyboardInterrupt

    monkeypatch.setattr("tonearm.cli.watch.watch", watch)
    monkeypatch.setattr(
        "tonearm.cli.scan._tag", lambda _context, _library, paths: tags.append(paths)
    )
    arguments = ["scan", folder, "--watch", "--tag", "--library", place]
    code, _, err = run(monkeypatch, capsys, *arguments)
    assert code == 0, err
    assert len(tags[0]) == 4, "what came before the watching is new, too"
    assert tags[1:] == [[str(folder / "new.wav")]]


def test_a_folder_that_never_was_there_is_not_watched(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv(settings.VARIABLE, raising=False)
    arguments = ["scan", tmp_path / "slip", "--watch", "--library", tmp_path / "l.sqlite"]
    code, _, err = run(monkeypatch, capsys, *arguments)
    assert code == 2 and "slip does not exist" in err and "name folders to watch" in err


def test_an_empty_argument_is_a_slip(monkeypatch, capsys):
    code, _, err = run(monkeypatch, capsys, "scan", "")
    assert code == 2 and "an argument is empty" in err


def test_watching_writes_by_the_command(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv(settings.VARIABLE, raising=False)
    monkeypatch.setattr(settings, "settings_path", lambda: tmp_path / "none.toml")

    def watch(_folders, _on_change):
        raise KeyboardInterrupt

    monkeypatch.setattr("tonearm.cli.watch.watch", watch)
    arguments = ["scan", folder, "--watch", "--tag", "--library", tmp_path / "l.sqlite"]
    code, out, err = run(monkeypatch, capsys, *arguments)
    assert code == 0 and ("to write" in out or "written" in out), err
