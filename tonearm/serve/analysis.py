"""Files are analysed in worker processes: one that crashes a decoder does not end the server.

Each of the service's analysing threads borrows a worker for one file and puts it back.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from tonearm.errors import DecodeError
from tonearm.model.batch import Options, result_of
from tonearm.model.classifier import Classifier
from tonearm.model.prediction import Prediction
from tonearm.serve.spectrogram import Picture, picture
from tonearm.workers import Caller, Failure, Pool, Work, run_one

Report = Callable[[float], None]


@dataclass(frozen=True)
class _Task:
    """One file: to predict with these options, or else to draw."""

    path: str
    options: Options | None


class Analyst:
    """The workers of a server; any number of threads may share one.

    Parameters
    ----------
    classifier : Classifier
        Each worker gets a copy.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._make_work = partial(make_analysis, classifier)
        self._lock = threading.Lock()
        self._idle: list[Pool] = []
        self._model = 0  # how many models came before the one in use

    def use(self, classifier: Classifier) -> None:
        """Analyse with another model from now on; files in progress end with the one before.

        Parameters
        ----------
        classifier : Classifier
            The other model.
        """
        with self._lock:
            self._make_work = partial(make_analysis, classifier)
            self._model += 1
            old, self._idle = self._idle, []
        for pool in old:
            pool.close()

    def predict(
        self, path: str | os.PathLike[str], options: Options, *, on_progress: Report
    ) -> Prediction | DecodeError:
        """The result for one file.

        Parameters
        ----------
        path : path
            The file.
        options : Options
            What is asked of it.
        on_progress : callable
            Called with the fraction that is done, at least twice a second; it may raise, which
            ends the analysis at once.
        """
        return result_of(path, self._run(_Task(os.fspath(path), options), on_progress))

    def picture(self, path: str | os.PathLike[str], *, on_progress: Report) -> Picture:
        """What one file looks like.

        Parameters
        ----------
        path : path
            The file.
        on_progress : callable
            As for :meth:`predict`.

        Raises
        ------
        DecodeError
            When it cannot be decoded.
        """
        drawn = self._run(_Task(os.fspath(path), None), on_progress)
        if isinstance(drawn, Failure):
            raise DecodeError(path, drawn.kind, drawn.reason)
        assert isinstance(drawn, Picture)
        return drawn

    def close(self) -> None:
        """End the workers that wait; there must be no other."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()

    def _run(self, task: _Task, on_progress: Report) -> Any | Failure:  # noqa: ANN401
        with self._borrowed() as pool:
            return run_one(pool, task, on_progress=on_progress)

    @contextmanager
    def _borrowed(self) -> Iterator[Pool]:
        with self._lock:
            pool = self._idle.pop() if self._idle else None
            model, make_work = self._model, self._make_work
        pool = pool or Pool(1, make_work=make_work)
        try:
            yield pool
        finally:
            with self._lock:
                # Returned also after a failure: the pool replaces a worker that died. One that
                # could not is empty, and the next file gets a new pool.
                if current := model == self._model and pool.jobs > 0:
                    self._idle.append(pool)
            if not current:
                pool.close()


def make_analysis(classifier: Classifier) -> Work:
    """In a worker: the function that predicts or draws one file.

    Parameters
    ----------
    classifier : Classifier
        The model, as it came to this process.
    """
    spec = classifier.model.features

    def work(task: _Task, caller: Caller) -> Prediction | DecodeError | Picture:
        if task.options is None:
            return picture(task.path, spec, on_progress=caller.report_progress)
        on_progress = caller.report_progress
        return classifier.predict_or_error(task.path, **task.options, on_progress=on_progress)

    return work
