"""Run the steps of the Containerfile in plain Debian, where there is no container engine.

    debootstrap --variant=minbase bookworm BASE
    python -m runs.image_in_chroot BASE --target FOLDER [--copy /etc/pip.conf ...]

Needs root. Each stage gets a copy of BASE; ``RUN`` runs in it by chroot, ``COPY`` copies, ``ENV``,
``ARG``, ``USER`` and ``WORKDIR`` do what they say. Then a song must be predicted as the image's
own user; the image's command must pass its health check, or, with ``--arg EXTRAS=ray``, a cluster
inside must analyse the song. ``--copy`` and ``--bind`` bring along what pip needs here to find
packages.
"""

from __future__ import annotations

import argparse
import atexit
import json
import os
import shlex
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONTAINERFILE = ROOT / "Containerfile"
_PATIENCE_S = 60


@dataclass
class Stage:
    """One stage of the image: a root directory, and what instructions have set."""

    root: Path
    name: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "root"
    folder: str = "/"
    health: list[str] = field(default_factory=list)
    entry: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)

    def start(self, words: list[str], **more: str) -> subprocess.Popen[bytes]:
        """Start a program in it, as its user."""
        home = "/root" if self.user == "root" else f"/home/{self.user}"
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home}
        pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        as_user = [] if self.user == "root" else ["setpriv", "--reuid", self.user, "--regid"]
        as_user += [self.user, "--init-groups"] if as_user else []
        inside = f"cd {shlex.quote(self.folder)} && exec {shlex.join(words)}"
        return subprocess.Popen(
            ["/usr/sbin/chroot", str(self.root), *as_user, "/bin/sh", "-c", inside],
            env={**environment, **pip, **self.environment, **more},
            start_new_session=True,
        )

    def run(self, words: list[str], **more: str) -> int:
        """Run a program in it to its end."""
        return self.start(words, **more).wait()


def instructions(text: str) -> list[tuple[str, str]]:
    """Word and rest of each instruction, without comments, with continued lines as one."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(line.split(None, 1)[0], line.split(None, 1)[1].strip()) for line in joined]


def words_of(rest: str) -> list[str]:
    """The exec form of a command."""
    found: list[str] = json.loads(rest)
    return found


def build(
    base: Path, target: Path, arguments: dict[str, str], copies: list[Path], binds: list[Path]
) -> Stage:
    """Run all instructions; gives the last stage."""
    stages: list[Stage] = []
    for word, rest in instructions(CONTAINERFILE.read_text(encoding="utf-8")):
        print(f"{word} {rest}", flush=True)
        if word == "FROM":
            root = target / f"stage{len(stages)}"
            subprocess.run(["cp", "-a", str(base), str(root)], check=True)
            for path in copies:
                copy(path, root / str(path).lstrip("/"))
            for path in binds:
                bind(path, root / str(path).lstrip("/"))
            stages.append(Stage(root, name=rest.partition(" AS ")[2]))
            continue
        step(stages, word, rest, arguments)
    return stages[-1]


def step(stages: list[Stage], word: str, rest: str, arguments: dict[str, str]) -> None:
    """One instruction but FROM."""
    stage = stages[-1]
    if word == "RUN":
        if stage.run(["/bin/sh", "-c", rest]):
            raise SystemExit(f"failed: RUN {rest}")
    elif word == "COPY":
        source = ROOT
        *froms, to = rest.split()
        if froms[0].startswith("--from="):
            source = next(each.root for each in stages if each.name == froms.pop(0)[7:])
        for name in froms:
            place = stage.root / to.lstrip("/")
            copy(source / name.lstrip("/"), place / Path(name).name if to.endswith("/") else place)
    elif word not in ("VOLUME", "EXPOSE"):
        setting(stage, word, rest, arguments)


def setting(stage: Stage, word: str, rest: str, arguments: dict[str, str]) -> None:
    """An instruction that runs nothing."""
    if word in ("ENV", "ARG"):
        name, _, value = rest.partition("=")
        stage.environment[name] = arguments.get(name, value) if word == "ARG" else value
    elif word == "USER":
        stage.user = rest
    elif word == "WORKDIR":
        stage.folder = rest
    elif word == "HEALTHCHECK":
        stage.health = words_of(rest.partition("CMD ")[2])
    elif word == "ENTRYPOINT":
        stage.entry = words_of(rest)
    elif word == "CMD":
        stage.command = words_of(rest)
    else:
        raise SystemExit(f"unknown instruction {word}")


def copy(source: Path, target: Path) -> None:
    """A file or folder, with what is in it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)


def bind(source: Path, target: Path) -> None:
    """A folder that is too large to copy."""
    target.mkdir(parents=True, exist_ok=True)
    mount("--bind", str(source), target=target)


def mount(*how: str, target: Path) -> None:
    """Mount until this program ends."""
    subprocess.run(["mount", *how, str(target)], check=True)
    atexit.register(subprocess.run, ["umount", "--lazy", str(target)], check=False)


def check(stage: Stage, extras: list[str]) -> None:
    """Predict a song, look who may write, and try what its extras are for.

    With `ray` a cluster inside analyses the song; with `serve` the image's command is started and
    its health check asked.
    """
    for name in ("proc", "dev"):  # which a container engine always gives
        bind(Path("/", name), stage.root / name)
    # Its shared memory is small, unless it is told otherwise.
    mount("-t", "tmpfs", "-o", "size=64m,mode=1777", "shm", target=stage.root / "dev/shm")
    song = "tmp/song.mp3"
    shutil.copy2(ROOT / "examples" / "midnight_walk.mp3", stage.root / song)
    assert stage.run([*stage.entry, "predict", f"/{song}"]) == 0, "predict failed"
    assert stage.run(["sh", "-c", "! touch /opt/tonearm/x"]) == 0, "the program can be written"
    assert stage.run([*stage.entry, "scan", f"/{song}"]) == 0, "/data cannot be written"
    if "ray" in extras:
        rows = ["--output", "/data/rows"]
        assert stage.run([*stage.entry, "scan", "--on", "ray", f"/{song}", *rows]) == 0, "no rows"
        assert list(stage.root.glob("data/rows/*/*.parquet")), "no rows"
        print("a cluster in the image has analysed the song")
    if "serve" not in extras:
        return
    token = {"TONEARM_TOKEN": "chosen-for-this-check"}
    assert stage.run(stage.health, **token) != 0, "it is well before it has started"
    server = stage.start([*stage.entry, *stage.command], **token)
    try:
        ends = time.monotonic() + _PATIENCE_S
        while stage.run(stage.health, **token):
            assert time.monotonic() < ends, "the health check never passes"
            time.sleep(1)
        print("the health check passes")
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def main() -> None:
    """Build and check."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("base", type=Path, help="a plain Debian, by debootstrap")
    parser.add_argument("--target", type=Path, required=True, help="folder for the stages")
    parser.add_argument("--arg", action="append", default=[], help="NAME=VALUE of an ARG")
    parser.add_argument("--copy", type=Path, action="append", default=[], help="files for pip")
    parser.add_argument("--bind", type=Path, action="append", default=[], help="folders for pip")
    given = parser.parse_args()
    arguments = dict(each.split("=", 1) for each in given.arg)
    stage = build(given.base.resolve(), given.target.resolve(), arguments, given.copy, given.bind)
    check(stage, arguments.get("EXTRAS", "serve,watch").split(","))
    used = subprocess.run(
        ["du", "-sm", str(stage.root / "opt/tonearm"), str(stage.root)],
        capture_output=True,
        text=True,
        check=True,
    )
    print(used.stdout)


if __name__ == "__main__":
    main()
