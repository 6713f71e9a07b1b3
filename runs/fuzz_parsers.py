"""Coverage-guided fuzzing of what the package parses itself, with atheris.

Each target gets the bytes of a file or of a request, and may raise only what its callers catch.
Another exception is a finding: its input is kept under --findings, named by where it was raised,
and the run goes on. Input that takes longer than the limit of time ends the run. Seconds are those
of the processor, so that a busy machine shortens nothing.

Atheris wants an environment of its own, with the package and its dependencies on PYTHONPATH:

    python -m runs.fuzz_parsers tags --seconds 600 --findings findings
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from itertools import count
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tonearm"]):
    from runs.parser_targets import TARGETS, seeds
    from tonearm.errors import TonearmError


def main() -> None:
    """Fuzz one target for a while."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=600, help="of processor time")
    parser.add_argument("--limit", type=int, default=60, help="seconds for one input, by the clock")
    parser.add_argument("--findings", type=Path, required=True)
    args = parser.parse_args()
    target, runs = TARGETS[args.target], count(1)
    found: set[str] = set()
    args.findings.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        corpus, path = Path(place, "corpus"), Path(place, "work", "input")
        corpus.mkdir()
        path.parent.mkdir()
        seeds(args.target, corpus)

        def once(data: bytes) -> None:
            number = next(runs)
            if (took_s := time.process_time()) >= args.seconds:
                print(f"{args.target}: {number - 1} runs in {took_s:.0f} s, {len(found)} findings")
                sys.stdout.flush()
                shutil.rmtree(place)
                os._exit(0)  # libFuzzer knows no other end but that of time by the clock
            path.write_bytes(data)
            try:
                with suppress(TonearmError, OSError):
                    target(path, data)
            except Exception as error:
                frames = list(traceback.extract_tb(error.__traceback__))
                ours = [frame for frame in frames if f"{os.sep}tonearm{os.sep}" in frame.filename]
                last = (ours or frames)[-1]
                where = f"{Path(last.filename).stem}-{last.lineno}-{type(error).__name__}"
                if where not in found:
                    found.add(where)
                    digest = hashlib.sha256(data).hexdigest()[:8]
                    (args.findings / f"{args.target}-{where}-{digest}").write_bytes(data)
                    print(f"FINDING {where}: {error}", flush=True)

        options = [f"-timeout={args.limit}", "-max_len=60000", "-rss_limit_mb=4096"]
        options += [f"-artifact_prefix={args.findings}/", str(corpus)]
        atheris.Setup([sys.argv[0], *options], once)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
