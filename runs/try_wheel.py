"""Try a wheel alone, in fresh environments outside the repository.

    python -m runs.try_wheel dist/tonearm.whl --python 3.12
    python -m runs.try_wheel dist/tonearm.whl --python 3.11 --extra serve --lowest

Without ``--extra``: predict, scan, tag, undo and the Python API on the example pieces. With it:
what the extra is for. ``--lowest`` installs the lowest versions that pyproject.toml allows. Needs a
package index for the dependencies.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SONGS = ("midnight_walk.mp3", "prelude_a_l_aube.flac")
GENRES = ["jazz", "classical"]
API = """
from tonearm import Classifier, DecodeError
import tonearm, sys
assert "site-packages" in tonearm.__file__, tonearm.__file__
results = list(Classifier.load().predict_many(sys.argv[1:], jobs=2))
print(*[getattr(result, "genre", result) for result in results])
assert [result.genre for result in results] == ["jazz", "classical"], results
"""
# Twelve clips of each of two genres that anything can tell apart.
CLIPS = """
import os, sys
import numpy as np, soundfile
for genre, octave in (("low", 1), ("high", 8)):
    os.makedirs(f"{sys.argv[1]}/{genre}")
    for i in range(12):
        rng = np.random.default_rng(100 * octave + i)  # a tune of its own, or it would be a copy
        notes = 110 * octave * 2 ** (rng.integers(0, 12, 40) / 12)
        lengths = rng.uniform(0.1, 0.4, 40)
        hz = np.repeat(notes, (22050 * lengths).astype(int))[: 22050 * 7]
        sound = np.sin(2 * np.pi * np.cumsum(hz) / 22050) / 2 + rng.normal(0, 0.02, hz.size)
        soundfile.write(f"{sys.argv[1]}/{genre}/{i}.wav", sound, 22050)
"""
# A network as others publish them: mean of the bands, a matrix, a sigmoid.
NETWORK = """
import numpy as np
from onnx import TensorProto, helper, numpy_helper, save
weight = np.kron(np.eye(2), np.ones((48, 1))).astype(np.float32) / 48
nodes = [
    helper.make_node("ReduceMean", ["mel"], ["mean"], axes=[1], keepdims=0),
    helper.make_node("MatMul", ["mean", "w"], ["scores"]),
    helper.make_node("Sigmoid", ["scores"], ["p"]),
]
value = helper.make_tensor_value_info
graph = helper.make_graph(
    nodes, "net", [value("mel", TensorProto.FLOAT, ["n", 128, 96])],
    [value("p", TensorProto.FLOAT, ["n", 2])], [numpy_helper.from_array(weight, "w")],
)
opset = [helper.make_opsetid("", 13)]
save(helper.make_model(graph, opset_imports=opset, ir_version=8), "net.onnx")
open("net.toml", "w").write(
    'name = "net"\\nlicence = "MIT"\\nclasses = ["polka", "drone"]\\n[features]\\n'
    'sample_rate_hz = 16000\\nn_fft = 512\\nhop_samples = 256\\nmel_bands = 96\\n'
    'mel_low_hz = 0.0\\nmel_high_hz = 8000.0\\nwindow_frames = 128\\nscale = "log10"\\n'
)
"""


@dataclass(frozen=True)
class Installed:
    """A fresh environment with the wheel in it; commands run in ``folder``."""

    folder: Path

    @property
    def songs(self) -> list[str]:
        """The example pieces that are predicted."""
        return [str(self.folder / "music" / name) for name in SONGS]

    def python(self, *arguments: str) -> str:
        """What the environment's Python prints."""
        return run(str(self.program("python")), *arguments, cwd=self.folder)

    def tonearm(self, *arguments: str) -> str:
        """What a command prints."""
        return run(str(self.program("tonearm")), *arguments, cwd=self.folder)

    def program(self, name: str) -> Path:
        """Where a program of the environment lies."""
        return self.folder / "env" / ("Scripts" if os.name == "nt" else "bin") / name

    @contextlib.contextmanager
    def running(self, *arguments: str) -> Iterator[Path]:
        """A command that goes on until it is ended; gives the file that gets what it prints."""
        log = self.folder / "log"
        with log.open("wb") as file:
            started = subprocess.Popen(
                [self.program("tonearm"), *arguments],
                cwd=self.folder,
                env=environment(),
                stdout=file,
                stderr=file,
            )
            try:
                yield log
            finally:
                started.terminate()
                started.wait(timeout=60)


def try_core(made: Installed) -> None:
    """What people run first."""
    print(made.python("-c", API, *made.songs).strip())
    rows = made.tonearm("predict", *made.songs, "--format", "jsonl").splitlines()
    assert [json.loads(row)["genre"] for row in rows] == GENRES, rows
    made.tonearm("scan", "music", "--library", "library.sqlite")
    before = contents(made.folder / "music")
    made.tonearm("tag", "--write", "--policy", "replace", "--library", "library.sqlite")
    assert contents(made.folder / "music") != before, "nothing was written"
    made.tonearm("undo", "--library", "library.sqlite")
    assert contents(made.folder / "music") == before, "undo left a difference"
    assert (made.folder / "env" / "share" / "man" / "man1" / "tonearm.1").exists()


def try_serve(made: Installed) -> None:
    """The page is there, and its API classifies a file."""
    # --no-browser: it would wait for a person.
    with made.running("serve", "--port", "0", "--no-browser", "--library", "l.sqlite") as log:
        found = re.search(r"http://\S+", wait_for(log, "http://"))
        assert found
        script = (
            "import json, sys, urllib.request as u; base, song = sys.argv[1:]\n"
            "assert b'<html' in u.urlopen(base).read()\n"
            'body = b\'--x\\r\\nContent-Disposition: form-data; name="file"; filename="a.mp3"\'\n'
            "body += b'\\r\\n\\r\\n' + open(song, 'rb').read() + b'\\r\\n--x--\\r\\n'\n"
            "kind = {'Content-Type': 'multipart/form-data; boundary=x'}\n"
            "asked = u.Request(base + 'api/v1/predict', body, kind)\n"
            "print(json.load(u.urlopen(asked))['genre'])\n"
        )
        said = made.python("-c", script, found[0].rstrip("/") + "/", made.songs[0])
        assert said.strip() == "jazz", said


def try_watch(made: Installed) -> None:
    """A file that comes while a folder is watched is analysed."""
    (made.folder / "new").mkdir()
    with made.running("scan", "new", "--watch", "--library", "l.sqlite") as log:
        wait_for(log, "watching")
        shutil.copy(made.songs[0], made.folder / "new" / "song.mp3")
        wait_for(log, "1 analysed")


def try_beets(made: Installed) -> None:
    """An import fills in the genre, and beets lists it."""
    settings = {
        "directory": str(made.folder / "unused"),
        "library": str(made.folder / "beets.db"),
        "plugins": "tonearm",
        "import": {"copy": False, "write": True, "autotag": False, "quiet": True},
    }
    # YAML knows JSON.
    (made.folder / "config.yaml").write_text(json.dumps(settings), encoding="utf-8")
    beet = ("-m", "beets", "-c", "config.yaml")
    (made.folder / "one").mkdir()
    # Alone, since the genre by sound of an album's tracks is theirs together.
    shutil.copy(made.songs[0], made.folder / "one")
    made.python(*beet, "import", "-A", "-s", str(made.folder / "one"))
    said = made.python(*beet, "ls", "-f", "$genres $tonearm_genre")
    assert said.split() == ["Jazz", "Jazz"], said


def try_import(made: Installed) -> None:
    """A published network becomes a model, which names its own genres."""
    made.python("-c", NETWORK)
    arguments = ("models", "import", "net.onnx", "-m", "net.toml", "--accept-licence")
    made.tonearm(*arguments, "-o", "net.tonearm")
    row = json.loads(made.tonearm("predict", made.songs[0], "--model", "net.tonearm", "-f", "json"))
    assert "polka" in json.dumps(row), row


def try_train(made: Installed) -> None:
    """A head, a network from scratch, and what both predict."""
    made.python("-c", CLIPS, "clips")
    made.tonearm("train", "clips", "-o", "head")
    asked = ("--arch", "cnn", "--epochs", "2", "--device", "cpu", "-o", "net")
    made.tonearm("train", "clips", *asked)
    for model in ("head/model.tonearm", "net/model.tonearm"):
        said = made.tonearm("predict", "clips/low/0.wav", "--model", model, "-f", "json")
        assert '"low"' in said, said


def try_tensorboard(made: Installed) -> None:
    """The history of a run lies where TensorBoard finds it; training itself is another extra."""
    made.python("-c", CLIPS, "clips")
    asked = ("--arch", "cnn", "--epochs", "1", "--set", "tensorboard=true", "-o", "net")
    made.tonearm("train", "clips", "--device", "cpu", *asked)
    assert list((made.folder / "net").glob("**/events.out.*")), "no events"


def try_ray(made: Installed) -> None:
    """A scan by Ray on this machine, whose table becomes a library."""
    made.tonearm("scan", "music", "--on", "ray", "-o", "parts")
    made.tonearm("import", "parts", "--library", "l.sqlite")
    said = made.tonearm("list", "--library", "l.sqlite", "--genre", "jazz")
    assert "midnight_walk.mp3" in said, said


TRIALS: dict[str, Callable[[Installed], None]] = {
    "serve": try_serve,
    "watch": try_watch,
    "beets": try_beets,
    "import": try_import,
    "train": try_train,
    "tensorboard": try_tensorboard,
    "ray": try_ray,
}
# An extra that is of use with another one.
WITH = {"tensorboard": "train"}


def lowest_versions(extra: str = "") -> list[str]:
    """Each dependency pinned to the lowest version that pyproject.toml allows; or an extra's own.

    Together they may not fit: beets 2.14 wants a later NumPy than Tonearm does.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [name for name in (extra, WITH.get(extra)) if name]
    wanted = [each for name in extras for each in project["optional-dependencies"][name]]
    wanted = wanted or project["dependencies"]
    pins = []
    for dependency in wanted:
        found = re.match(r"([\w-]+(?:\[\w+\])?)>=([\d.]+)", dependency)
        assert found, f"{dependency}: no lower bound"
        pins.append(f"{found[1]}=={found[2]}")
    return pins


def find_python(version: str) -> str | None:
    """A Python of that version that starts; pyenv's stand-ins do not where another is chosen."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    own = sorted(pyenv.glob(f"{version}.*/bin/python{version}"))
    for path in [shutil.which(f"python{version}"), *map(str, own)]:
        if path and not subprocess.run([path, "-V"], capture_output=True, check=False).returncode:
            return path
    return None


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file of a folder."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def try_wheel(wheel: Path, python: str, *, extra: str = "", lowest: bool = False) -> None:
    """Install it into a fresh environment, and run what it is for."""
    with tempfile.TemporaryDirectory() as name:
        made = Installed(Path(name))
        run(python, "-m", "venv", str(made.folder / "env"), cwd=made.folder)
        extras = ",".join(filter(None, (extra, WITH.get(extra))))
        what = f"{wheel.resolve()}[{extras}]" if extras else str(wheel.resolve())
        pins = lowest_versions(extra) if lowest else []
        made.python("-m", "pip", "install", "-q", "--no-cache-dir", what, *pins)
        shutil.copytree(ROOT / "examples", made.folder / "music")
        (TRIALS[extra] if extra else try_core)(made)


def wait_for(log: Path, words: str, *, seconds: float = 120) -> str:
    """What a program has printed, once that holds some words."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        said = log.read_text(encoding="utf-8", errors="replace")
        if words in said:
            return said
        time.sleep(0.2)
    raise SystemExit(f"{words!r} was never printed:\n{said}")


def environment() -> dict[str, str]:
    """Of this process, without what would let the repository be imported."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


def run(*arguments: str, cwd: Path) -> str:
    """Run a command; what it said is in the error if it fails."""
    ended = subprocess.run(arguments, cwd=cwd, capture_output=True, env=environment(), check=False)
    if ended.returncode:
        said = (ended.stdout + ended.stderr).decode(errors="replace")
        raise SystemExit(f"{' '.join(arguments[:6])} ended with {ended.returncode}:\n{said}")
    return ended.stdout.decode()


def main() -> None:
    """Try what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--python", default="3.11", help="version of Python")
    parser.add_argument("--extra", action="append", default=[], choices=["", *TRIALS])
    parser.add_argument("--lowest", action="store_true", help="the lowest versions allowed")
    options = parser.parse_args()
    python = find_python(options.python)
    if python is None:
        raise SystemExit(f"Python {options.python} is not installed")
    for extra in options.extra or [""]:
        begin = time.monotonic()
        try_wheel(options.wheel, python, extra=extra, lowest=options.lowest)
        what = f"[{extra}]" if extra else "the wheel"
        with_what = ", lowest versions" if options.lowest else ""
        took = time.monotonic() - begin
        print(f"Python {options.python}{with_what}: {what} works ({took:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
