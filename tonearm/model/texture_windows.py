"""The second encoder's windows of a track: after the first encoder's, or while these are read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm import audio, windows
from tonearm.model.network import Network
from tonearm.model.track import Track
from tonearm.windows import WindowCount

Float32 = NDArray[np.float32]


class TextureWindows:
    """Windows of 30 s of an open file, each analysed once, when it is first wanted.

    Parameters
    ----------
    network : Network
        The second encoder.
    reader : AudioReader
        The file.
    samples : int
        Length of the track in samples of the file's own rate.
    all_through : bool
        The whole track, for a timeline; else one window in the middle, and more of a long track.
    """

    def __init__(
        self, network: Network, reader: audio.AudioReader, samples: int, *, all_through: bool
    ) -> None:
        self._network, self._spec = network, network.spec
        self._track = Track(reader, network.spec, samples)
        # These windows are ten times as long as the first encoder's.
        many = windows.for_length(1, samples / reader.info.sample_rate_hz)
        count: WindowCount = "all" if all_through or many == "all" else max(1, many // 10)
        self._starts = windows.place(self._track.frames, self._spec.window_frames, count=count)
        self._rows: dict[int, list[Float32]] = {}

    def analyse_until(self, end_s: float) -> None:
        """Analyse the windows that end by then, while their audio is still in memory.

        Parameters
        ----------
        end_s : float
            How far the track has been read.
        """
        last = int(end_s / self._spec.frame_s) - self._spec.window_frames
        for i in np.flatnonzero(self._starts <= last).tolist():
            self._row(i)

    def embeddings(self, *, with_modulations: bool) -> dict[str, Any]:
        """All windows, as fields of :class:`~tonearm.model.encoder.Embeddings`.

        Parameters
        ----------
        with_modulations : bool
            Whether reasons are wanted, and what the filters gave for them.
        """
        # One at a time: 30 s of decoded audio each would add up in a long track.
        rows = [self._row(i) for i in range(len(self._starts))]
        texture, *more = (np.concatenate(column) for column in zip(*rows, strict=True))
        return {
            "texture": texture,
            "texture_starts_s": self._starts.astype(np.float64) * self._spec.frame_s,
            "modulations": more[0] if more and with_modulations else None,
        }

    def _row(self, i: int) -> list[Float32]:
        if i not in self._rows:
            cut = self._track.cut(self._starts[i : i + 1])
            self._rows[i] = self._network.outputs(cut.power(self._spec.window_frames))
        return self._rows[i]
