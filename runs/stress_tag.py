"""Tag and undo thousands of files while being killed, and see that none is harmed.

    python -m runs.stress_tag MUSIC... --files 2000 --kills 200 --work FOLDER

Cuts real music into clips of every container (``ffmpeg``, ``mpcenc`` where there is one), tags them
in many ways, fills a library with made-up decisions, then runs ``tonearm tag --write`` and
``tonearm undo``, each killed with SIGKILL at random moments, until all is done. After each kill
every file that changed is compared: sound by packets, other tags by mutagen, genre as decided.
At the end all genres are read by MPD, exiftool, mediainfo and others (``read_back``) where they are
installed, and after the undo each file is compared byte by byte with what it was. Prints one JSON
object.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from runs import read_back, tagged_library
from tests.support import tagged
from tonearm.audio.packets import packet_digest
from tonearm.errors import LibraryError
from tonearm.tagging.fields import read_fields
from tonearm.tagging.journal import Journal, journal_path
from tonearm.tagging.read import others, read_tags
from tonearm.tagging.replace import TEMPORARY_PREFIX


def main() -> None:
    """Make, tag, kill, check, undo, check, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("music", nargs="+", type=Path)
    parser.add_argument("--files", type=int, default=2_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    started = time.time()
    folder, library = options.work / "music", options.work / "library.sqlite"
    for old in options.work.glob("library*"):
        old.unlink()
    files = tagged_library.make(options.music, options.files, options.work, folder, rng)
    wanted = tagged_library.fill(library, files, rng)
    before = {path: state(path) for path in files}
    originals = {path: path.read_bytes() for path in files}
    report = {
        "files": len(files),
        "variants": dict(Counter(path.name.split("-")[0] for path in files)),
    }
    print(f"made in {time.time() - started:.0f} s", file=sys.stderr)

    check = Check(before, wanted, originals)
    tag = ["tag", "--write", "--policy", "replace", "--min-confidence", "0.01", "--by", "file"]
    report["kills_tagging"], report["runs_tagging"] = killed(
        tag, library, options.kills * 2 // 3, folder, check, rng
    )
    report["tagged"] = sum(check.is_tagged(path) for path in files)
    report["tools"] = read_by_others(files, wanted)
    report["decoded_alike"] = decoded_alike(
        rng.sample(files, min(200, len(files))), originals, options.work
    )
    report["kills_undoing"], report["runs_undoing"] = killed(
        ["undo"], library, options.kills - report["kills_tagging"], folder, check, rng
    )
    report["fields_as_before"] = sum(read_fields(path).same_as(before[path][0]) for path in files)
    report["bytes_as_before"] = sum(path.read_bytes() == originals[path] for path in files)
    with Journal(journal_path(library)) as journal:
        runs = journal.runs()
        report["journal_done_tagging"] = sum(run.done for run in runs if run.undoes is None)
        report["journal_done_undoing"] = sum(run.done for run in runs if run.undoes)
        states = Counter(e.state for run in runs for e in journal.entries(run.id))
        report["journal_states"] = dict(states)
    report["copies_left"] = len(list(folder.rglob(f"{TEMPORARY_PREFIX}*")))
    report["checked_after_kills"] = check.count
    report["half_done_seen"] = check.temporaries
    report["seconds"] = round(time.time() - started)
    print(json.dumps(report, indent=1))


def state(path: Path) -> tuple[object, ...]:
    """The genre fields, and everything that must not change."""
    status = path.stat()
    return read_fields(path), packet_digest(path), others(path), status.st_mode, status.st_uid


class Check:
    """Compares the files that changed since the last comparison."""

    def __init__(
        self,
        before: dict[Path, tuple[object, ...]],
        wanted: dict[Path, str],
        originals: dict[Path, bytes],
    ) -> None:
        self.before, self.wanted, self.originals = before, wanted, originals
        self.seen = {path: path.stat().st_mtime_ns for path in before}
        self.count = self.temporaries = 0

    def is_tagged(self, path: Path) -> bool:
        """Whether the file has the genre decided for it, as Tonearm's."""
        tags = read_tags(path)
        return tags.genres == (self.wanted[path],) and tags.by_tonearm

    def look(self, folder: Path) -> None:
        """Every file is as it was, byte by byte, or has its genre and all else as it was."""
        self.temporaries += len(list(folder.rglob(f"{TEMPORARY_PREFIX}*")))
        for path, mtime_ns in self.seen.items():
            status = path.stat()
            if status.st_mtime_ns == mtime_ns:
                continue
            self.seen[path] = status.st_mtime_ns
            self.count += 1
            if (
                hashlib.sha256(path.read_bytes()).digest()
                == hashlib.sha256(self.originals[path]).digest()
            ):
                continue
            _, digest, rest, mode, owner = self.before[path]
            assert self.is_tagged(path) or read_fields(path).same_as(self.before[path][0]), path
            assert packet_digest(path) == digest, f"sound of {path}"
            assert others(path) == rest, f"other tags of {path}"
            assert (status.st_mode, status.st_uid) == (mode, owner), f"rights of {path}"


def killed(
    command: list[str], library: Path, kills: int, folder: Path, check: Check, rng: random.Random
) -> tuple[int, int]:
    """Run a command again and again, killed at random, until there is nothing left to do."""
    done = runs = 0
    while True:
        process = subprocess.Popen(
            [sys.executable, "-m", "tonearm", *command, "--library", str(library)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        runs += 1
        if done < kills and alive_until(process, library, rng):
            process.kill()
            process.communicate()
            done += 1
            check.look(folder)
            continue
        output, errors = process.communicate()
        check.look(folder)
        if "nothing to undo" in errors:
            return done, runs
        if process.returncode:
            raise SystemExit(
                f"{command}: exit {process.returncode}\n{output[-500:]}\n{errors[-2000:]}"
            )
        if "0 files to write" in output:
            return done, runs


def alive_until(process: subprocess.Popen[str], library: Path, rng: random.Random) -> bool:
    """Wait for a random moment, mostly while it writes; whether it still runs then."""
    number = newest_run(library)
    anywhere = rng.random() < 0.1
    until = time.monotonic() + (rng.uniform(0, 3) if anywhere else 60)
    while process.poll() is None and time.monotonic() < until:
        if not anywhere and newest_run(library) != number:
            time.sleep(rng.uniform(0, 0.4))
            break
        time.sleep(0.005)
    return process.poll() is None


def newest_run(library: Path) -> int:
    """Number of the journal's last run."""
    if not journal_path(library).exists():
        return 0
    try:
        with Journal(journal_path(library)) as journal:
            return max((run.id for run in journal.runs()), default=0)
    except LibraryError:  # being made
        return 0


# Of these a program reads no tags, whoever wrote them (MPD of AIFF with a NAME chunk).
UNREAD = {"MPD": {".aiff"}, "mediainfo": {".oga", ".spx"}}


def read_by_others(files: list[Path], wanted: dict[Path, str]) -> dict[str, str]:
    """Count, for each other program, the files whose genre it reads as it was written."""
    found = {"PyAV": [tagged.ffmpeg_genre(path) == wanted[path] for path in files]}
    for name, (program, read) in read_back.READERS.items():
        if not shutil.which(program):
            continue
        # Of programs that are started for each file, a tenth.
        asked = files[::10] if name in {"FFmpeg", "kid3", "eyeD3"} else files
        for path, genres in read(asked):
            # What it has no tags of at all, it cannot open.
            if not genres and path.suffix in UNREAD.get(name, ()):
                continue
            parts = {part.strip().lower() for text in genres for part in text.split(";")}
            found.setdefault(name, []).append(wanted[path].lower() in parts)
            if not found[name][-1] and found[name].count(False) < 5:
                print(f"{name}: {path}: {genres}, not {wanted[path]!r}", file=sys.stderr)
    return {name: f"{sum(values)}/{len(values)}" for name, values in found.items()}


def decoded_alike(files: list[Path], originals: dict[Path, bytes], work: Path) -> str:
    """Files whose decoded samples are the same as of the original."""
    same = 0
    for path in files:
        original = work / f"original{path.suffix}"
        original.write_bytes(originals[path])
        sums = [
            read_back.output(
                ["ffmpeg", "-v", "error", "-i", str(p), "-map", "0:a", "-f", "md5", "-"]
            )
            for p in (path, original)
        ]
        same += sums[0] == sums[1] and sums[0].startswith("MD5=")
        original.unlink()
    return f"{same}/{len(files)}"


if __name__ == "__main__":
    main()
