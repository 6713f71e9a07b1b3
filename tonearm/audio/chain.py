"""Ogg: one stream, or several that follow one another in a file, as one piece of audio.

FFmpeg reads a chain of Opus or FLAC with the clock of its first link, and none of Vorbis. So each
link is opened as a file of its own, and what has another sample rate is converted to the first's.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np

from tonearm.audio.ffmpeg import AvReader
from tonearm.audio.reader import AudioInfo, AudioReader, Float32, no_file
from tonearm.audio.spans import read_span
from tonearm.containers.ogg import Link, links, repeated_headers
from tonearm.errors import DecodeError


def open_ogg(path: Path) -> AudioReader:
    """A reader of an Ogg file.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    DecodeError
        When none of its streams can be decoded.
    """
    try:
        with path.open("rb") as file:
            chain = links(file)
            again = repeated_headers(file, chain[0]) if len(chain) == 1 else None
    except OSError as error:
        raise no_file(path, error) from None
    if len(chain) > 1:
        return ChainReader(path, chain)
    span = None if again is None else (again, chain[0].end)
    return AvReader(path, span=span, ends_s=chain[0].end_s if chain else None)


class ChainReader:
    """The links of a chain, end to end; one of them is open at a time.

    Parameters
    ----------
    path : Path
        The file.
    chain : sequence of Link
        Its streams, in their order.
    """

    seeks = True

    def __init__(self, path: Path, chain: Sequence[Link]) -> None:
        self._path = path
        self._links: list[Link] = []
        self._reader: AvReader | None = None
        self._current = -1
        self.ended_at: int | None = None
        infos: list[AudioInfo] = []
        reasons: list[str] = []
        for link in chain:
            try:
                reader = self._open(link)
            except DecodeError as error:
                reasons.append(error.reason)
                continue
            # A recorded evening of radio may have hundreds of links: too many to keep open.
            reader.close()
            infos.append(reader.info)
            self._links.append(link)
        if not infos:
            raise DecodeError(path, "not-audio", reasons[0])
        first, rate_hz = infos[0], infos[0].sample_rate_hz
        # In samples at the first link's rate, to which all are converted.
        lengths = [info.samples * rate_hz // info.sample_rate_hz for info in infos]
        self._starts = [0, *accumulate(lengths)]
        warning = f"{len(reasons)} of its {len(chain)} streams could not be decoded"
        self.info = AudioInfo(
            rate_hz,
            max(info.channels for info in infos),
            self._starts[-1],
            first.codec,
            warning if reasons else None,
            max(info.frame_samples for info in infos),
        )

    def _open(self, link: Link) -> AvReader:
        return AvReader(self._path, span=(link.start, link.end), ends_s=link.end_s)

    def read(self, start: int, count: int) -> Float32:
        """Mono samples from ``start``; fewer at the end or where the last link is damaged.

        Parameters
        ----------
        start, count : int
            First sample of the chain, and how many, at the rate of its first link.
        """
        stop = min(start + count, self._starts[-1])
        pieces = [np.empty(0, dtype=np.float32)]
        while start < stop:
            # The last link that begins at or before `start`.
            i = bisect_right(self._starts, start) - 1
            end = min(stop, self._starts[i + 1])
            piece = self._read_link(i, start - self._starts[i], end - self._starts[i])
            pieces.append(piece)
            start += len(piece)
            if start < end:
                self.ended_at = start
                break
        return np.concatenate(pieces)

    def _read_link(self, i: int, start: int, stop: int) -> Float32:
        reader = self._link(i)
        if reader is None:
            # Silence keeps the links behind it in their places.
            return np.zeros(stop - start, dtype=np.float32)
        span = read_span(reader, start, stop, rate_hz=self.info.sample_rate_hz)
        # A link that is short inside the chain is filled up; only at the end is it the end.
        is_last = i == len(self._links) - 1
        if is_last and reader.ended_at is not None:
            there = reader.ended_at * self.info.sample_rate_hz // reader.info.sample_rate_hz
            return span[: max(0, there - start)]
        return span

    def _link(self, i: int) -> AvReader | None:
        if i != self._current:
            self.close()
            try:
                self._reader = self._open(self._links[i])
            except DecodeError:  # the file was changed since it was opened
                self._reader = None
            self._current = i
        return self._reader

    def close(self) -> None:
        """Let the file go."""
        if self._reader is not None:
            self._reader.close()
        self._reader, self._current = None, -1
