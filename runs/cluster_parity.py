"""A cluster that loses a node, its driver, and gains a node, against a scan of this machine.

    python -m runs.cluster_objects CLIPS MUSIC/*.mp3
    python -m runs.cluster_parity CLIPS [--nodes 3] [--json OUT]

Three raylets on loopback, objects in an S3 server (moto). A third of the way one raylet is killed;
half way the driver is (SIGKILL) and starts again; at two thirds a node is added. Then every object
must have one row, equal to that of `tonearm scan` in embeddings, key, tags and prediction.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runs.cluster_objects import s3_server, upload

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

    from tonearm.library.table import TableRow

_PORT = 5_733


def start_driver(address: str, bucket: str) -> subprocess.Popen[str]:
    """The command, as a process of its own."""
    command = ["-m", "tonearm", "scan", "--on", "ray", "--address", address, f"s3://{bucket}/music"]
    return subprocess.Popen(
        [sys.executable, *command, "--output", f"s3://{bucket}/rows", "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def add_node(cluster: Cluster, options: dict[str, Any]) -> Any:  # noqa: ANN401 - Ray's own
    """Ray gives up after 30 s, which a busy machine may need."""
    for _ in range(4):
        try:
            return cluster.add_node(**options)
        except Exception as error:  # Ray's own is a bare one
            print(error, flush=True)
    raise SystemExit("no node starts")


def parts_there(bucket: str) -> dict[str, float]:
    """Parts by name, with the time at which they were written."""
    import s3fs

    store = s3fs.S3FileSystem(skip_instance_cache=True)
    found = store.find(f"{bucket}/rows", detail=True)
    return {
        name: info["LastModified"].timestamp()
        for name, info in found.items()
        if name.endswith(".parquet") and "/_" not in name
    }


def run_cluster(bucket: str, objects: int, nodes: int) -> dict[str, Any]:
    """Three raylets, and what happens to them on the way."""
    from ray.cluster_utils import Cluster

    options = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={**options, "include_dashboard": False})
    others = [add_node(cluster, options) for _ in range(nodes - 1)]
    parts = -(-objects // 64)
    begun = time.monotonic()
    events: dict[str, Any] = {}
    driver = start_driver(cluster.address, bucket)
    before_kill: dict[str, float] = {}
    steps = [("node killed", 1 / 3), ("driver killed", 1 / 2), ("node added", 2 / 3)]
    while driver.poll() is None:
        time.sleep(1)
        there = len(parts_there(bucket))
        if steps and there >= steps[0][1] * parts:
            event, _ = steps.pop(0)
            events[event] = {"parts": there, "s": round(time.monotonic() - begun, 1)}
            print(event, events[event], flush=True)
            if event == "node killed":
                cluster.remove_node(others[0], allow_graceful=False)
            elif event == "node added":
                add_node(cluster, options)
            else:
                driver.kill()
                driver.wait()
                before_kill = parts_there(bucket)
                driver = start_driver(cluster.address, bucket)
    out, err = driver.communicate()
    events["seconds"] = round(time.monotonic() - begun, 1)
    events["exit code"] = driver.returncode
    events["summary"] = json.loads(out) if out else err
    after = parts_there(bucket)
    again = [name for name, at in before_kill.items() if after.get(name) != at]
    events["parts written before the driver was killed"] = len(before_kill)
    events["of them written again"] = len(again)
    cluster.shutdown()
    return events


def compare(rows: str, music: str, clips: Path, library_path: Path) -> dict[str, Any]:
    """Rows of the cluster against the library of a scan; the clips lie below ``music``."""
    from tonearm.distributed.output import Output
    from tonearm.library.store import Library
    from tonearm.library.table import from_table, library_rows, models_of

    folder = Output(rows)
    there: dict[str, Any] = {}
    twice = 0
    for part in folder.contents()[1]:
        table = folder.read_part(part)
        assert table is not None
        for row in from_table(table, models_of(table.schema, name="")):
            name = row.path.removeprefix(music)
            twice += name in there
            there[name] = row
    with Library(library_path) as library:
        here = {str(Path(row.path).relative_to(clips)): row for row in library_rows(library)}
    differing = [
        name for name, local in here.items() if name in there and facts(there[name]) != facts(local)
    ]
    return {
        "objects": len(here),
        "rows": len(there),
        "rows twice": twice,
        "missing": len(set(here) - set(there)),
        "errors": sum(row.error is not None for row in there.values()),
        "differing from the local scan": len(differing),
        "examples": differing[:5],
    }


def facts(row: TableRow) -> tuple[Any, ...]:
    """What must be equal: everything but the path, and the path in an error's words."""
    made, predicted = row.embeddings, row.prediction
    arrays = made and tuple(
        None if each is None else each.tobytes()
        for each in (made.values, made.starts_s, made.texture)
    )
    answer = predicted and {**predicted.to_dict(), "path": None, "mix": None, "timeline": None}
    # What could not be read says so with its path, which differs.
    tags = replace(row.tags, error=row.tags.error and "there is one")
    return row.size, row.key, tags, row.error and row.error[0], arrays, answer


def main() -> None:
    """Upload, run, compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    clips = given.clips.resolve()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with tempfile.TemporaryDirectory() as folder, s3_server(_PORT):
        objects = upload(clips, "archive")
        print(f"{objects:,} objects uploaded", flush=True)
        found = run_cluster("archive", objects, given.nodes)
        print(json.dumps(found, indent=1), flush=True)
        library = Path(folder, "library.sqlite")
        command = [sys.executable, "-m", "tonearm", "scan", str(clips), "--library", str(library)]
        subprocess.run([*command, "--quiet"], stderr=subprocess.DEVNULL, check=False)
        found["parity"] = compare("s3://archive/rows", "s3://archive/music/", clips, library)
    print(json.dumps(found["parity"], indent=1))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
