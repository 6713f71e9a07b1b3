"""Feed damaged files of every container to `predict`, `scan` and the page.

Each file has to have its row, no run may end, nothing may take longer than the limit, and no file
may change. The built-in model is used, as for a user; with --quick a tiny one, so that the time
goes into decoding. Files that break a rule are kept in --keep.

    python -m runs.fuzz_files --count 3000 --vorbis 300
    python -m runs.fuzz_files --quick --each 3000 --container .flac --container .ogg
    python -m runs.fuzz_files --files FOLDER        # such as the tests of mutagen and beets
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from runs.mutants import mutant, wrong_bit_in_setup
from tests.support.fakes import tiny_model
from tests.support.small_files import CONTAINERS, music, retag, write
from tonearm.audio import AUDIO_SUFFIXES
from tonearm.model import file as model_file
from tonearm.serve.predict import PATH

SONG_S, QUICK_SONG_S = 2.0, 1.0
# Uploads at once.
CLIENTS = 4
# A run of so many files that takes longer than this for each hangs.
MOST_S_A_FILE = 20.0


@dataclass(frozen=True)
class Seen:
    """What a way of analysing gave for each file, by name: ok, or the kind of its error."""

    outcomes: dict[str, str]
    wrong: list[str]


def main() -> None:
    """Make the files, feed them, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=3_000, help="mutants, of all containers")
    parser.add_argument("--each", type=int, help="so many mutants of each container instead")
    parser.add_argument("--container", action="append", choices=CONTAINERS, help="only these")
    parser.add_argument("--quick", action="store_true", help="a tiny model, and a second of sound")
    parser.add_argument("--vorbis", type=int, default=300, help="Vorbis files with a wrong bit")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--files", type=Path, help="a folder of files to feed instead")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", choices=["predict", "scan", "page"], action="append")
    parser.add_argument("--keep", type=Path, help="folder for files that break a rule")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "mutants"
        if args.files:
            gather(args.files, folder)
        else:
            containers = args.container or CONTAINERS
            count = args.each * len(containers) if args.each else args.count
            song_s = QUICK_SONG_S if args.quick else SONG_S
            make(folder, count, args.vorbis, args.seed, containers=containers, song_s=song_s)
        model = None
        if args.quick:
            model = Path(place) / "tiny.tonearm"
            model_file.save(tiny_model(), model)
        before = digests(folder)
        faults = 0
        for way in args.only or ["predict", "scan", "page"]:
            begun = time.monotonic()
            limit_s = MOST_S_A_FILE * len(before) / args.jobs + 60
            seen = {"predict": by_predict, "scan": by_scan, "page": by_page}[way](
                folder, args.jobs, limit_s, model
            )
            wrong = [*seen.wrong, *(f"{n}: no row" for n in before if n not in seen.outcomes)]
            counts = Counter(seen.outcomes.values()).most_common()
            kinds = ", ".join(f"{number} {kind}" for kind, number in counts)
            took_s = time.monotonic() - begun
            print(f"{way}: {len(seen.outcomes)} of {len(before)} files in {took_s:.0f} s: {kinds}")
            rows = Counter(Path(name).suffix for name in seen.outcomes)
            print(f"  {', '.join(f'{number} {suffix}' for suffix, number in rows.items())}")
            sys.stdout.flush()
            for text in wrong[:50]:
                print(f"  FAULT {text}")
            faults += len(wrong)
            if args.keep:
                keep(folder, seen, args.keep / way)
        changed = [name for name, digest in digests(folder).items() if before[name] != digest]
        print(f"{len(changed)} files changed {changed[:10]}")
    sys.exit(bool(faults or changed))


def make(
    folder: Path,
    count: int,
    vorbis: int,
    seed: int,
    *,
    containers: Sequence[str] = CONTAINERS,
    song_s: float = SONG_S,
) -> None:
    """Write the mutants into a folder."""
    folder.mkdir(parents=True)
    rng = random.Random(seed)
    whole: dict[str, bytes] = {}
    for i, suffix in enumerate(containers):
        path = folder / f"whole{suffix}"
        write(path, music(i, song_s))
        whole[f"plain{suffix}"] = path.read_bytes()
        retag(path, text="Polka", bulk=300)
        whole[f"tagged{suffix}"] = path.read_bytes()
        path.unlink()
    names = list(whole)
    for i in range(count):
        name = names[i % len(names)]
        other = whole[rng.choice(names)]
        kind, suffix = name.split(".")
        made = mutant(rng, whole[name], other)
        (folder / f"{i:05}-{kind}.{suffix}").write_bytes(made)
    for i in range(vorbis if "plain.ogg" in whole else 0):
        made = wrong_bit_in_setup(rng, whole["plain.ogg"])
        (folder / f"setup-{i:04}.ogg").write_bytes(made)


def gather(source: Path, folder: Path) -> None:
    """Copy what is named like audio below a folder into one folder."""
    folder.mkdir(parents=True)
    named = (path for path in sorted(source.rglob("*")) if path.suffix.lower() in AUDIO_SUFFIXES)
    for i, path in enumerate(path for path in named if path.is_file()):
        shutil.copy(path, folder / f"{i:05}-{path.name}")


def digests(folder: Path) -> dict[str, str]:
    """Checksum of each file by name."""
    paths = sorted(folder.iterdir())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def by_predict(folder: Path, jobs: int, limit_s: float, model: Path | None = None) -> Seen:
    """Through the command line, all in one run."""
    out = folder.with_name("out.jsonl")
    command = ["predict", folder, "-f", "jsonl", "-o", out, "-j", str(jobs), *_named(model)]
    wrong = _run(command, limit_s)
    rows = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    left = [path.name for path in folder.parent.iterdir() if path.name.endswith(".part")]
    outcomes = {Path(row["path"]).name: _outcome(row) for row in rows}
    return Seen(outcomes, [*wrong, *(f"{name} is left" for name in left)])


def by_scan(folder: Path, jobs: int, limit_s: float, model: Path | None = None) -> Seen:
    """Into a library; a second scan has to find nothing to do."""
    library = folder.with_name("library.sqlite")
    command = ["scan", folder, "--library", library, "-j", str(jobs), *_named(model)]
    wrong = _run(command, limit_s)
    wrong += _run(command, limit_s, codes=(0,))
    with sqlite3.connect(library) as opened:
        rows = opened.execute("SELECT path, error_kind FROM tracks").fetchall()
    return Seen({Path(path.decode()).name: kind or "ok" for path, kind in rows}, wrong)


def by_page(folder: Path, jobs: int, limit_s: float, model: Path | None = None) -> Seen:
    """As uploads to one server; every other one is drawn too."""
    outcomes: dict[str, str] = {}
    wrong: list[str] = []
    until = time.monotonic() + limit_s

    def send(path: Path) -> None:
        if time.monotonic() > until:
            return  # it has no row then
        draw = "true" if zlib.crc32(path.name.encode()) % 2 else "false"
        with path.open("rb") as file:
            answer = client.post(f"{address}{PATH}?draw={draw}", files={"file": file})
        if answer.status_code not in (200, 422):
            wrong.append(f"{path.name}: {answer.status_code} {answer.text[:200]}")
        outcomes[path.name] = _outcome(answer.json())

    library = folder.with_name("page.sqlite")
    with _served(library, model) as address, httpx.Client(timeout=600) as client:
        with ThreadPoolExecutor(min(CLIENTS, jobs + 1)) as pool:
            list(pool.map(send, sorted(folder.iterdir())))
        if client.get(f"{address}/").status_code != 200:
            wrong.append("the page is gone")
    return Seen(outcomes, wrong)


def _named(model: Path | None) -> list[object]:
    return [] if model is None else ["--model", model]


def _outcome(row: dict[str, dict[str, str]]) -> str:
    return row["error"]["kind"] if "error" in row else "ok"


def _run(command: list[object], limit_s: float, codes: tuple[int, ...] = (0, 1)) -> list[str]:
    words = [sys.executable, "-m", "tonearm", *map(str, command)]
    try:
        done = subprocess.run(words, capture_output=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        return [f"{command[0]} took longer than {limit_s:.0f} s"]
    told = done.stderr.decode("utf-8", "replace")
    wrong = ["a traceback"] if "Traceback" in told else []
    if done.returncode not in codes:
        wrong.append(f"{command[0]} ended with {done.returncode}: {told[-300:]}")
    return wrong


@contextmanager
def _served(library: Path, model: Path | None = None) -> Iterator[str]:
    """The address of a server of its own."""
    command = [sys.executable, "-m", "tonearm", "serve", "--port", "0", "--no-browser"]
    command += ["--library", str(library), *map(str, _named(model))]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        lines = iter(server.stderr.readline, "")
        found = next(match for line in lines if (match := re.search(r"http://\S+", line)))
        reader = threading.Thread(target=server.stderr.read)  # what it says must not block it
        reader.start()
        try:
            yield found[0].rstrip("/")
        finally:
            server.terminate()
            reader.join()


def keep(folder: Path, seen: Seen, place: Path) -> None:
    """Copy what crashed, hung or found a fault: it is answered, and still to be mended."""
    place.mkdir(parents=True, exist_ok=True)
    for name, outcome in seen.outcomes.items():
        if outcome in ("crash", "timeout", "memory", "internal"):
            shutil.copy(folder / name, place / f"{outcome}-{name}")


if __name__ == "__main__":
    main()
