"""Ray: the connection to a cluster, and work on it by a pool of actors that grows with it."""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np

from tonearm.errors import TonearmError, pip_install

_LOGGER = logging.getLogger("tonearm.distributed")
_PATIENCE_S = 30.0
# Actors at most; the cluster has fewer.
_MOST_WORKERS = 10_000
# Workers one after the other that cannot be made, as on a node that is lost while it starts. Ray's
# own limit is none: the first of them would end the scan.
_DEATHS_AT_START = 20
_COLOUR = re.compile(r"\x1b\[[\d;]*m")
_LOCKED = "If one runs there, it may want the token of ~/.ray/auth_token: set RAY_AUTH_MODE=token"
_ANSWER_S = 20.0
_ADDED = "Failed to apply UDF transform"
_FRAME = re.compile(r'\s*File ".*", line \d+')


class NoClusterError(TonearmError):
    """No cluster could be reached or started, so no work was begun."""


def require() -> None:
    """Raise TonearmError where the extra is not installed."""
    for name in ("ray", "pyarrow", "fsspec"):
        if find_spec(name) is None:
            raise TonearmError(f"a cluster needs {name}: {pip_install('ray')}")


@contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """A connection to a cluster, or a new one of this machine's cores.

    Parameters
    ----------
    address : str or None
        As :func:`ray.init` has it.

    Raises
    ------
    NoClusterError
        When there is none.
    """
    # Ray reports the use of a cluster to its makers unless it is told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray.data  # configures its log, which is quieted then

    # Its log file keeps all of it; on the screen a failure is our one sentence, not its traceback.
    for handler in logging.getLogger("ray.data").handlers:
        # Ray's own alone: a program that catches all messages has its handler there too.
        if type(handler).__module__ == "ray._private.log":
            handler.setLevel(logging.CRITICAL)
    if ray.is_initialized():  # a program that has its own connection keeps it
        yield
        return
    where = address or os.environ.get("RAY_ADDRESS")
    if where:
        _require_answer(where)
    # Ray waits for a node without an end: one that has to start, or one that never will.
    words = f"still waiting for a node of the Ray cluster {where or 'on this machine'}; Ctrl-C ends"
    waits = threading.Timer(_PATIENCE_S, _LOGGER.warning, [words])
    waits.daemon = True
    waits.start()
    try:
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except Exception as error:  # Ray raises many kinds, a bare Exception among them
        if where:
            # All that Ray itself says of a token is that it failed to connect.
            token = "" if os.environ.get("RAY_AUTH_MODE") else f". {_LOCKED}"
            said = words_of(error).rstrip(".")
            raise NoClusterError(f"no Ray cluster at {where}: {said}{token}") from error
        # Ray 2.60's raylet gives its own agent 15 s to start, and no setting changes that.
        raise NoClusterError(
            f"Ray could not be started on this machine: {words_of(error).rstrip('.')}. It waits "
            "only seconds for its own processes: try again when the machine is less busy, or in an "
            "environment with the ray extra alone"
        ) from error
    finally:
        waits.cancel()
    try:
        yield
    finally:
        ray.shutdown()


def _require_answer(where: str) -> None:
    """Raise where nothing answers at HOST:PORT: Ray 2.60 would wait for a cluster for ever."""
    host, _, port = where.rpartition("://")[2].rpartition(":")
    if not port.isdecimal():  # auto or local
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_S).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NoClusterError(f"no Ray cluster at {where}: {reason}") from error


def rows(
    actor: type, blocks: Sequence[np.ndarray[Any, Any]], *arguments: object
) -> Iterator[dict[str, Any]]:
    """Rows that actors make of blocks, in whichever order they get done.

    Parameters
    ----------
    actor : class
        Made once for each core; called with ``{"data": array [1]}`` for each element of a block.
    blocks : sequence of array [n]
        What one task of the engine takes; a block whose node is lost is given again.
    arguments : object
        Of the actor.

    Raises
    ------
    TonearmError
        What ended the work: of this program where it said so, else in the engine's words.
    """
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False  # stderr has one of our own
    context.print_on_execution_start = False
    # Ray's own exception keeps no cause on its way here.
    context.raise_original_map_exception = True
    context.max_consecutive_actor_init_deaths = _DEATHS_AT_START
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    cores = max(1, int(resources.get("CPU", 1)))
    # Blocks of this process, not of a task of the engine: that would wait for a core, and all
    # cores have an actor.
    found = ray.data.from_numpy(list(blocks)).map_batches(
        actor,
        batch_size=1,
        num_cpus=1,
        compute=ray.data.ActorPoolStrategy(
            min_size=min(cores, len(blocks)), max_size=max(cores, _MOST_WORKERS)
        ),
        fn_constructor_args=arguments,
    )
    try:
        yield from found.iter_rows()
    except ray.exceptions.RayError as error:
        raise _cause(error) from error


def _cause(error: BaseException) -> TonearmError:
    """What a worker raised, out of the wrappings of the engine."""
    cause: BaseException | None = error
    deepest = error
    while cause is not None:
        inner = getattr(cause, "cause", None) or cause.__cause__
        if isinstance(cause, TonearmError) and getattr(cause, "cause", None) is None:
            return TonearmError(words_of(cause))
        if isinstance(cause, OSError) and not isinstance(inner, OSError):
            # Ray puts its own remark where the name of the file was.
            reason = cause.strerror or words_of(cause)
            return TonearmError(
                f"a worker of the cluster cannot read or write the output: {reason}"
            )
        deepest = cause if str(cause) else deepest
        cause = inner if inner is not cause else None
    return TonearmError(f"the cluster gave up: {words_of(deepest)}")


def words_of(error: BaseException) -> str:
    """What an error says, as one line; of a traceback from another process, the end.

    Parameters
    ----------
    error : BaseException
        Ray's own, or one that came through it.
    """
    lines = _COLOUR.sub("", str(error)).splitlines()
    frames = [number for number, line in enumerate(lines) if _FRAME.match(line)]
    # A frame is followed by the line of code.
    said = lines[frames[-1] + 2 :] if frames else lines
    # Ray adds how often it tried.
    added = next((number for number, line in enumerate(said) if _ADDED in line), len(said))
    said = said[: max(1, added)]
    return " ".join(" ".join(said).replace("^", "").split()) or type(error).__name__
