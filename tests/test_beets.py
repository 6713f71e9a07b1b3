"""The beets plugin in a real beets: on import and by command, on real files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("beets", reason="beets is not installed")

import mutagen
from support.fakes import HIGH_HZ, LOW_HZ, MIDDLE_HZ
from support.sounds import tone, write_sndfile

ROOT = Path(__file__).parents[1]
RATE_HZ = 16_000
# Another source of genres, as lastgenre is one, but without a network.
OTHER = """
from beets.plugins import BeetsPlugin

class OtherPlugin(BeetsPlugin):
    def __init__(self):
        super().__init__()
        self.import_stages = [self.imported]

    def imported(self, session, task):
        for item in task.imported_items():
            if not item.get("genres", with_album=False):
                item.genres = ["Polka"]
                item.store()
"""
# A source of releases, as MusicBrainz is one: it knows every album, and the genre of one.
SOURCE = """
from beets.autotag import AlbumInfo, TrackInfo
from beets.metadata_plugins import MetadataSourcePlugin

class SourcePlugin(MetadataSourcePlugin):
    def candidates(self, items, artist, album, va_likely):
        tracks = [
            TrackInfo(
                title=f"{item.title} (of the source)", track_id=f"t{n}", index=n, medium=1,
                medium_index=n, length=item.length, artist=artist, data_source="Source",
            )
            for n, item in enumerate(sorted(items, key=lambda item: item.path), 1)
        ]
        known = {"genres": ["Polka"]} if album == "Known" else {}
        return [
            AlbumInfo(
                tracks=tracks, album=album, artist=artist, album_id=album, albumtype="album",
                mediums=1, data_source="Source", **known,
            )
        ]

    def item_candidates(self, item, artist, title):
        return []

    def album_for_id(self, album_id):
        return None

    def track_for_id(self, track_id):
        return None
"""


def album(folder, name, *sounds, genre=None, suffix=".flac"):
    """An album of songs of one tone each."""
    folder = folder / name
    folder.mkdir(parents=True)
    for number, hz in enumerate(sounds, 1):
        path = folder / f"{number}{suffix}"
        write_sndfile(
            path, tone(hz, 4, RATE_HZ), RATE_HZ, form="FLAC" if suffix == ".flac" else "MP3"
        )
        file = mutagen.File(path, easy=True)
        if file.tags is None:
            file.add_tags()
        values = {"album": name, "albumartist": "Band", "artist": "Band", "title": f"Song {number}"}
        for field, value in {**values, **({"genre": genre} if genre else {})}.items():
            file[field] = value
        file.save()


class Beets:
    """beets in a process of its own, with a library of its own."""

    def __init__(self, folder, model_path):
        self.folder, self.music = folder, folder / "music"
        (folder / "plugins").mkdir()
        (folder / "plugins" / "other.py").write_text(OTHER)
        (folder / "plugins" / "source.py").write_text(SOURCE)
        self.model_path = model_path

    def run(self, *arguments, plugins="tonearm", write=True, autotag=False, **settings):
        values = {
            "directory": str(self.folder / "unused"),
            "library": str(self.folder / "beets.db"),
            "plugins": plugins,
            "pluginpath": str(self.folder / "plugins"),
            "import": {"copy": False, "write": write, "autotag": autotag, "quiet": True},
            "match": {"strong_rec_thresh": 0.5},
            "tonearm": {"model": str(self.model_path), "jobs": 1, **settings},
        }
        # YAML knows JSON.
        (self.folder / "config.yaml").write_text(json.dumps(values))
        environment = {**os.environ, "BEETSDIR": str(self.folder), "PYTHONPATH": str(ROOT)}
        ended = subprocess.run(
            [sys.executable, "-m", "beets", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in ended.stderr, ended.stderr
        return ended

    def fields(self, names="genres tonearm_genre tonearm_confidence"):
        form = " | ".join(f"${name}" for name in ("album", "title", *names.split()))
        return sorted(self.run("ls", "-f", form, plugins="tonearm").stdout.splitlines())

    def tags(self, name):
        paths = sorted((self.music / name).iterdir())
        return [mutagen.File(path, easy=True).get("genre") for path in paths]


@pytest.fixture
def beets(tmp_path, model_path):
    return Beets(tmp_path, model_path)


def test_an_import_gives_genres_to_albums_that_have_none(beets):
    """By album; a person's genre and what is unknown stay; a bad file costs only itself."""
    album(beets.music, "Low", LOW_HZ, LOW_HZ, LOW_HZ, MIDDLE_HZ)
    album(beets.music, "Named", HIGH_HZ, genre="Polka", suffix=".mp3")
    whole = (beets.music / "Low" / "1.flac").read_bytes()
    # Tags that beets can read, and no sound behind them.
    (beets.music / "Broken").mkdir()
    (beets.music / "Broken" / "1.flac").write_bytes(whole[: len(whole) // 40])
    ended = beets.run("import", str(beets.music))
    assert ended.returncode == 0, ended.stderr
    # Beets writes no files that it imports as they are: its own `write` does.
    assert beets.tags("Low") == [None] * 4
    beets.run("write")
    assert beets.tags("Low") == [["Blues"]] * 4  # the last by its album
    assert beets.tags("Named") == [["Polka"]]
    rows = beets.fields()
    assert rows[0] == "Low | Song 1 | Blues | Blues | 0.75"
    assert rows[4].startswith("Named | Song 1 | Polka | Metal | ")
    assert "Low: Blues" in beets.run("ls", "-a", "-f", "$album: $genres").stdout


def test_the_order_of_the_plugins_says_who_is_asked_first(beets):
    album(beets.music, "First", LOW_HZ)
    beets.run("import", str(beets.music), plugins="other tonearm")
    album(beets.music, "Second", LOW_HZ)
    beets.run("import", str(beets.music / "Second"), plugins="tonearm other")
    assert [row.split(" | ")[2] for row in beets.fields()] == ["Polka", "Blues"]


def test_an_autotagged_album_gets_the_genre_that_its_source_does_not_know(beets):
    for name in ("Known", "Unknown"):
        album(beets.music, name, LOW_HZ, LOW_HZ)
    beets.run("import", str(beets.music), plugins="source tonearm", autotag=True)
    rows = beets.fields("genres tonearm_genre data_source")
    assert rows[0] == "Known | Song 1 (of the source) | Polka | Blues | Source"
    assert rows[2] == "Unknown | Song 1 (of the source) | Blues | Blues | Source"
    # What beets has tagged, it writes at the end of the import, our genre with it.
    assert beets.tags("Unknown") == [["Blues"], ["Blues"]]
    assert beets.tags("Known") == [["Polka"], ["Polka"]]


def test_the_command_shows_writes_and_replaces(beets):
    album(beets.music, "Low", LOW_HZ)
    album(beets.music, "Named", HIGH_HZ, genre="Polka")
    beets.run("import", str(beets.music), plugins="")
    shown = beets.run("tonearm", "--pretend")
    assert "Blues" in shown.stdout
    assert "keeps its genre (Polka); by sound: Metal" in shown.stdout + shown.stderr
    assert beets.tags("Low") == [None]
    # beets' own setting: the library alone.
    beets.run("tonearm", write=False)
    assert beets.tags("Low") == [None]
    assert beets.fields()[0].startswith("Low | Song 1 | Blues | Blues | ")
    beets.run("tonearm", "--force", "album:Named")
    assert beets.tags("Named") == [["Metal"]]
    # What the plugin wrote itself gives way, without --force: another model, another map.
    names = beets.folder / "names.toml"
    names.write_text('blues = ["Delta Blues", "Roots"]')
    beets.run("tonearm", map=str(names))
    assert beets.tags("Low") == [["Delta Blues", "Roots"]]
    assert beets.tags("Named") == [["Metal"]]


def test_a_model_that_is_missing_is_a_sentence(beets):
    album(beets.music, "Low", LOW_HZ)
    beets.model_path = beets.folder / "missing.tonearm"
    ended = beets.run("import", str(beets.music))
    assert ended.returncode == 0
    assert "missing.tonearm cannot be read as a model" in ended.stderr
    ended = beets.run("tonearm")
    assert ended.returncode == 1
    assert "missing.tonearm cannot be read as a model" in ended.stderr
