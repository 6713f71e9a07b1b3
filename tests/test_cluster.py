"""A scan on a small real cluster: two cores of this machine, a folder and a store."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import sys
from pathlib import Path

import pytest

ray = pytest.importorskip("ray")
moto = pytest.importorskip("moto.server")
pytest.importorskip("s3fs")

from support import objects  # noqa: E402
from support.fakes import HIGH_HZ, LOW_HZ, tiny_model  # noqa: E402
from support.songs import song  # noqa: E402
from support.waiting import wait_until  # noqa: E402

from tonearm.distributed import engine, parts, scan  # noqa: E402
from tonearm.distributed.output import Output  # noqa: E402
from tonearm.distributed.scan import ClusterScan  # noqa: E402
from tonearm.errors import TonearmError, pip_install  # noqa: E402
from tonearm.library.table import from_table, models_of  # noqa: E402


@pytest.fixture(scope="module")
def store():
    """A server that speaks S3; its address is in the environment of whatever starts later."""
    server = moto.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield
    server.stop()


@pytest.fixture(scope="module")
def cluster(store):
    tests = Path(__file__).parent
    with pytest.MonkeyPatch.context() as patch:
        # Workers import the package and what the tests pass to them from here.
        patch.setenv("PYTHONPATH", os.pathsep.join([str(tests.parent), str(tests), *sys.path]))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=100 * 2**20,
            log_to_driver=False,
            logging_level="error",
        )
        yield
        ray.shutdown()


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(scan, "_PART_ROWS", ((1_000, 4),))


def rows_of(output):
    folder = Output(str(output))
    _, there = folder.contents()
    tables = [folder.read_part(part) for part in there]
    return [row for table in tables for row in from_table(table, models_of(table.schema, name=""))]


def test_a_folder_is_scanned_continued_and_tried_again(cluster, tonearm, tmp_path, monkeypatch):
    monkeypatch.setattr(scan, "Job", with_fake_encoder)
    for i in range(10):
        (tmp_path / f"{i}.mp3").write_bytes(b"sound %d" % i)
    (tmp_path / "crash.mp3").write_bytes(b"crash")
    lines = tmp_path / "all.txt"
    lines.write_text("".join(f"{i}.mp3\n" for i in range(10)) + "crash.mp3\ngone.mp3\n3.mp3\n")
    output = tmp_path / "out"
    model = tmp_path / "tiny.tonearm"
    save_tiny(model)
    command = ("scan", "--on", "ray", lines, "-o", output, "--model", model)

    run = tonearm(*command)
    assert run.out == "12 objects: 0 unchanged, 10 analysed, 2 failed\n"
    assert run.code == 1
    assert "2 could not be read:" in run.err
    assert "gone.mp3 does not exist" in run.err
    assert "crash.mp3 made its decoder crash" in run.err
    rows = rows_of(output)
    assert len(rows) == len({row.path for row in rows}) == 12
    assert sorted(row.error[0] for row in rows if row.error) == ["crash", "missing"]

    # As after a kill: the rows that are there stay as they are, the others are made.
    (output / "000000" / "0001.parquet").unlink()
    for i in (0, 1, 2, 3, 8, 9):
        (tmp_path / f"{i}.mp3").unlink()
    run = tonearm(*command, "--format", "json")
    counts = json.loads(run.out)
    assert [counts[name] for name in ("found", "unchanged", "failed_before", "analysed")] == [
        *(12, 8, 2, 4)
    ]
    assert (run.code, counts["failed"]) == (0, 0)
    assert sorted(map(key, rows_of(output))) == sorted(map(key, rows))

    (tmp_path / "gone.mp3").write_bytes(b"is back")
    run = tonearm(*command, "--retry")
    assert run.out == "12 objects: 10 unchanged, 1 analysed, 1 failed\n"
    assert len(rows_of(output)) == 12


def key(row):
    return row.path, row.key, row.error, (row.prediction and row.prediction.genre) or ""


def with_fake_encoder(*args, **options):
    return parts.Job(*args, **{**options, "make_embed": objects.make_embed})


def save_tiny(path):
    from tonearm.model import file as model_file

    model_file.save(tiny_model(), path)


def test_a_store_is_scanned_by_range_and_filled(cluster, tiny, tmp_path):
    import s3fs

    bucket = s3fs.S3FileSystem(skip_instance_cache=True)
    bucket.mkdir("archive")
    local = {
        "low": song(tmp_path / "low.wav", LOW_HZ, 20.0),
        "high": song(tmp_path / "high.wav", HIGH_HZ, 20.0),
    }
    for name, path in local.items():
        bucket.put_file(str(path), f"archive/music/{name}.wav")
    seen = []
    result = scan.scan(
        ["s3://archive/music"],
        "s3://archive/out",
        model=tiny.model,
        on_progress=lambda result: seen.append((result.done, result.to_do)),
    )
    assert result == ClusterScan(found=2, analysed=2)
    assert (seen[0], seen[-1]) == ((0, 2), (2, 2))
    for row in rows_of("s3://archive/out"):
        name = Path(row.path).stem
        assert row.path == f"s3://archive/music/{name}.wav"
        own = tiny.predict(local[name])
        assert (row.prediction.genre, row.prediction.confidence) == (own.genre, own.confidence)
        assert row.size == local[name].stat().st_size


def test_a_scan_is_continued_with_its_own_model_alone(cluster, tiny, tmp_path, monkeypatch):
    output = tmp_path / "out"
    song(tmp_path / "music" / "low.wav")
    monkeypatch.setattr(scan, "_analysed", lambda *_: iter(()))
    scan.scan([str(tmp_path / "music")], str(output), model=tiny.model)
    with pytest.raises(TonearmError, match="holds rows of another model, tiny"):
        scan.scan([str(tmp_path / "music")], str(output), model=_another(tiny.model))


def _another(model):
    from dataclasses import replace

    return replace(model, sha256="0" * 64)


def test_failures_and_damage_that_are_not_named_are_counted(tonearm, tmp_path, monkeypatch):
    lines = tmp_path / "all.txt"
    lines.write_text("".join(f"{i}.mp3\n" for i in range(58)))
    named = [("a.mp3", "is cut off")] * 20

    def analysed(*_):
        yield parts.PartResult(0, 30, 21, named, named, 30)
        yield parts.PartResult(1, 4, 0, [], named[:4], 4)
        yield parts.PartResult(2)

    monkeypatch.setattr(scan, "_analysed", analysed)
    monkeypatch.setattr(engine, "cluster", lambda _: contextlib.nullcontext())
    run = tonearm("scan", "--on", "ray", lines, "-o", tmp_path / "out")
    assert run.out == (
        "58 objects: 0 unchanged, 34 analysed, 21 failed, 3 by another scan meanwhile\n"
    )
    assert "20 could not be read (and 1 more: see the column error):" in run.err
    assert "that can be read (and 14 more: see the column warning):" in run.err


def test_ctrl_c_keeps_what_is_done(tonearm, tmp_path, monkeypatch):
    lines = tmp_path / "all.txt"
    lines.write_text("".join(f"{i}.mp3\n" for i in range(12)))

    def analysed(*_):
        print("(raylet) A worker died")  # as Ray does, of its own accord
        yield parts.PartResult(0, 3, 1, [("0.mp3", "does not exist")])
        raise KeyboardInterrupt

    monkeypatch.setattr(scan, "_analysed", analysed)
    monkeypatch.setattr(engine, "cluster", lambda _: contextlib.nullcontext())
    run = tonearm("scan", "--on", "ray", lines, "-o", tmp_path / "out")
    assert (run.code, run.out) == (130, "12 objects: 0 unchanged, 3 analysed, 1 failed\n")
    assert "the same command continues from there" in run.err
    assert Output(str(tmp_path / "out")).contents() == (1, [])


def test_a_cluster_that_cannot_be_reached_is_named(tonearm, tmp_path, monkeypatch):
    def refuse(**_):
        raise Exception("The current node timed out")  # noqa: TRY002 - as Ray does

    (tmp_path / "a.txt").write_text("a.mp3\n")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)  # Ray sets it where it starts a cluster
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    where = ("-o", tmp_path / "out", "--address", address)
    run = tonearm("scan", "--on", "ray", tmp_path / "a.txt", *where)
    assert run.code == 2
    said = f"tonearm: no Ray cluster at {address}: The current node timed out"
    assert f"{said}. If one runs there, it may want the token" in run.err
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    run = tonearm("scan", "--on", "ray", tmp_path / "a.txt", *where)
    assert f"{said}\n" in run.err, "it has the token"
    listener.close()  # Ray itself would wait for ever
    run = tonearm("scan", "--on", "ray", tmp_path / "a.txt", *where)
    assert run.code == 2
    assert run.err == f"tonearm: no Ray cluster at {address}: Connection refused\n"
    assert not (tmp_path / "out").exists(), "nothing was begun"
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    run = tonearm("scan", "--on", "ray", tmp_path / "a.txt", "-o", tmp_path / "out")
    assert "Ray could not be started on this machine: The current node timed out. It" in run.err
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    tonearm("scan", "--on", "ray", tmp_path / "a.txt", "-o", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_a_cluster_without_a_node_is_waited_for_aloud(monkeypatch, caplog):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(engine, "_PATIENCE_S", 0.1)
    waiting = "still waiting for a node of the Ray cluster auto; Ctrl-C ends"
    monkeypatch.setattr(ray, "init", lambda **_: wait_until(lambda: waiting in caplog.messages))
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    with engine.cluster("auto"):
        assert caplog.messages == [waiting]


def test_what_cannot_be_begun_is_said_in_a_sentence(tonearm, tmp_path, monkeypatch):
    lines = tmp_path / "all.txt"
    lines.write_text("a.mp3\n")
    assert "or a manifest" in tonearm("scan", "--on", "ray", "-o", tmp_path / "o").err
    assert "name the folder or URI" in tonearm("scan", "--on", "ray", lines).err
    for option in ("--output", "--address"):
        said = tonearm("scan", lines, option, tmp_path / "o").err
        assert option in said and "needs --on ray" in said
    gone = tonearm("scan", "--on", "ray", tmp_path / "gone", "-o", tmp_path / "o")
    assert (gone.code, gone.err) == (
        2,
        f"tonearm: {tmp_path / 'gone'} cannot be read: does not exist\n",
    )
    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    missing = tonearm("scan", "--on", "ray", lines, "-o", tmp_path / "o")
    assert (missing.code, missing.out) == (2, "")
    assert missing.err == f"tonearm: a cluster needs ray: {pip_install('ray')}\n"


def test_workers_that_cannot_be_made_are_replaced(cluster, tmp_path, capfd, monkeypatch):
    import numpy as np

    blocks = [np.array([1])]
    with engine.cluster(None):  # the connection that is there
        rows = engine.rows(objects.FailsAtFirst, blocks, str(tmp_path / "started"))
        assert sorted(row["twice"] for row in rows) == [2]
        monkeypatch.setattr(engine, "_DEATHS_AT_START", 0)
        with pytest.raises(TonearmError, match=r"the cluster gave up: .*not yet"):
            list(engine.rows(objects.FailsAtFirst, blocks, str(tmp_path / "again")))
    assert "Traceback" not in capfd.readouterr().err


def test_what_ended_a_worker_is_told_in_its_own_words(cluster):
    import numpy as np

    error = OSError(28, "No space left on device", "out/0")
    with engine.cluster(None), pytest.raises(TonearmError) as raised:
        list(engine.rows(objects.Fails, [np.array([1])], error))
    words = "a worker of the cluster cannot read or write the output: No space left on device"
    assert str(raised.value) == words


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError("no credentials"), "a worker of the cluster cannot .*: no credentials"),
        (TonearmError("out is no output"), "out is no output"),
        (ValueError("no value"), "the cluster gave up: no value"),
    ],
)
def test_what_an_engine_adds_to_an_error_is_left_out(error, words):
    error.args = (f"{error}\nFailed to apply UDF transform after 1/1 attempts (total 0.0s).",)
    wrapped = ray.exceptions.RayTaskError("work", "Traceback", error).as_instanceof_cause()
    assert re.fullmatch(words, str(engine._cause(wrapped)))


def test_of_a_workers_traceback_the_end_is_told():
    frames = '  File "a.py", line 1, in work\n    return 1 / 0\n           ~~^~~\n'
    told = f"\x1b[36mray::work()\x1b[39m (pid=1)\n{frames}ZeroDivisionError: division by zero"
    assert engine.words_of(RuntimeError(told)).endswith("ZeroDivisionError: division by zero")
    assert "File" not in engine.words_of(RuntimeError(told))
    assert engine.words_of(RuntimeError("two\n lines")) == "two lines"
    assert engine.words_of(KeyError()) == "KeyError"


def test_a_data_set_is_prepared_into_shards(cluster, tonearm, songs, tmp_path):
    from tonearm.data import index

    run = tonearm("prepare", songs, "-o", tmp_path / "sharded", "--on", "ray")
    assert run.code == 0, run.err
    tonearm("prepare", songs, "-o", tmp_path / "files")
    assert index.load(tmp_path / "sharded") == index.load(tmp_path / "files")
    assert list((tmp_path / "sharded" / "features" / "shards").glob("*.shard"))
