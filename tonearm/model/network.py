"""Running a network on windows; the only module that imports onnxruntime."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import redirect_stdout
from functools import cached_property
from io import StringIO
from itertools import starmap
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tonearm.errors import ModelError
from tonearm.features import FeatureSpec, to_level
from tonearm.model.halves import Halves, halves

if TYPE_CHECKING:
    import onnxruntime as ort

# Since 1.29 onnxruntime reports each use to its maker, from the first import on, and keeps a number
# of the machine for that. It reads this once, so it must stand here before anything imports it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]
T = TypeVar("T")
Result = TypeVar("Result")
# Runs a function on each of some arrays, side by side or one after the other.
RunAll = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]

# Where networks run, for this process and its workers.
DEVICE_VARIABLE = "TONEARM_DEVICE"
_PROVIDERS = {
    "auto": "CPUExecutionProvider",
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "mps": "CoreMLExecutionProvider",
}
# Windows through the network at once; more cost memory (7 MB each) and win no time.
_RUN_WINDOWS = 2


def use_device(device: str) -> None:
    """Choose where this process and its workers run the networks that they load from now on.

    Parameters
    ----------
    device : str
        ``auto`` is the processor, whose results are the same everywhere; ``cuda`` and ``mps`` need
        an onnxruntime that has them.

    Raises
    ------
    ModelError
        When onnxruntime has no such device.
    """
    provider(device)
    # In the environment, because worker processes are started again with nothing else in common.
    os.environ[DEVICE_VARIABLE] = device


def provider(device: str) -> str:
    """The execution provider of a device, in onnxruntime's own word.

    Parameters
    ----------
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises
    ------
    ModelError
        When there is none of that name, or it is not installed.
    """
    if device not in _PROVIDERS:
        raise ModelError(f"the device {device!r} is not one of {', '.join(_PROVIDERS)}")
    wanted = _PROVIDERS[device]
    if wanted != _PROVIDERS["cpu"]:
        import onnxruntime as ort

        has = ort.get_available_providers()
        if wanted not in has:
            raise ModelError(
                f"the onnxruntime that is installed cannot use {device}: it has {', '.join(has)}, "
                f"not {wanted}. Install one that does (onnxruntime-gpu for cuda), or use cpu"
            )
    return wanted


def onnx_session(model: bytes, *, device: str | None = None) -> ort.InferenceSession:
    """An onnxruntime session that computes in the thread that calls it.

    Parameters
    ----------
    model : bytes
        An ONNX model.
    device : str or None
        None is that of `use_device`, by default the processor.

    Raises
    ------
    ModelError
        When onnxruntime cannot read the model, or not use the device.
    """
    import onnxruntime as ort

    ort.disable_telemetry_events()  # on Windows the variable does nothing
    wanted = provider(device or os.environ.get(DEVICE_VARIABLE, "auto"))

    options = ort.SessionOptions()
    # Two threads inside one run give 1.8 times one's rate, two runs side by side 1.9 times.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only; they are raised as well
    settings: dict[str, str] = {}
    if wanted == _PROVIDERS["cuda"]:
        _load_cuda()
        # TensorFloat-32 has ten bits of mantissa: tags would differ from the processor's.
        # To try all of cuDNN's algorithms takes 0.1 s for each number of windows, and wins nothing.
        settings = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
    try:
        session = ort.InferenceSession(model, options, providers=[(wanted, settings)])
    except Exception as error:  # onnxruntime's own exceptions share no other base
        raise ModelError(f"the encoder network cannot be loaded: {error}") from None
    # A driver that is missing makes onnxruntime go on with the processor, and only warn.
    if wanted not in session.get_providers():
        raise ModelError(
            f"onnxruntime has {wanted} but cannot use it here: its driver is missing, or its "
            "libraries (for cuda, `pip install 'onnxruntime-gpu[cuda,cudnn]'`). Or use cpu"
        )
    return session


def _load_cuda() -> None:
    """Load CUDA's libraries from Python packages (PyTorch's, say), where a system has no others."""
    import onnxruntime as ort

    if hasattr(ort, "preload_dlls"):
        # It prints what it misses; whether that matters is seen when the session is made.
        with redirect_stdout(StringIO()):
            ort.preload_dlls()


class Network:
    """A network and its front end; any number of threads may share it.

    Parameters
    ----------
    encoder : bytes
        The network as ONNX.
    spec : FeatureSpec
        Its front end.
    threads : int
        Windows that are computed side by side.
    """

    def __init__(self, encoder: bytes, spec: FeatureSpec, *, threads: int) -> None:
        self.spec, self.threads, self._encoder = spec, threads, encoder
        self._lock = threading.Lock()
        self._loading: Future[ort.InferenceSession] | None = None

    def load(self) -> Future[ort.InferenceSession]:
        """Begin to load the network in a thread: it takes as long as the first windows take."""
        with self._lock:
            if self._loading is None:
                thread = ThreadPoolExecutor(1)
                self._loading = thread.submit(onnx_session, self._encoder)
                thread.shutdown(wait=False)
            return self._loading

    @cached_property
    def _session(self) -> ort.InferenceSession:
        return self.load().result()

    def run(self, power: Float32) -> Float32:
        """Embeddings [n, d] of windows of mel power.

        Parameters
        ----------
        power : float32 [n, window_frames, bands]
            Mel power, not its level, which is taken here.
        """
        return self.outputs(power)[0]

    def outputs(self, power: Float32) -> list[Float32]:
        """Everything that the network gives for these windows.

        Parameters
        ----------
        power : float32 [n, window_frames, bands]
            Mel power, not its level, which is taken here.
        """
        # Few windows are shared out among the threads, too.
        few = min(_RUN_WINDOWS, -(-len(power) // self.threads))
        rows = self._map(self._run_batch, _batches(power, few))
        return [np.concatenate(column) for column in zip(*rows, strict=True)]

    def _run_batch(self, power: Float32) -> list[Float32]:
        # Levels are relative to the window, so that they do not depend on what is read with it.
        levels = np.stack([to_level(window, self.spec) for window in power])
        outputs: list[Float32] = self._session.run(None, {"features": levels})
        return outputs

    def run_stretch(self, power: Float32, offsets: Int64) -> Float32:
        """Embeddings [n, d] of windows of one stretch of audio, which may overlap.

        Parameters
        ----------
        power : float32 [frames, bands]
            Mel power of the whole stretch.
        offsets : int64 [n]
            Where each window begins, ascending.
        """
        length = self.spec.window_frames
        near = len(offsets) > 1 and int(np.diff(offsets).min()) <= length // 2
        # A level relative to its window is another one in each.
        if near and self.spec.scale == "log10" and self._overlapping is not None:
            return self._overlapping.run(to_level(power, self.spec), offsets, self._map)
        return self.run(_windows(power, offsets, length))

    @cached_property
    def _overlapping(self) -> _Overlapping | None:
        # Loaded first: bytes that are no network have no graph to cut, and onnxruntime says so.
        spec, _ = self.spec, self._session
        cut = halves(self._encoder, window_frames=spec.window_frames, bands=spec.mel_bands)
        return _Overlapping(cut, spec.window_frames) if cut else None

    def _map(self, work: Callable[[T], Result], items: Sequence[T]) -> list[Result]:
        if self.threads == 1 or len(items) == 1:
            return list(map(work, items))
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(work, items))

    def run_behind(self, stretches: Iterable[tuple[Float32, Int64]]) -> Iterator[Float32]:
        """:meth:`run_stretch` of each; the next is made meanwhile, where there are threads.

        Parameters
        ----------
        stretches : iterable of (float32 [frames, bands], int64 [n])
            Taken in this thread, one ahead of what is given back at most.
        """
        if self.threads == 1:
            yield from starmap(self.run_stretch, stretches)
            return
        with ThreadPoolExecutor(1) as pool:
            waiting: Future[Float32] | None = None
            for stretch in stretches:
                following = pool.submit(self.run_stretch, *stretch)
                if waiting is not None:
                    yield waiting.result()
                waiting = following
            if waiting is not None:
                yield waiting.result()


class _Overlapping:
    """A network that was cut, for windows that share what its front gives."""

    def __init__(self, cut: Halves, window_frames: int) -> None:
        self._cut, self._length = cut, window_frames
        self._front, self._back = onnx_session(cut.front), onnx_session(cut.back)

    def run(self, levels: Float32, offsets: Int64, run_all: RunAll) -> Float32:
        """Embeddings [n, d] of the windows of levels [frames, bands] that begin there."""
        each = _windows(levels, offsets, self._length)
        between = [
            _windows(values.T, offsets, self._length).transpose(0, 2, 1).copy()
            for values in self._along(levels, run_all)
        ]
        reach = self._cut.reach
        if reach:  # else no filter sees beyond its own frame, and ends are as the middle
            # What a value at the end of a window depends on: as many frames on its one side.
            end = 2 * reach
            for part, ends in (
                (each[:, :end], slice(None, reach)),
                (each[:, -end:], slice(-reach, None)),
            ):
                batches = _batches(np.ascontiguousarray(part), self._length // end)
                rows = run_all(self._run_front, batches)
                for whole, column in zip(between, zip(*rows, strict=True), strict=True):
                    whole[:, :, ends] = np.concatenate(column)[:, :, ends]
        feeds = zip(*(_batches(array, _RUN_WINDOWS) for array in (each, *between)), strict=True)
        return np.concatenate(run_all(self._run_back, list(feeds)))

    def _along(self, levels: Float32, run_all: RunAll) -> list[Float32]:
        """Values between [channels, frames] of a stretch; by pieces, for memory: 8 kB a frame."""
        reach, step = self._cut.reach, _RUN_WINDOWS * self._length
        begins = range(0, len(levels), step)
        pieces = [levels[None, max(0, i - reach) : i + step + reach] for i in begins]
        rows = run_all(self._run_front, pieces)
        cut = [
            [values[0, :, min(i, reach) : min(i, reach) + step] for values in row]
            for i, row in zip(begins, rows, strict=True)
        ]
        return [np.concatenate(column, axis=1) for column in zip(*cut, strict=True)]

    def _run_front(self, levels: Float32) -> list[Float32]:
        values: list[Float32] = self._front.run(list(self._cut.between), {"features": levels})
        return values

    def _run_back(self, values: tuple[Float32, ...]) -> Float32:
        names = ("features", *self._cut.between)
        embeddings: Float32 = self._back.run(None, dict(zip(names, values, strict=True)))[0]
        return embeddings


def _windows(values: Float32, offsets: Int64, length: int) -> Float32:
    """Windows [n, length, d] of values [frames, d]."""
    return np.stack([values[i : i + length] for i in offsets.tolist()])


def _batches(array: Float32, size: int) -> list[Float32]:
    return [array[i : i + size] for i in range(0, len(array), size)]
