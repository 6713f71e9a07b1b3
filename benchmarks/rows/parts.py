"""Parts of the work: decoding and the front end, and an epoch of training."""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable

import numpy as np

from benchmarks import made_up, measure
from benchmarks.bench import OURS, TONEARM, Bench, printed_seconds, say
from benchmarks.made_up import MadeUp
from benchmarks.measure import Command
from benchmarks.table import Section
from tonearm import audio
from tonearm.features import MUSICNN_SPEC

_MOST_TRAINING_RUNS = 3


def frontend(bench: Bench, section: Section) -> None:
    """Decoding four minutes to 16 kHz, and the log-mel of them from memory."""
    track = bench.material.tracks[0].path
    sound = audio.decode(track)
    samples = bench.work / "samples.npy"
    rate_hz = MUSICNN_SPEC.sample_rate_hz
    np.save(samples, audio.resample(sound.samples, sound.sample_rate_hz, rate_hz))
    peers = [peer for name in ("librosa_svm", "essentia_mel") if (peer := bench.peer(name))]
    for what, part, path in (
        ("log-mel of samples in memory", "mel", samples),
        ("decoding and resampling to 16 kHz mono", "decode", track),
    ):
        for peer in peers:
            library = peer.name.partition("_")[0]
            with section.attempt(what, library):
                say(f"  {part} next to {library}")
                ours = _repeated([sys.executable, OURS, part, path])
                pairs = measure.in_turn(ours, _repeated(peer.command(part, path)), runs=bench.runs)
                section.add(what, library, pairs, "s")


def _repeated(command: Command) -> Callable[[], float]:
    """Measures the median of what a script does several times over."""
    return lambda: statistics.median(printed_seconds(measure.run(command, one_core=True)))


def training(bench: Bench, section: Section) -> None:
    """An epoch of the LSTM, here and under Keras."""
    original = bench.peer("original")
    if original is None:
        section.say("an epoch of the LSTM", "the original", other="not installed")
        return
    say("  making 10,000 excerpts")
    made = made_up.make(bench.work)
    pairs = measure.in_turn(
        lambda: measure.steady(_train(made, epochs=1), _train(made, epochs=3), more=2),
        lambda: statistics.mean(
            printed_seconds(measure.run(original.command("train", made.arrays, "3"), one_core=True))
        ),
        runs=min(bench.runs, _MOST_TRAINING_RUNS),
    )
    section.add("an epoch of the LSTM", original.words, pairs, "s")


def _train(made: MadeUp, *, epochs: int) -> float:
    with tempfile.TemporaryDirectory() as out:
        options = ["--split", str(made.split), "--epochs", str(epochs), "-o", out]
        command = [*TONEARM, "train", str(made.folder), "--arch", "lstm", *options]
        return measure.run(command, one_core=True).wall_s
