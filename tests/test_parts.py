"""One part of a cluster's manifest: the rows of a scan, each error a row, nothing done twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

pa = pytest.importorskip("pyarrow")
pytest.importorskip("fsspec")

import numpy as np  # noqa: E402
from support import objects  # noqa: E402
from support.fakes import HIGH_HZ, LOW_HZ, tiny_model  # noqa: E402
from support.songs import song as song_of_one_tone  # noqa: E402
from support.sounds import tone, write_sndfile  # noqa: E402

from tonearm.distributed.manifest import write_slices  # noqa: E402
from tonearm.distributed.output import Output  # noqa: E402
from tonearm.distributed.parts import Job, PartAnalyser, PartResult, Tries  # noqa: E402
from tonearm.errors import DAMAGED  # noqa: E402
from tonearm.library.store import Library  # noqa: E402
from tonearm.library.table import from_table, library_rows, models_of  # noqa: E402


class Line:
    """A line to a Tries of this process."""

    def __init__(self):
        self.tries, self.asked = Tries(), []

    def __call__(self, name, *values):
        self.asked.append(name)
        return getattr(self.tries, name)(*values)


@pytest.fixture
def job(tmp_path):
    return Job(str(tmp_path / "out"), tiny_model(), 64, make_embed=objects.make_embed)


def manifest_of(job, tmp_path, *names):
    lines = tmp_path / "all.txt"
    lines.write_text("".join(f"{name}\n" for name in names))
    write_slices(Output(job.output), [str(lines)], 0)


def analyse(job, line=None, part=0):
    analyser = PartAnalyser(job, line or Line())
    try:
        return analyser.analyse(part)
    finally:
        analyser.close()


def rows_of(job, part=0):
    table = Output(job.output).read_part(part)
    return list(from_table(table, models_of(table.schema, name="")))


def files(tmp_path, *names):
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    return names


def test_every_object_gets_a_row_in_the_order_of_the_manifest(job, tmp_path):
    given = files(tmp_path, "a.mp3", "crash.mp3", "b.mp3", "raise.mp3")
    manifest_of(job, tmp_path, *given, "gone.mp3", "floppy://x.mp3", "\t")
    result = analyse(job)
    rows = rows_of(job)
    assert [row.path.rpartition("/")[2] for row in rows[:5]] == [*given, "gone.mp3"]
    assert [row.error and row.error[0] for row in rows] == [
        *(None, "crash", None, "internal", "missing", "unreadable")
    ]
    assert (result.analysed, result.failed) == (2, 4)
    assert "names an unknown kind of storage" in rows[5].error[1]
    assert rows[0].size == len("a.mp3")
    # As in a library, which keeps no key of what it could not analyse.
    assert [row.key is None for row in rows] == [row.error is not None for row in rows]


def test_the_rows_are_those_of_a_scan(tiny, music, tmp_path):
    from tonearm.library.scan import scan

    song_of_one_tone(music / "short.wav", seconds=1)
    write_sndfile(music / "silent.wav", np.zeros(40_000, np.float32), 8_000, form="WAV")
    parts = np.concatenate([tone(LOW_HZ, 400, 8_000), tone(HIGH_HZ, 250, 8_000)])
    write_sndfile(music / "x mix.wav", parts, 8_000, form="WAV")
    songs = sorted(str(path) for path in music.rglob("*.wav"))
    with Library(tmp_path / "l.sqlite", write=True) as library:
        scan(library, [music], model=tiny.model, jobs=1)
        here = {row.path: row for row in library_rows(library)}
    job = Job(str(tmp_path / "out"), tiny.model, 64)
    manifest_of(job, tmp_path, *songs)
    analyse(job)
    notes = []
    for row in rows_of(job):
        local = here.pop(row.path)
        for name in ("silent", "low_rate"):
            assert getattr(row.embeddings, name) == getattr(local.embeddings, name)
        for name in ("values", "starts_s", "texture"):
            own, other = getattr(row.embeddings, name), getattr(local.embeddings, name)
            assert (own is None) == (other is None)
            assert own is None or own.tolist() == other.tolist(), name
        assert (row.prediction.mix is not None) == row.path.endswith("x mix.wav")
        plain = replace(row, embeddings=None, prediction=None)
        assert plain == replace(local, embeddings=None, prediction=None)
        assert row.prediction.to_dict() == local.prediction.to_dict()
        notes.append(row.prediction.note)
    assert not here and notes == [None, None, None, "short", "silent", "low-rate"]


def test_a_part_that_is_there_is_not_analysed_again(job, tmp_path):
    manifest_of(job, tmp_path, *files(tmp_path, "a.mp3", "b.mp3"))
    analyse(job)
    (tmp_path / "a.mp3").unlink()
    assert analyse(job) == PartResult(0)
    assert [row.error for row in rows_of(job)] == [None, None]


def test_retry_takes_only_what_failed(job, tmp_path):
    manifest_of(job, tmp_path, *files(tmp_path, "a.mp3"), "late.mp3")
    assert analyse(job).failed == 1
    (tmp_path / "a.mp3").unlink()
    files(tmp_path, "late.mp3")
    result = analyse(replace(job, retry=True))
    assert (result.analysed, result.failed) == (1, 0)
    assert [row.error for row in rows_of(job)] == [None, None]


class WorkerLost(Exception):
    """The end of a worker, here an exception of the line by which it reports."""


class LosingLine(Line):
    """Loses the worker at the end of its first try, and whenever row 1 is being read."""

    def __call__(self, name, *values):
        if values == (0, 1) and name == "got":
            raise WorkerLost
        return super().__call__(name, *values)


def test_an_object_that_ends_its_worker_is_given_up_after_three_times(job, tmp_path, monkeypatch):
    manifest_of(job, tmp_path, *files(tmp_path, "a.mp3", "poison.mp3", "b.mp3"))
    line = LosingLine()

    def lose(*_):
        raise WorkerLost

    with monkeypatch.context() as patch:
        patch.setattr(Output, "put_part", lose)
        with pytest.raises(WorkerLost):
            analyse(job, line)
    for _ in range(3):
        with pytest.raises(WorkerLost):
            analyse(job, line)
    # The first time nobody knew over what; then three times over the same object.
    assert analyse(job, line).failed == 1
    assert [row.error and row.error[1] for row in rows_of(job)] == [
        None,
        f"made its worker crash 3 times. {DAMAGED}",
        None,
    ]
    # Forgotten, so that a scan of any length remembers nothing of its parts.
    assert line.tries.begin(0) is None


def test_notes_are_kept_only_after_a_worker_was_lost(job, tmp_path):
    manifest_of(job, tmp_path, *files(tmp_path, "a.mp3", "b.mp3"))
    line = Line()
    analyse(job, line)
    assert line.asked == ["begin", "end"]


def test_a_result_passes_through_the_engine():
    failures = [("ä.mp3", "is missing")] * 29
    given = PartResult(7, 3, 29, failures, [("b.mp3", "truncated")], 1)
    row = {name: values[0] for name, values in given.to_batch().items()}
    assert PartResult.of_row(row) == replace(given, failures=failures[:20])
