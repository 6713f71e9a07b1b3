"""The server's workers: a file that crashes one is answered like any other that cannot be read."""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.songs import posix, song

from tonearm.errors import DecodeError, TonearmError
from tonearm.model.batch import Options
from tonearm.model.classifier import Classifier
from tonearm.model.prediction import Prediction
from tonearm.serve import analysis
from tonearm.serve.analysis import Analyst
from tonearm.workers import Caller, pool, processes

OPTIONS = Options(timeline=False, tags=False, count=None)


def ignore(_fraction: float) -> None:
    """Nobody follows the progress."""


def make_crashing(classifier: Classifier) -> Callable[[analysis._Task, Caller], object]:
    """Like the true one, but for files of certain names; sent to workers by its name."""
    work = analysis.make_analysis(classifier)

    def crashing(task: analysis._Task, caller: Caller) -> object:
        if task.path.endswith("segv.wav"):
            faulthandler.disable()
            os.kill(os.getpid(), signal.SIGSEGV)
        return work(task, caller)

    return crashing


@pytest.fixture
def analyst(tiny: Classifier) -> Iterator[Analyst]:
    made = Analyst(tiny)
    yield made
    made.close()


def test_predicts_and_draws(analyst: Analyst, tmp_path: Path) -> None:
    path = song(tmp_path / "a.wav")
    found = analyst.predict(path, OPTIONS, on_progress=ignore)
    assert isinstance(found, Prediction) and found.genre == "blues"
    assert analyst.picture(path, on_progress=ignore).duration_s == found.duration_s
    missing = analyst.predict(tmp_path / "none.wav", OPTIONS, on_progress=ignore)
    assert isinstance(missing, DecodeError) and missing.kind == "missing"
    with pytest.raises(DecodeError, match="does not exist"):
        analyst.picture(tmp_path / "none.wav", on_progress=ignore)


@posix
def test_a_crash_ends_nothing(tiny: Classifier, tmp_path: Path) -> None:
    good, bad = song(tmp_path / "a.wav"), song(tmp_path / "segv.wav")
    analyst = Analyst(tiny)
    analyst._make_work = lambda: make_crashing(tiny)
    # Copies of this process, which know what is made here.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "can_fork", lambda: True)
        patch.setattr(
            analysis, "Pool", lambda jobs, **options: pool.Pool(jobs, fork=True, **options)
        )
        for _ in range(2):
            found = analyst.predict(bad, OPTIONS, on_progress=ignore)
            assert isinstance(found, DecodeError) and found.kind == "crash"
            with pytest.raises(DecodeError, match="SIGSEGV"):
                analyst.picture(bad, on_progress=ignore)
            assert isinstance(analyst.predict(good, OPTIONS, on_progress=ignore), Prediction)
        analyst.close()


def test_after_workers_could_not_start_the_next_file_has_new_ones(
    analyst: Analyst, tmp_path: Path
) -> None:
    def refuse(_: pool.Pool) -> None:
        raise TonearmError("none left")

    path = song(tmp_path / "a.wav")
    assert isinstance(analyst.predict(path, OPTIONS, on_progress=ignore), Prediction)
    (idle,) = analyst._idle
    idle._workers[0].process.kill()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool.Pool, "_start", refuse)
        with pytest.raises(TonearmError, match="none left"):
            analyst.predict(path, OPTIONS, on_progress=ignore)
    assert isinstance(analyst.predict(path, OPTIONS, on_progress=ignore), Prediction)


def test_threads_share_it_and_whoever_has_gone_ends_the_work(
    analyst: Analyst, tmp_path: Path
) -> None:
    class GoneError(Exception):
        pass

    def gone(_fraction: float) -> None:
        raise GoneError

    paths = [song(tmp_path / f"{i}.wav") for i in range(6)]
    found: list[object] = []

    def ask(path: Path) -> None:
        with pytest.raises(GoneError):
            analyst.predict(path, OPTIONS, on_progress=gone)
        found.append(analyst.predict(path, OPTIONS, on_progress=ignore))

    threads = [threading.Thread(target=ask, args=[path]) for path in paths[:3]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [getattr(each, "genre", None) for each in found] == ["blues"] * 3
