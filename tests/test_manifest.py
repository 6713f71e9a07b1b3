"""Manifests of a cluster: every kind of file, rubbish in it, and nothing twice."""

from __future__ import annotations

import pytest

pa = pytest.importorskip("pyarrow")
pytest.importorskip("fsspec")


from pyarrow import parquet  # noqa: E402

from tonearm.distributed import manifest  # noqa: E402
from tonearm.distributed.manifest import Item, Seen, items, items_of, write_slices  # noqa: E402
from tonearm.distributed.output import Output, parts_of, place_of  # noqa: E402
from tonearm.errors import TonearmError  # noqa: E402


def found(path):
    return [(item.path, item.fault is None) for item in items(str(path))]


def test_a_text_file_has_a_path_in_each_line(tmp_path):
    path = tmp_path / "all.txt"
    path.write_text(
        "#EXTM3U\ns3://b/a.mp3\n\n/music/b.mp3\nc d.mp3\nfile:///music/e.mp3\n../g.mp3\ns3://b/../a.mp3\n"
    )
    assert found(path) == [
        ("s3://b/a.mp3", True),
        ("/music/b.mp3", True),
        (f"{tmp_path}/c d.mp3", True),  # relative to the manifest
        ("/music/e.mp3", True),
        (f"{tmp_path.parent}/g.mp3", True),  # as a scan names it
        ("s3://b/../a.mp3", True),
    ]


def test_a_csv_is_read_by_its_header(tmp_path):
    path = tmp_path / "all.csv"
    path.write_bytes(b'id,URI,note\n1,"s3://b/a,b.mp3",x\n2,,y\n3\n4,s3://b/\xff.mp3,z\n')
    names = found(path)
    assert names[0] == ("s3://b/a,b.mp3", True)
    # A cell that is empty and a row that is short name nothing; the line says which.
    assert [name for name, good in names if not good] == [f"{path}#3", f"{path}#4"]
    assert names[3] == ("s3://b/\udcff.mp3", True)


def test_a_parquet_file_may_have_nulls(tmp_path):
    path = tmp_path / "all.parquet"
    parquet.write_table(pa.table({"url": ["s3://b/a.mp3", None, " "]}), path)
    assert found(path) == [("s3://b/a.mp3", True), (f"{path}#2", False), (f"{path}#3", False)]


def test_a_table_without_a_column_of_paths_is_refused(tmp_path):
    (tmp_path / "all.csv").write_text("title,artist\na,b\n")
    with pytest.raises(TonearmError, match="has no column path, uri, url or file"):
        found(tmp_path / "all.csv")
    (tmp_path / "all.parquet").write_text("no Parquet")
    with pytest.raises(TonearmError, match="is not a readable Parquet file"):
        found(tmp_path / "all.parquet")


def test_a_folder_gives_its_audio_with_sizes(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("b/2.mp3", "1.FLAC", "cover.jpg", ".3.mp3"):
        (tmp_path / name).write_bytes(b"12345")
    assert list(items(str(tmp_path))) == [
        Item(f"{tmp_path}/1.FLAC", 5),
        Item(f"{tmp_path}/b/2.mp3", 5),
    ]
    assert list(items(f"{tmp_path}/cover.jpg")) == [Item(f"{tmp_path}/cover.jpg", 5)]


def test_seen_finds_what_came_before():
    seen = Seen()
    assert seen.new([b"a", b"b", b"a"]) == [True, True, False]
    assert seen.new([b"c", b"a", b"b"]) == [True, False, False]
    many = [str(i).encode() for i in range(20_000)]
    assert all(seen.new(many))
    assert not any(seen.new(many[::-1]))


def test_slices_are_added_to_and_never_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "SLICE_ROWS", 4)
    lines = tmp_path / "all.txt"
    lines.write_text("".join(f"s3://b/{i % 6}.mp3\n" for i in range(12)))
    output = Output(str(tmp_path / "out"))
    assert write_slices(output, [str(lines)], 0) == [4, 2]
    before = [output.read_slice(i) for i in range(2)]
    lines.write_text("s3://b/new.mp3\ns3://b/1.mp3\n")
    assert write_slices(output, [str(lines)], 2) == [4, 2, 1]
    assert [output.read_slice(i) for i in range(2)] == before
    assert [item.path for item in items_of(output.read_slice(2))] == ["s3://b/new.mp3"]


def test_parts_cover_each_row_once():
    rows = [16_384, 100, 1]
    parts = parts_of(rows, part_rows=64)
    assert len(parts) == 256 + 2 + 1
    places = [place_of(part, part_rows=64) for part in parts]
    covered = [(s, row) for s, first in places for row in range(first, min(first + 64, rows[s]))]
    assert covered == [(s, row) for s, count in enumerate(rows) for row in range(count)]
