"""What a cluster's scan makes of throttling, missing objects, no credentials and rubbish.

    python -m runs.cluster_faults CLIPS [-n 300] [--json OUT]

The clips are those of ``cluster_objects``. Each case prints the exit code, the sum of its rows and
the kinds of its errors; and whether rows + errors are the lines of the manifest.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from runs.cluster_objects import s3_server, upload

_PORT = 5_734
_REFUSED = 0.3  # of all requests for objects


def scan(inputs: str, output: str, **environment: str) -> dict[str, Any]:
    """One scan as a command; gives its code, its sums and the kinds of its errors."""
    from tonearm.distributed.output import Output

    begun = time.monotonic()
    command = [sys.executable, "-m", "tonearm", "scan", "--on", "ray", "--address", "local", inputs]
    ended = subprocess.run(
        [*command, "--output", output, "--format", "json"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, Any] = {"exit code": ended.returncode, "s": round(time.monotonic() - begun)}
    if not ended.stdout:
        return {**found, "message": ended.stderr.strip()}
    counts = json.loads(ended.stdout)
    found |= {name: counts[name] for name in ("found", "analysed", "failed")}
    folder = Output(output)
    kinds: Counter[str] = Counter()
    for part in folder.contents()[1]:
        table = folder.read_part(part, ["error_kind"])
        assert table is not None
        kinds.update(kind or "none" for kind in table.column(0).to_pylist())
    found["error kinds"] = dict(kinds)
    found["the sum is right"] = (
        sum(kinds.values()) == counts["found"] == counts["analysed"] + counts["failed"]
    )
    return found


class Cases(dict[str, Any]):
    """Results by name, each printed as it comes: a case may take minutes."""

    def __setitem__(self, name: str, result: Any) -> None:  # noqa: ANN401 - what JSON holds
        super().__setitem__(name, result)
        print(name, json.dumps(result), flush=True)


def rubbish(folder: Path, clips: list[str]) -> str:
    """A manifest whose every tenth line names nothing that could be read."""
    strange = ["", "floppy://x", "\x07\x1b[31m", "s3://", "s3://archive/music/", "/dev/null"]
    lines = []
    for i, clip in enumerate(clips):
        lines.append(clip)
        if i % 9 == 8:
            text = strange[i // 9 % len(strange)]
            lines.append(f"{text}{i}" if text not in ("", "/dev/null") else text)
    path = folder / "manifest.csv"
    path.write_text("uri\n" + "".join(f'"{line}"\n' for line in lines))
    return str(path)


def main() -> None:
    """Run the cases and print them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("-n", "--count", type=int, default=300)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    paths = sorted(given.clips.resolve().rglob("*.mp3"))[: given.count]
    found = Cases()
    with tempfile.TemporaryDirectory() as name, s3_server(_PORT, refused=_REFUSED):
        folder = Path(name)
        chosen = folder / "clips"
        chosen.mkdir()
        for path in paths:
            (chosen / path.name).symlink_to(path)
        upload(chosen, "archive")
        uris = [f"s3://archive/music/{path.name}" for path in paths]
        found[f"{_REFUSED:.0%} of reads refused (503)"] = scan(
            "s3://archive/music", "s3://archive/throttled"
        )
        lines = folder / "missing.txt"
        lines.write_text("".join(f"{uri}\n{uri[:-4]}-gone.mp3\n" for uri in uris[:50]))
        found["half of the objects missing"] = scan(str(lines), str(folder / "missing"))
        found["a tenth of the manifest rubbish"] = scan(
            rubbish(folder, uris[:150]), str(folder / "rubbish")
        )
        nobody = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": str(folder)}
        lines.write_text("".join(f"{uri}\n" for uri in uris[:20]))
        found["no credentials for the objects"] = scan(
            str(lines), str(folder / "nobody"), AWS_EC2_METADATA_DISABLED="true", **nobody
        )
        found["no credentials for the output"] = scan(
            str(lines), "s3://archive/nobody", AWS_EC2_METADATA_DISABLED="true", **nobody
        )
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
