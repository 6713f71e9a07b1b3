"""Stores besides S3: the same scan, rows and errors from Google's protocol and from SFTP.

    python -m runs.cluster_objects CLIPS MUSIC/*.mp3 -n 20
    python -m runs.cluster_stores CLIPS [--json OUT]

Servers run on loopback: ``gs://`` by the package gcp-storage-emulator, ``sftp://`` by OpenSSH's
sshd (both need gcsfs and paramiko, and sshd needs root). A manifest on the store names 18 objects
of music, some with names that mean something in a URL, one of rubbish, and one that is missing. The
rows go to the same store. They must be those of a scan of the files; the same command again must
analyse nothing; without one part it must make that part alone. Last, ``import`` makes a library.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from getpass import getuser
from pathlib import Path
from typing import Any

from runs.cluster_parity import compare

# What a URL or a listing might take for something else (not ";", at which the emulator cuts names).
_NAMES = (
    "What? #1",
    "100% %20 of it",
    "Dvořák – Größe 🎵",
    "a&b=c+d, e",
    "#3",
    "[live] (2)",
    "it's",
)
_MUSIC = 18


@contextmanager
def gs_server(folder: Path) -> Iterator[str]:
    """An emulator of Google's store; gives the URI of a bucket."""
    port = free_port()
    os.environ["STORAGE_EMULATOR_HOST"] = f"http://127.0.0.1:{port}"
    # What gcsfs asks for first is a service that the emulator does not have.
    os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
    code = (
        "from gcp_storage_emulator.server import create_server as c;"
        f"c('127.0.0.1', {port}, in_memory=True, default_bucket='archive').run()"
    )
    with started([sys.executable, "-c", code], port, folder / "gs.log"):
        yield "gs://archive"


@contextmanager
def sftp_server(folder: Path) -> Iterator[str]:
    """OpenSSH's server with a key of its own; gives the URI of a folder."""
    port, home = free_port(), folder / "home"
    (home / ".ssh").mkdir(parents=True)
    for key in (folder / "host", home / ".ssh" / "id_ed25519"):
        subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", str(key)], check=True)
    settings = {
        "HostKey": folder / "host",
        "AuthorizedKeysFile": home / ".ssh" / "id_ed25519.pub",
        "ListenAddress": "127.0.0.1",
        "PidFile": "none",
        "StrictModes": "no",
        "Subsystem": "sftp internal-sftp",
    }
    config = folder / "sshd_config"
    config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    Path("/run/sshd").mkdir(exist_ok=True)
    os.environ["HOME"] = str(home)  # where paramiko looks for keys
    command = [shutil.which("sshd", path="/usr/sbin") or "sshd", "-D", "-e", "-f", str(config)]
    with started([*command, "-p", str(port)], port, folder / "sshd.log"):
        yield f"sftp://{getuser()}@127.0.0.1:{port}{folder / 'archive'}"


@contextmanager
def started(command: list[str], port: int, log: Path) -> Iterator[None]:
    """A server that listens."""
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as server:
        try:
            for _ in range(100):
                with socket.socket() as line:
                    if line.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert server.poll() is None, log.read_text()
                time.sleep(0.1)
            yield
        finally:
            server.kill()


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        port: int = line.getsockname()[1]
        return port


def choose(clips: Path, folder: Path) -> list[str]:
    """Music and rubbish with names of all kinds; gives the names."""
    folder.mkdir()
    paths = sorted(clips.rglob("*.mp3"))
    good = [path for path in paths if not path.read_bytes().startswith(b"no music")][:_MUSIC]
    for i, path in enumerate(good):
        below = folder / f"album {i % 3}"
        below.mkdir(exist_ok=True)
        shutil.copy(path, below / f"{_NAMES[i] if i < len(_NAMES) else i}.mp3")
    (folder / "rubbish.mp3").write_bytes(b"no music")
    return [str(path.relative_to(folder)) for path in sorted(folder.rglob("*.mp3"))]


def tonearm(*words: str) -> tuple[int, str, str]:
    """A command; gives its code and what it says."""
    command = [sys.executable, "-m", "tonearm", *words]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout, ended.stderr.strip()


def scan(inputs: str, output: str) -> dict[str, Any]:
    """A scan on a cluster of this machine; gives its code and its sums."""
    begun = time.monotonic()
    code, out, said = tonearm(*("scan", "--on", "ray", inputs, "-o", output, "--format", "json"))
    if not out:
        return {"exit code": code, "message": said}
    names = ("found", "unchanged", "analysed", "failed")
    sums = {name: json.loads(out)[name] for name in names}
    return {"exit code": code, **sums, "s": round(time.monotonic() - begun)}


def measure(store: str, folder: Path, library: Path) -> dict[str, Any]:
    """All that is tried of one store."""
    from tonearm.distributed import storage

    names = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*.mp3"))]
    for name in names:
        storage.write(f"{store}/music/{name}", (folder / name).read_bytes())
    lines = "".join(f"{name}\n" for name in [*names, "gone.mp3"])
    storage.write(f"{store}/music/all.m3u8", lines.replace("\n#", "\n./#").encode())
    rows = f"{store}/rows"
    found: dict[str, Any] = {"first": scan(f"{store}/music/all.m3u8", rows)}
    found["parity"] = compare(rows, f"{store}/music/", folder, library)
    found["again"] = scan(f"{store}/music/all.m3u8", rows)
    found["a prefix"] = scan(f"{store}/music", f"{store}/rows of a prefix")
    parity = compare(f"{store}/rows of a prefix", f"{store}/music/", folder, library)
    found["parity of a prefix"] = parity
    mine = str(folder.parent / f"{store.partition(':')[0]}.sqlite")
    code, out, said = tonearm(
        *("import", rows, "--path-map", f"{store}/music/={folder}/", "--library", mine)
    )
    found["import"] = {"exit code": code, "said": out.strip() or said}
    return found


def main() -> None:
    """Every store."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        music, library = Path(name, "music"), Path(name, "library.sqlite")
        choose(given.clips.resolve(), music)
        tonearm("scan", str(music), "--library", str(library), "--quiet")
        # Started once: nodes find the servers by the environment.
        with gs_server(Path(name)) as gs, sftp_server(Path(name)) as sftp:
            import ray

            ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
            os.environ["RAY_ADDRESS"] = ray.get_runtime_context().gcs_address
            for store in (gs, sftp):
                scheme = store.partition(":")[0]
                found[scheme] = measure(store, music, library)
                print(scheme, json.dumps(found[scheme], indent=1), flush=True)
            ray.shutdown()
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
