"""FFmpeg through PyAV: M4A, Ogg, WMA, WebM and all that libsndfile does not read."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tonearm.audio.av_input import missing_bytes, open_or_explain, refuse_protected
from tonearm.audio.reader import MOST_CHANNELS, PREROLL_S, AudioInfo, Float32, mono
from tonearm.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import av

# Reading on costs less than seeking when the next span begins this soon.
_READ_ON_S = 2.0
# So many are made mono in one go: frame by frame that takes as long as decoding them.
_SAMPLES_TOGETHER = 16_384
_SAMPLES_COUNTED = 1 << 20
# Containers whose length FFmpeg guesses from the bit rate: their packets are counted instead.
_LENGTH_GUESSED = frozenset({"aac", "ac3", "eac3", "mp3", "loas", "dts", "truehd", "amr"})
# Bits of a packet's first bytes that state its sample rate, where no container does.
_RATE_BITS = {
    "aac": bytes((0, 0x08, 0x3C)),
    "ac3": bytes((0, 0, 0, 0, 0xC0)),
    "eac3": bytes((0, 0, 0, 0, 0xC0)),
    "mp3": bytes((0, 0x18, 0x0C)),
}
# No codec holds a second of sound in less: Vorbis takes some 90 bytes for one of silence.
_LEAST_BYTES_PER_S = 4
_LONGEST_PACKET_S = 60.0
# Before the stated end of a video the last packets of all its streams are looked for.
_LAST_PACKETS_S = 5.0
# A picture of a slow video may be shown for so long.
_LAST_PICTURE_S = 1.0
# Bit of a track that is marked as the one to play (`AV_DISPOSITION_DEFAULT`).
_DEFAULT_TRACK = 1


class AvReader:
    """Whatever FFmpeg reads: M4A, ALAC, Ogg, WMA, WebM, APE, WavPack and the rest.

    Parameters
    ----------
    path : Path
        The file.
    span : (int, int) or None
        First byte and end of the part to read, where a file holds several streams in a row.
    ends_s : float or None
        When the sound ends on its own clock, where the caller knows better than FFmpeg.
    warning : str or None
        What the caller found to be wrong with the file.
    lead : int
        Samples at the beginning that an encoder added.
    """

    seeks = True

    def __init__(
        self,
        path: Path,
        *,
        span: tuple[int, int] | None = None,
        ends_s: float | None = None,
        warning: str | None = None,
        lead: int = 0,
    ) -> None:
        import av

        self._path, self._span, self._ends_s, self._warning = path, span, ends_s, warning
        self._lead = lead
        self.ended_at: int | None = None
        self._errors: tuple[type[Exception], ...] = (av.FFmpegError, ValueError)
        self._connect()
        try:
            self.info = self._describe()
            self._begin()
            if not self.seeks:
                self._count()
        except BaseException:
            self._container.close()
            raise

    def _connect(self) -> None:
        """Open the file for the first time, and refuse what nothing can decode."""
        self._container = open_or_explain(self._path, span=self._span)
        try:
            refuse_protected(self._path, self._container)
            self._stream = self._audio_stream()
        except BaseException:
            self._container.close()
            raise

    def _audio_stream(self) -> av.AudioStream:
        if not self._container.streams.audio:
            what = ", only pictures or video" if self._container.streams.video else ""
            raise DecodeError(self._path, "no-audio-stream", f"holds no sound{what}")
        # Players play the track that is marked, rather than a commentary or one for the blind.
        tracks = self._container.streams.audio
        marked = (each for each in tracks if int(getattr(each, "disposition", 0)) & _DEFAULT_TRACK)
        return next(marked, tracks[0])

    def _describe(self) -> AudioInfo:
        stream = self._stream
        if stream.codec_context is None or not stream.rate or stream.time_base is None:
            reason = "FFmpeg: no decoder for its audio, or no sample rate"
            raise DecodeError(self._path, "not-audio", reason)
        if stream.channels > MOST_CHANNELS:
            reason = f"FFmpeg: {stream.channels} channels, more than {MOST_CHANNELS}"
            raise DecodeError(self._path, "not-audio", reason)
        duration_s = self._duration_s()
        stream = self._stream
        samples = round(duration_s * stream.rate)
        if samples < 1:
            raise DecodeError(self._path, "not-audio", "FFmpeg: no audio packets")
        return AudioInfo(
            sample_rate_hz=stream.rate,
            channels=stream.channels,
            samples=samples,
            codec=f"{self._container.format.name}/{stream.codec_context.name}",
            # Bytes of a part are counted by whoever found the part.
            warning=self._warning or (None if self._span else missing_bytes(self._path)),
            frame_samples=max(0, stream.codec_context.frame_size or 0),
        )

    def _duration_s(self) -> float:
        """Length as the container states it, else the sum of its packets (read, not decoded)."""
        stated_s = self._stated_s()
        # A file of a megabyte that says it lasts a century.
        if stated_s * _LEAST_BYTES_PER_S > max(self._container.size, 1):
            return self._sum_of_packets()
        return stated_s or self._sum_of_packets()

    def _stated_s(self) -> float:
        """Length as the container states it; 0 where FFmpeg would have to guess."""
        stream, container = self._stream, self._container
        formats = container.format.name.split(",")
        start_s = max(0.0, float((stream.start_time or 0) * (stream.time_base or 0)))
        if self._ends_s is not None and self._ends_s > start_s:
            return self._ends_s - start_s
        if not _LENGTH_GUESSED.isdisjoint(formats):
            return 0.0
        several = len(container.streams) > 1
        # ASF states one length for all streams.
        if stream.duration and stream.time_base and not (several and "asf" in formats):
            return float(stream.duration * stream.time_base)
        if not container.duration:
            return 0.0
        length_s = container.duration / 1_000_000  # AV_TIME_BASE
        if several:
            length_s = self._sound_ends_s(length_s)
        # Matroska states when the last sound ends, whenever the first one begins.
        return max(0.0, length_s - (start_s if "matroska" in formats else 0.0))

    def _sound_ends_s(self, length_s: float) -> float:
        """When the sound ends in a container whose length may be that of its pictures."""
        sound_s = pictures_s = 0.0
        try:
            self._container.seek(int(max(0.0, length_s - _LAST_PACKETS_S) * 1_000_000))
        except self._errors:  # Flash video without an index: all packets are read
            self._reconnect()
        with contextlib.suppress(*self._errors):
            for packet in self._container.demux():
                if packet.pts is None or packet.time_base is None:
                    continue
                ends_s = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                if packet.stream.index == self._stream.index:
                    sound_s = max(sound_s, ends_s)
                else:
                    pictures_s = max(pictures_s, ends_s)
        self._reconnect()
        # A file that was cut off lacks its last pictures too, and the stated length shows it.
        whole = pictures_s > length_s - _LAST_PICTURE_S
        return min(sound_s, length_s) if whole and sound_s else length_s

    def _sum_of_packets(self) -> float:
        stream = self._stream
        rate_bits = _RATE_BITS.get(self._container.format.name, b"")
        total, end = 0, 0
        rates: set[bytes] = set()
        with contextlib.suppress(*self._errors):
            for packet in self._container.demux(stream):
                # Either may be missing: time stamps in raw streams, durations in some containers.
                length = packet.duration or 0
                # A last page that states a time gone wrong lends it to its packet.
                if length * (packet.time_base or 0) > _LONGEST_PACKET_S:
                    continue
                total += length
                end = max(end, (packet.pts or 0) + length)
                if rate_bits and packet.size > len(rate_bits):
                    first = memoryview(packet)[: len(rate_bits)]
                    rates.add(bytes(a & b for a, b in zip(first, rate_bits, strict=True)))
        # Whichever is longer: a gap shows in the time stamps alone, missing stamps in the lengths
        # alone.
        duration = max(total, end - (stream.start_time or 0)) * (stream.time_base or 0)
        # FFmpeg counts all packets of such a stream by the rate of the first.
        # Where the rate changes on the way, no time stamp says which sample it is: then positions
        # are found by decoding from the beginning.
        self.seeks = len(rates) <= 1
        self._reconnect()
        stream = self._stream
        if duration * _LEAST_BYTES_PER_S > max(self._container.size, 1):  # time stamps gone wrong
            duration = total * (stream.time_base or 0)
        return float(duration)

    def _count(self) -> None:
        """Count the samples by decoding, where time stamps say nothing."""
        samples = 0
        while piece := len(self.read(samples, _SAMPLES_COUNTED)):
            samples += piece
        self.info = replace(self.info, samples=samples)
        self.ended_at = None
        self._go_to(0)

    def _reconnect(self) -> None:
        # A seek would do, but for what encoders put before the beginning: FFmpeg cuts that off
        # once, in a file just opened, and may lose the first packet in a seek back to it.
        self._container.close()
        self._container = open_or_explain(self._path, span=self._span)
        self._stream = self._audio_stream()

    def _begin(self) -> None:
        """Decode from the beginning, and learn how time stamps and positions agree."""
        self._decode_on(position=0)
        # The first is often trimmed; two full ones behind it are needed to see their size.
        frames = list(islice(self._frames, 3))
        if not frames:
            raise DecodeError(self._path, "not-audio", "FFmpeg: nothing in it can be decoded")
        self._begin_s = frames[0].time or 0.0  # of the first sample
        # Most codecs have frames of one size, but for the first and the last, which are trimmed.
        sizes = [frame.samples for frame in frames]
        self._grid = (sizes[0], sizes[1]) if len(sizes) == 3 and sizes[1] == sizes[2] else None
        self._keep(frames)

    def _position_of(self, frame: av.AudioFrame) -> int:
        """Where a frame after a seek begins; Matroska and ASF round its time to milliseconds."""
        rate_hz, tick_s = self.info.sample_rate_hz, float(frame.time_base or 0)
        at_s = (frame.time if frame.time is not None else self._begin_s) - self._begin_s
        stated = at_s * rate_hz
        if self._grid is None:
            return round(stated)
        origin, step = self._grid
        # Frames lie on a grid: a time rounded to milliseconds finds its exact sample by that.
        exact = origin + step * round((stated - origin) / step)
        return exact if abs(exact - stated) <= tick_s * rate_hz else round(stated)

    def _restart(self, start: int) -> None:
        """Seek so that decoding goes on at or a little before sample ``start``."""
        stream = self._stream
        assert stream.time_base is not None
        target_s = max(0.0, start / self.info.sample_rate_hz - PREROLL_S) + self._begin_s
        # Backward, because a seek to the nearest point may land behind the samples wanted.
        self._container.seek(int(target_s / stream.time_base), stream=stream, backward=True)
        self._decode_on(position=None)

    def _decode_on(self, *, position: int | None) -> None:
        self._to_float: av.AudioResampler | None = None
        self._converts: tuple[object, ...] = ()  # what it was made for
        self._frames = self._decoded()
        self._position = position  # next sample; None: ask the frame
        self._left: Float32 = np.empty(0, dtype=np.float32)  # decoded, not yet handed out

    def _decoded(self) -> Iterator[av.AudioFrame]:
        """Frames one after another, over damaged packets, until the end or a broken container."""
        with contextlib.suppress(*self._errors):
            for packet in self._container.demux(self._stream):
                try:
                    yield from packet.decode()
                except self._errors:
                    continue

    def read(self, start: int, count: int) -> Float32:
        """Mono samples from ``start``; fewer at the end or where the file is damaged.

        Parameters
        ----------
        start, count : int
            First sample and how many, at the file's own rate.
        """
        start += self._lead
        # After a seek the position is unknown until the first frame says it.
        ahead = None if self._position is None else start - self._position
        # A seek costs a new start of the decoder: decoding on over a short gap is faster, and
        # exact.
        near = _READ_ON_S * self.info.sample_rate_hz + len(self._left)
        if ahead is None or not 0 <= ahead < near:
            self._go_to(start)
        pieces: list[Float32] = []
        gathered = 0
        while gathered < count:
            if not len(self._left) and not self._refill():
                break
            assert self._position is not None
            # What was decoded only to settle the codec, or lies between two spans.
            skip = min(max(0, start - self._position), len(self._left))
            self._position += skip
            self._left = self._left[skip:]
            if not len(self._left):
                continue
            piece = self._left[: count - gathered]
            self._left = self._left[len(piece) :]
            self._position += len(piece)
            start += len(piece)
            gathered += len(piece)
            pieces.append(piece)
        # Fewer samples than promised, and not at the end: the rest of the file is missing or
        # damaged.
        if gathered < count and start - self._lead < self.info.samples:
            end = start if self._position is None else min(start, self._position)
            self.ended_at = max(0, end - self._lead)
        return np.concatenate(pieces) if pieces else np.empty(0, dtype=np.float32)

    def _go_to(self, start: int) -> None:
        try:
            if start and self.seeks:
                self._restart(start)
                return
        except self._errors:
            pass  # no index to seek by: from the beginning, and read on
        self._reconnect()
        self._begin()

    def _refill(self) -> bool:
        """Decode the next frames into ``_left``; False at the end."""
        frames: list[av.AudioFrame] = []
        gathered = 0  # counted on the way: a damaged CAF has frames of one sample
        while gathered < _SAMPLES_TOGETHER and (frame := next(self._frames, None)) is not None:
            frames.append(frame)
            gathered += frame.samples
        if not frames:
            return self._keep_rest()
        if self._position is None:
            self._position = self._position_of(frames[0])
        self._keep(frames)
        return True

    def _keep(self, frames: list[av.AudioFrame]) -> None:
        pieces = [self._left]
        # A stream may change its channels or rate on the way; each form is converted apart.
        for form, alike in groupby(frames, _form):
            parts = [part for frame in alike for part in self._interleaved(frame, form)]
            if parts:
                pieces.append(mono(np.concatenate(parts)))
        self._left = np.concatenate(pieces)

    def _keep_rest(self) -> bool:
        """What the converter still holds at the end; False if nothing."""
        if self._to_float is None or self._position is None:
            return False
        parts, self._to_float = self._to_float.resample(None), None  # None flushes it
        if parts:
            channels = parts[0].layout.nb_channels
            self._left = mono(np.concatenate([_samples(part, channels) for part in parts]))
        return bool(len(self._left))

    def _interleaved(self, frame: av.AudioFrame, form: tuple[int, int, str, str]) -> list[Float32]:
        """Float32 [n, channels] of a frame: its own, or in pieces from the converter."""
        import av

        rate_hz, channels, name, _ = form
        # Most lossy decoders give planes of float. Eight of them or more crash PyAV 18.
        if name == "fltp" and channels < 8 and rate_hz == self.info.sample_rate_hz:
            return [np.asarray(frame.to_ndarray(), dtype=np.float32).T]
        if self._to_float is None or self._converts != form:  # the stream begins, or has changed
            self._to_float = av.AudioResampler(format="flt", rate=self.info.sample_rate_hz)
            self._converts = form
        return [_samples(part, channels) for part in self._to_float.resample(frame)]

    def close(self) -> None:
        """Let the file go."""
        self._container.close()


def _form(frame: av.AudioFrame) -> tuple[int, int, str, str]:
    layout = frame.layout
    return frame.sample_rate, layout.nb_channels, frame.format.name, layout.name


def _samples(frame: av.AudioFrame, channels: int) -> Float32:
    return np.asarray(frame.to_ndarray(), dtype=np.float32).reshape(-1, channels)
