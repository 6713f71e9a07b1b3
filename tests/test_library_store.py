from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tonearm import database
from tonearm.data.embedding_store import AnalysedFile, StoredEmbeddings
from tonearm.errors import LibraryError
from tonearm.library import reviews, store
from tonearm.library.reviews import Review, Reviews, Verdict, reviews_path
from tonearm.library.store import FileStatus, FileTags, Library, ModelRecord
from tonearm.model.prediction import Prediction

MODEL = ModelRecord("a" * 64, "test", "encoder", ("jazz", "rock"), ("Mellow", "loud"))
STATUS = FileStatus(10, 20, 30, 1, 2)


def prediction(share: float = 0.75, *, known: bool = True) -> Prediction:
    return Prediction.of(MODEL.labels, [share, 1 - share], known=known)


def put(library: Library, path: str, key: str = "k1", *, status=STATUS, **tags) -> None:
    model = library.model_id(MODEL)
    sound = library.put_sound(
        key,
        model=model,
        windows=np.float16([[0.25, 0.5], [0.75, 0.5]]),
        duration_s=61.5,
        warning=None,
        prediction=prediction(),
    )
    library.put_track(store.as_stored(path), status, FileTags(**tags), sound=sound)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "library.sqlite"


def test_what_is_put_comes_back(path):
    with Library(path, write=True) as library:
        put(library, "/m/a.mp3", artist="Ä", genres=("Jazz", "Blues"), by_tonearm=True)
    with Library(path) as library:
        (track,) = library.tracks()
        assert track == library.track("/m/a.mp3")
        assert (track.path, track.key, track.duration_s) == ("/m/a.mp3", "k1", 61.5)
        assert track.tags == FileTags(artist="Ä", genres=("Jazz", "Blues"), by_tonearm=True)
        assert (track.genre, track.nearest, track.confidence) == ("jazz", "jazz", 0.75)
        assert track.probabilities == {"jazz": 0.75, "rock": 0.25}
        assert track.prediction == replace(prediction(), path="/m/a.mp3", duration_s=61.5)
        assert library.model() == MODEL
        kept = library.embeddings.get("k1", "encoder")
        assert kept.values.tolist() == [[0.25, 0.5], [0.75, 0.5]]
        assert library.embeddings.get("k1", "another encoder") is None


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux alone")
def test_names_that_are_no_utf8_come_back(path):
    name = os.fsdecode(b"/m/\xff\n\xc3.mp3")
    with Library(path, write=True) as library:
        put(library, name)
        assert next(library.tracks()).path == name
        assert library.track(name) is not None


def test_tags_with_halves_of_signs_can_be_kept(path):
    with Library(path, write=True) as library:
        put(library, "/m/a.mp3", title="a\ud800b", genres=("\udcff",))
        assert next(library.tracks()).tags.title == "a?b"


def test_tracks_below_a_folder(path):
    with Library(path, write=True) as library:
        for name in ("/m/a/1.mp3", "/m/a/2.mp3", "/m/a b/3.mp3", "/m/a.mp3", "/m/a!.mp3"):
            put(library, name)
        inside = [track.path for track in library.tracks(["/m/a"])]
        assert inside == ["/m/a/1.mp3", "/m/a/2.mp3"]
        assert [t.path for t in library.tracks(["/m/a.mp3", "/m/a b/"])] == [
            "/m/a b/3.mp3",
            "/m/a.mp3",
        ]
        assert len(list(library.tracks(["/"]))) == 5
        assert not list(library.tracks([]))


def test_a_transaction_is_whole_or_nothing(path):
    with Library(path, write=True) as library:
        with pytest.raises(ZeroDivisionError), library.transaction():
            put(library, "/m/a.mp3")
            raise ZeroDivisionError
        assert not list(library.tracks())


def test_tags_of_a_written_file_are_taken_over(path, tmp_path):
    file = tmp_path / "a.mp3"
    file.write_bytes(b"abc")
    with Library(path, write=True) as library:
        put(library, str(file))
        library.update_file(file, FileTags(genres=("Jazz",), by_tonearm=True))
        track = library.track(file)
        assert track.tags.genres == ("Jazz",) and track.size == 3 and track.genre == "jazz"
        assert library.known(store.as_stored(file)).status == FileStatus.of(file.stat())


def refuses(path, *, write: bool) -> str:
    with pytest.raises(LibraryError) as caught:
        Library(path, write=write)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    return message


def test_no_library_yet(path):
    assert "run `tonearm scan FOLDER`" in refuses(path, write=False)


@pytest.mark.parametrize("write", [False, True])
def test_a_library_of_a_newer_tonearm(path, write):
    Library(path, write=True).close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {store.SCHEMA.version + 1}")
    before = path.read_bytes()
    assert f"newer Tonearm (schema {store.SCHEMA.version + 1}" in refuses(path, write=write)
    assert path.read_bytes() == before


@pytest.mark.parametrize("write", [False, True])
def test_a_foreign_database_and_a_foreign_file(tmp_path, write):
    path = tmp_path / "x.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE mine(a)")
    assert "not a Tonearm library" in refuses(path, write=write)
    path.write_bytes(b"hello, this is a text and no database at all" * 100)
    assert "is not a database" in refuses(path, write=write)
    path.unlink()
    path.mkdir()
    assert "is a folder" in refuses(path, write=write)
    assert "is a pipe or a device" in refuses(Path(os.devnull), write=write)


def test_a_damaged_library(path):
    with Library(path, write=True) as library:
        for i in range(200):
            put(library, f"/m/{i}.mp3", f"k{i}")
    data = bytearray(path.read_bytes())
    data[4_096:] = os.urandom(len(data) - 4_096)
    path.write_bytes(data)
    with pytest.raises(LibraryError, match="damaged"), Library(path) as library:
        list(library.tracks())


@pytest.mark.parametrize("write", [False, True])
def test_a_locked_library(path, monkeypatch, caplog, write):
    monkeypatch.setattr(database, "WAIT_S", 0.05)
    Library(path, write=True).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA journal_mode = DELETE")
    other.execute("BEGIN EXCLUSIVE")
    assert "locked by another program" in refuses(path, write=write)
    words = f"the library {path} is locked by another program; waiting up to 0 s"
    assert caplog.messages == [words], "a wait is not taken for a standstill"
    other.close()


def test_a_writer_waits_for_another_and_readers_do_not(path, monkeypatch):
    monkeypatch.setattr(database, "WAIT_S", 0.05)
    with Library(path, write=True) as library, Library(path, write=True) as other:
        put(library, "/m/a.mp3")
        with library.transaction():
            with Library(path) as reader:
                assert len(list(reader.tracks())) == 1
            with pytest.raises(LibraryError, match="locked"):
                put(other, "/m/b.mp3")
        put(other, "/m/b.mp3")


def test_a_full_disk(path):
    with Library(path, write=True) as library:
        put(library, "/m/a.mp3")
        pages = library.rows("PRAGMA page_count")[0][0]
        library.rows(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(LibraryError, match="disk is full"), library.transaction():
            for i in range(1_000):
                put(library, f"/m/{i}.mp3", f"k{i}")
    with Library(path) as library:
        assert [track.path for track in library.tracks()] == ["/m/a.mp3"]


def test_a_library_that_may_only_be_read_with_its_reviews(path):
    with Library(path, write=True) as library:
        put(library, "/m/a.mp3")
    with Reviews(reviews_path(path)) as opened:
        opened.put([Review("k", Verdict.accept, "jazz")])
    code = (
        "import os, sys, urllib.parse\n"
        "from tonearm.library import reviews\n"
        "from tonearm.library.store import Library\n"
        "from tonearm.errors import LibraryError\n"
        "os.setgid(65534); os.setuid(65534)\n"
        f"library = Library({str(path)!r})\n"
        "reviews.attach(library)\n"
        "print([t.path for t in library.tracks()], list(reviews.of_keys(library, ['k'])))\n"
        "try:\n"
        f"    Library({str(path)!r}, write=True)\n"
        "except LibraryError as error:\n"
        "    print(error)\n"
    )
    if not hasattr(os, "geteuid") or os.geteuid():  # to root nothing is read-only
        code = code.replace("os.setgid(65534); os.setuid(65534)", "pass")
        path.chmod(0o444)
        path.parent.chmod(0o555)
    else:
        for folder in (path.parent, *path.parent.parents[:3]):
            folder.chmod(0o755)
    try:
        ran = subprocess.run(
            [sys.executable, "-c", code], check=False, capture_output=True, text=True
        )
    finally:
        path.parent.chmod(0o755)
    first, second = ran.stdout.splitlines()
    assert first == "['/m/a.mp3'] ['k']", ran.stderr
    assert "cannot be written" in second or "cannot be opened" in second


def test_a_folder_that_cannot_be_created(tmp_path):
    (tmp_path / "file").write_text("x")
    assert "cannot be created: " in refuses(tmp_path / "file" / "l.sqlite", write=True)


def test_reviews_whose_table_is_not_made_yet(path):
    Library(path, write=True).close()
    reviews_path(path).touch()
    with Library(path) as library:
        reviews.attach(library)
        assert reviews.of_keys(library, ["k"]) == {}
        with Reviews(reviews_path(path)) as opened:
            opened.put([Review("k", Verdict.accept, "jazz")])
    with Library(path) as library:
        reviews.attach(library)
        assert list(reviews.of_keys(library, ["k"])) == ["k"]


VERSION_1 = """
CREATE TABLE models(
    id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
    listener TEXT NOT NULL, labels TEXT NOT NULL, names TEXT);
CREATE TABLE sounds(
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, model INTEGER NOT NULL REFERENCES models,
    duration_s REAL NOT NULL, genre TEXT, nearest TEXT NOT NULL, confidence REAL NOT NULL,
    warning TEXT, probabilities BLOB NOT NULL, pooled BLOB NOT NULL);
CREATE TABLE windows(
    sound INTEGER PRIMARY KEY REFERENCES sounds ON DELETE CASCADE, values_f16 BLOB NOT NULL);
CREATE TABLE tracks(
    id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, missing INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
    device INTEGER NOT NULL, inode INTEGER NOT NULL, sound INTEGER REFERENCES sounds,
    title TEXT, artist TEXT, album TEXT, album_artist TEXT,
    genres TEXT NOT NULL DEFAULT '[]', by_tonearm INTEGER NOT NULL DEFAULT 0, tag_error TEXT,
    error_kind TEXT, error_message TEXT);
CREATE INDEX tracks_sound ON tracks(sound, missing);
CREATE INDEX sounds_model ON sounds(model);
CREATE TABLE roots(path BLOB PRIMARY KEY);
"""


@pytest.fixture
def version_1(tmp_path):
    """A library as the version before wrote it, with one track."""
    path = tmp_path / "old.sqlite"
    values = np.float16([[0.25, 0.5], [0.75, 0.5], [0.5, 0.5]])
    with sqlite3.connect(path) as file:
        file.executescript(VERSION_1)
        file.execute("INSERT INTO models VALUES (1, 'sha', 'test', 'encoder', '[\"jazz\"]', NULL)")
        pooled = values.astype(np.float32).mean(axis=0).tobytes()
        file.execute(
            "INSERT INTO sounds VALUES (1, 'k1', 1, 9.0, 'jazz', 'jazz', 1.0, 'torn', ?, ?)",
            [np.float32([1]).tobytes(), pooled],
        )
        file.execute("INSERT INTO windows VALUES (1, ?)", [values.tobytes()])
        file.execute(
            "INSERT INTO tracks(path, size, mtime_ns, ctime_ns, device, inode, sound, artist)"
            " VALUES (?, ?, ?, ?, ?, ?, 1, 'Ann')",
            [b"/m/a.mp3", *STATUS],
        )
        file.execute(f"PRAGMA application_id = {store.SCHEMA.application_id}")
        file.execute("PRAGMA user_version = 1")
    file.close()
    return path


@pytest.mark.parametrize("write", [True, False])
def test_a_library_of_version_1_is_upgraded(version_1, write):
    with Library(version_1, write=write) as library:
        assert library.rows("PRAGMA user_version") == [(store.SCHEMA.version,)]
        assert library.model().encoder == "encoder"
        assert [track.genre for track in library.tracks()] == ["jazz"]
        kept = library.embeddings.get("k1", "encoder")
        assert kept.values.tolist() == [[0.25, 0.5], [0.75, 0.5], [0.5, 0.5]]
        assert (kept.starts_s, kept.duration_s, kept.warning) == (None, 9.0, "torn")
        assert library.analysed_file("/m/a.mp3", STATUS) == AnalysedFile("k1", "Ann")


def test_an_upgrade_that_fails_changes_nothing(version_1):
    with sqlite3.connect(version_1) as file:
        file.execute("DROP TABLE windows")  # so that its last statements cannot run
    file.close()
    with pytest.raises(LibraryError, match="no such table"):
        Library(version_1, write=True)
    with sqlite3.connect(version_1) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (1,)
        assert file.execute("SELECT listener FROM models").fetchall() == [("encoder",)]
    file.close()


def test_files_that_training_analysed_are_found_until_they_change(path):
    made = StoredEmbeddings(np.float16([[0.5, 0.25]]), np.float32([1.5]), 9.0)
    with Library(path, write=True) as library:
        library.embeddings.put("k9", "encoder", made)
        file = AnalysedFile("k9", "Bob")
        library.embeddings.put_file(store.as_stored("/m/b.mp3"), STATUS, file)
        assert library.analysed_file("/m/b.mp3", STATUS) == file
        assert library.analysed_file("/m/b.mp3", STATUS._replace(mtime_ns=21)) is None
        assert library.embeddings.get("k9", "encoder").starts_s.tolist() == [1.5]
        library.embeddings.put("k8", "encoder", made)
        library.embeddings.drop_unused()
        assert library.embeddings.has("k9", "encoder") and not library.embeddings.has(
            "k8", "encoder"
        )


def test_texture_and_styles_are_kept(tmp_path):
    texture = np.arange(8, dtype=np.float16).reshape(2, 4)
    values, starts = np.float16([[0.5, 0.25]]), np.float32([1.5])
    with Library(tmp_path / "library.sqlite", write=True) as library:
        made = StoredEmbeddings(values, starts, 9.0, texture=texture)
        library.embeddings.put("k", "e", made)
        np.testing.assert_array_equal(library.embeddings.get("k", "e").texture, texture)
        library.embeddings.put("k", "e", replace(made, texture=None))
        assert library.embeddings.get("k", "e").texture is None
        prediction = replace(
            Prediction.of(MODEL.labels, [0.9, 0.1], known=True), styles={"Hard Rock": 0.31}
        )
        sound = library.put_sound(
            "k",
            model=library.model_id(MODEL),
            windows=values,
            duration_s=9.0,
            warning=None,
            prediction=prediction,
        )
        status = FileStatus(1, 2, 3, 4, 5)
        library.put_track(b"/a.mp3", status, FileTags(), sound=sound)
        (track,) = library.tracks()
        assert track.styles == track.prediction.styles == {"Hard Rock": 0.31}
        library.put_predictions(1, [(sound, Prediction.of(MODEL.labels, [0.2, 0.8], known=True))])
        assert next(library.tracks()).styles == {}
