"""``export`` to Parquet and ``import``: a library that was elsewhere, with all that it knows."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import mutagen
import pytest
from support.songs import posix

pa = pytest.importorskip("pyarrow")

from pyarrow import parquet  # noqa: E402

from tonearm.library.import_table import Mapping  # noqa: E402
from tonearm.library.store import Library  # noqa: E402
from tonearm.library.table import library_rows  # noqa: E402
from tonearm.model import file as model_file  # noqa: E402


@pytest.fixture
def scanned(music, tonearm, tmp_path, model_path):
    """A library of three songs and an unreadable one, exported."""
    (music / "d bad.wav").write_text("no audio")
    tonearm("scan", music, "--library", tmp_path / "a.sqlite", "--model", model_path)
    assert not tonearm("export", "-o", table(tmp_path), "--library", tmp_path / "a.sqlite").code
    return music


def table(tmp_path):
    return tmp_path / "all.parquet"


def contents(place):
    with Library(place) as library:
        rows = []
        for row in library_rows(library):
            made = row.embeddings
            arrays = made and (made.values.tolist(), made.starts_s.tolist(), made.duration_s)
            rows.append((row.path, row.size, row.tags, row.key, row.prediction, row.error, arrays))
        return rows, library.models()


def test_an_import_of_an_export_is_the_library(scanned, tonearm, tmp_path, model_path):
    run = tonearm("import", table(tmp_path), "--library", tmp_path / "b.sqlite")
    assert (run.code, run.out) == (0, "4 files: 3 imported, 1 with an error\n")
    assert contents(tmp_path / "b.sqlite") == contents(tmp_path / "a.sqlite")
    # The files are here as they were, so that a scan leaves them alone.
    again = tonearm("scan", scanned, "--library", tmp_path / "b.sqlite", "--model", model_path)
    assert again.out.startswith("4 files: 4 unchanged, 0 analysed")


def test_an_import_says_that_no_folder_is_scanned_for_new_files(
    scanned, tonearm, tmp_path, model_path
):
    place = ("--library", tmp_path / "b.sqlite")
    run = tonearm("import", table(tmp_path), *place)
    assert "only in folders that were scanned here" in run.err
    tonearm("scan", scanned, *place, "--jobs", "1", "--model", model_path)
    assert not tonearm("import", table(tmp_path), *place).err


def test_an_import_twice_changes_nothing(scanned, tonearm, tmp_path):
    place = ("--library", tmp_path / "a.sqlite")
    before = contents(tmp_path / "a.sqlite")
    run = tonearm("import", table(tmp_path), *place)
    assert run.out == "4 files: 0 imported, 3 known and unchanged, 1 with an error\n"
    assert contents(tmp_path / "a.sqlite") == before


def test_an_import_takes_what_another_model_says(scanned, tonearm, tmp_path, model_path):
    place, better = ("--library", tmp_path / "a.sqlite"), tmp_path / "better.tonearm"
    loaded = model_file.load(model_path)
    labels = ("polka", *loaded.labels[1:])  # instead of blues, for low tones
    model_file.save(replace(loaded, head=replace(loaded.head, labels=labels)), better)
    tonearm("scan", scanned, "--library", tmp_path / "c.sqlite", "--model", better)
    assert not tonearm("export", "-o", table(tmp_path), "--library", tmp_path / "c.sqlite").code
    assert "Blues" in listed_as(scanned / "a low.wav", tonearm, place)
    for imported, kept in ("3 imported", ""), ("0 imported", ", 3 known and unchanged"):
        run = tonearm("import", table(tmp_path), *place)
        assert run.out == f"4 files: {imported}{kept}, 1 with an error\n"
        assert ("stay until the next scan" in run.err) is (not kept)
        assert "Polka" in listed_as(scanned / "a low.wav", tonearm, place)


def test_paths_are_mapped_and_the_files_need_not_be_here(scanned, tonearm, tmp_path, model_path):
    place = ("--library", tmp_path / "b.sqlite")
    there = tmp_path / "elsewhere"
    assert not tonearm("import", table(tmp_path), "--path-map", f"{scanned}/={there}/", *place).code
    listed = tonearm("list", "-f", "csv", *place).out
    assert str(there / "a low.wav") in listed
    assert str(scanned) not in listed
    # The sounds are known: a scan of the files, wherever they turn up, analyses none.
    os.rename(scanned, there)
    run = tonearm("scan", there, *place, "--model", model_path)
    assert "0 analysed, 3 recognised" in run.out


def test_another_size_is_another_file(scanned, tonearm, tmp_path, model_path):
    path = scanned / "a low.wav"
    path.write_bytes((scanned / "b high.wav").read_bytes() + b"\0\0")
    place = ("--library", tmp_path / "b.sqlite")
    tonearm("import", table(tmp_path), *place)
    assert "Metal" not in listed_as(path, tonearm, place)
    assert "1 recognised" in tonearm("scan", scanned, *place, "--model", model_path).out
    assert "Metal" in listed_as(path, tonearm, place)


def test_a_genre_that_was_written_since_is_not_lost(song, tonearm, tmp_path, model_path):
    path, place = song(".flac", []), ("--library", tmp_path / "a.sqlite")
    tonearm("scan", path, *place, "--model", model_path)
    tonearm("export", "-o", table(tmp_path), *place)
    size = path.stat().st_size
    tagger = mutagen.File(path)
    tagger["genre"] = "Polka"
    tagger.save()
    assert path.stat().st_size == size  # into the padding, as taggers do
    tonearm("import", table(tmp_path), *place)
    assert "Polka" in listed_as(path, tonearm, place)
    assert "0 files to write" in tonearm("tag", "--write", "--min-confidence", "0", *place).out


def listed_as(path, tonearm, place):
    return next(line for line in tonearm("list", *place).out.splitlines() if path.name in line)


@posix
def test_a_folder_that_is_named_like_a_table_and_in_no_utf8(scanned, tonearm, tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path / "caf") + b"\xe9.parquet"))
    folder.mkdir()
    table(tmp_path).rename(folder / "part-0.parquet")  # as Spark writes it
    run = tonearm("import", folder, "--library", tmp_path / "b.sqlite")
    assert (run.code, run.out) == (0, "4 files: 3 imported, 1 with an error\n")


@posix
def test_a_name_that_is_not_utf8_comes_back_as_it_was(music, tonearm, tmp_path, model_path):
    name = os.fsdecode(b"caf\xe9.wav")
    (music / "a low.wav").rename(music / name)
    tonearm("scan", music, "--library", tmp_path / "a.sqlite", "--model", model_path)
    tonearm("export", "-o", table(tmp_path), "--library", tmp_path / "a.sqlite")
    tonearm("import", table(tmp_path), "--library", tmp_path / "b.sqlite")
    with Library(tmp_path / "b.sqlite") as library:
        assert str(music / name) in {track.path for track in library.tracks()}


def test_a_uri_needs_a_place(scanned, tonearm, tmp_path):
    rows = parquet.read_table(table(tmp_path))
    paths = [f"s3://b/{i}.mp3" for i in range(len(rows))]
    column = rows.schema.get_field_index("path")
    parquet.write_table(rows.set_column(column, "path", pa.array(paths)), table(tmp_path))
    place = ("--library", tmp_path / "b.sqlite")
    run = tonearm("import", table(tmp_path), *place)
    assert (run.code, run.out) == (1, "4 files: 0 imported, 4 without a place on this machine\n")
    assert "s3://b/0.mp3 has no place on this machine: name one with --path-map" in run.err
    # Of two that fit, the longer counts.
    run = tonearm(
        "import", table(tmp_path), "--path-map", "s3://=/x/", "--path-map", "s3://b/=/y/", *place
    )
    assert not run.code
    assert "/y/0.mp3" in tonearm("list", "-f", "csv", *place).out


def test_what_is_no_table_of_tonearm_is_refused(tonearm, tmp_path):
    place = ("--library", tmp_path / "b.sqlite")
    parquet.write_table(pa.table({"path": ["a"]}), table(tmp_path))
    foreign = tonearm("import", table(tmp_path), *place)
    assert foreign.code == 2
    assert "is not a table with embeddings: make one with `tonearm export" in foreign.err
    table(tmp_path).write_text("no Parquet")
    damaged = tonearm("import", table(tmp_path), *place)
    assert damaged.code == 2
    assert "all.parquet cannot be read (" in damaged.err
    (tmp_path / "empty").mkdir()
    assert "holds no Parquet files" in tonearm("import", tmp_path / "empty", *place).err
    assert "what paths begin with" in tonearm("import", "x", "--path-map", "a", *place).err


def test_a_mapping_keeps_what_it_does_not_name():
    mapping = Mapping([("s3://a/", "/m/")])
    assert mapping.place("/other/b.mp3") == "/other/b.mp3"
    assert mapping.place("relative.mp3") is None
    assert mapping.place("s3://b/c.mp3") is None
