"""The other programs, and an environment for each, created once in ``.bench/``.

A program (a "peer") is ``peers/NAME.py`` with its requirements in ``peers/NAME.txt``. One that
cannot be installed is left out, with the last line of pip.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Command, environment

ROOT = Path(__file__).parents[1] / ".bench"
SCRIPTS = Path(__file__).with_name("peers")


@dataclass(frozen=True)
class Peer:
    """Another program that classifies or tags music.

    Parameters
    ----------
    name : str
        Its name on the command line, and of its files.
    words : str
        Its description in the table.
    answers : bool
        Whether it gives a genre or tags at all.
    """

    name: str
    words: str
    answers: bool = True

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return ROOT / self.name / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def script(self) -> Path:
        """Its code."""
        return SCRIPTS / f"{self.name}.py"

    def command(self, *words: str | Path) -> list[str | Path]:
        """Its script, with arguments."""
        return [self.python, self.script, *words]


PEERS = (
    Peer("original", "the original (librosa, Keras LSTM)"),
    Peer("musicnn_tensorflow", "musicnn 0.1.0 (TensorFlow)"),
    Peer("librosa_svm", "librosa features and an SVM"),
    Peer("pyaudioanalysis_svm", "pyAudioAnalysis (its SVM)"),
    Peer("panns_cnn14", "PANNs Cnn14 (torch)"),
    Peer("essentia_musicnn", "essentia's front end and musicnn in onnxruntime"),
    Peer("essentia_mel", "essentia, decoding and mel only, no genre: a lower bound", answers=False),
)


class UnavailableError(Exception):
    """A peer could not be installed; the message says why."""


def make(peer: Peer) -> None:
    """Install a peer, unless that was done before.

    Raises
    ------
    UnavailableError
        With the last line of what went wrong.
    """
    needed = SCRIPTS / f"{peer.name}.txt"
    folder = ROOT / peer.name
    with _once(folder / "installed", needed) as new:
        if new:
            shutil.rmtree(folder, ignore_errors=True)
            _run([sys.executable, "-m", "venv", folder])
            pip: Command = [
                peer.python,
                "-m",
                "pip",
                "--disable-pip-version-check",
                "install",
                "--quiet",
            ]
            _run([*pip, "-r", needed])
    with _once(folder / "set-up", peer.script) as new:
        if new:
            _run(peer.command("setup"))


@contextmanager
def _once(mark: Path, source: Path) -> Iterator[bool]:
    """Whether ``source`` changed since this ended well; ``mark`` keeps its hash."""
    made = hashlib.sha256(source.read_bytes()).hexdigest()
    yield not mark.exists() or mark.read_text() != made
    mark.write_text(made)


def _run(command: Command) -> None:
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env=environment(one_thread=False),
    )
    if ended.returncode:
        lines = [line for line in (ended.stdout + ended.stderr).splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")] or lines
        raise UnavailableError(errors[-1].strip() if errors else f"exit code {ended.returncode}")
