"""Predicting many files in worker processes: a file that crashes a decoder fails alone."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from tonearm.errors import DecodeError
from tonearm.workers import Failure, Pool, Work, attempt, in_order

if TYPE_CHECKING:
    from tonearm.model.classifier import Classifier, FilePath
    from tonearm.model.prediction import Prediction
    from tonearm.windows import WindowCount
    from tonearm.workers import Caller


class Options(TypedDict):
    """What is asked of each file; see :meth:`Classifier.predict`."""

    timeline: bool
    tags: bool
    count: WindowCount | None
    reasons: NotRequired[bool]


def make_predict(classifier: Classifier, options: Options) -> Work:
    """In a worker: the function that predicts one file.

    Parameters
    ----------
    classifier : Classifier
        The model, as it came to this process.
    options : Options
        What is asked of each file.
    """

    def work(path: FilePath, caller: Caller) -> Prediction | DecodeError:
        return classifier.predict_or_error(path, **options, on_progress=caller.report_progress)

    return work


def predict_in_order(
    pool: Pool | Work,
    paths: Iterable[FilePath],
    *,
    on_progress: Callable[[int, float], None] = lambda _number, _fraction: None,
) -> Iterator[Prediction | DecodeError]:
    """Predictions in the order of the files, by a pool of :func:`make_predict`.

    Parameters
    ----------
    pool : Pool or function
        Whose workers predict; or what :func:`make_predict` gives, to predict in this process,
        where a crash is this program's own.
    paths : iterable of path
        The files.
    on_progress : callable
        As for :func:`tonearm.workers.in_order`.
    """
    if not isinstance(pool, Pool):
        for path in paths:
            yield result_of(path, attempt(pool, path))
        return
    for outcome in in_order(pool, paths, on_progress=on_progress):
        yield result_of(outcome.task, outcome.value)


def predict_many(
    classifier: Classifier, paths: Iterable[FilePath], options: Options, *, jobs: int
) -> Iterator[Prediction | DecodeError]:
    """Predictions in the order of the files, by a pool of its own.

    Parameters
    ----------
    classifier : Classifier
        The model; it is sent to each worker.
    paths : iterable of path
        Files, taken as there is room for them.
    options : Options
        What is asked of each.
    jobs : int
        Files at once.
    """
    given = map(checked, paths)
    if multiprocessing.current_process().daemon:  # such a process may have no workers
        yield from predict_in_order(make_predict(classifier, options), given)
        return
    # No more workers than files: each costs a process with the model in it.
    first = list(islice(given, jobs))
    make_work = partial(make_predict, classifier, options)
    with Pool(len(first), make_work=make_work) as pool:
        yield from predict_in_order(pool, chain(first, given))


def checked(path: object, *, by: str = "predict_many") -> FilePath:
    """The path; TypeError where it is none, since only a path can be sent to a worker.

    Parameters
    ----------
    path : path
        As the caller gave it.
    by : str
        The method that was called, for the message.
    """
    if not isinstance(path, str | os.PathLike):
        kind = type(path).__name__
        raise TypeError(f"{by} takes paths, not {kind}: use predict for each of them")
    return path


def result_of(path: FilePath, value: Any | Failure) -> Prediction | DecodeError:  # noqa: ANN401
    """What a worker gave for a file; a failure as the error that it is.

    Parameters
    ----------
    path : path
        The file, as the caller named it.
    value : Prediction or Failure
        What the worker returned.
    """
    if isinstance(value, Failure):
        return DecodeError(path, value.kind, value.reason)
    result: Prediction | DecodeError = value
    return result
