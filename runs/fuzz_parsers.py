"""Coverage-guided fuzzing of what the package parses itself, with atheris.

Each target gets the bytes of a file or of a request, and may raise only what its callers catch.
Another exception is a finding: its input is kept under --findings, named by where it was raised,
and the run goes on. Input that takes longer than ten seconds ends the run.

Atheris wants an environment of its own, with the package and its dependencies on PYTHONPATH:

    python -m runs.fuzz_parsers tags --seconds 600 --findings findings
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tonearm"]):
    from runs.parser_targets import TARGETS, seeds
    from tonearm.errors import TonearmError


def main() -> None:
    """Fuzz one target for a while."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--findings", type=Path, required=True)
    args = parser.parse_args()
    target, found = TARGETS[args.target], set()
    args.findings.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        corpus, path = Path(place, "corpus"), Path(place, "work", "input")
        corpus.mkdir()
        path.parent.mkdir()
        seeds(args.target, corpus)

        def once(data: bytes) -> None:
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

        options = [f"-max_total_time={args.seconds}", "-timeout=10", "-max_len=60000"]
        options += ["-rss_limit_mb=4096", f"-artifact_prefix={args.findings}/", str(corpus)]
        atheris.Setup([sys.argv[0], *options], once)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
