"""FFmpeg through PyAV: M4A, WMA, WebM and all that libsndfile does not read; its only door.

Also the packets of a file as they are stored, for who compares sound without decoding it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tonearm.audio.reader import PREROLL_S, AudioInfo, Float32, mono, no_file, plain
from tonearm.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import av

# Reading on costs less than seeking when the next span begins this soon.
_READ_ON_S = 2.0
# So many are made mono in one go: frame by frame that takes as long as decoding them.
_SAMPLES_TOGETHER = 16_384
# Containers whose length FFmpeg guesses from the bit rate: their packets are counted instead.
_LENGTH_GUESSED = frozenset({"aac", "ac3", "eac3", "mp3", "loas", "dts", "truehd", "amr"})
# "Content Encryption Object" of a Windows Media file, and MP4's encrypted sample entries.
_ASF_ENCRYPTION_ID = bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e")
_MP4_ENCRYPTED = frozenset({"drms", "drmi", "enca", "p608"})


class AvReader:
    """Whatever FFmpeg reads: M4A, ALAC, WMA, WebM, APE, WavPack and the rest, through PyAV."""

    seeks = True

    def __init__(self, path: Path) -> None:
        import av

        self._path = path
        self.ended_at: int | None = None
        self._errors: tuple[type[Exception], ...] = (av.FFmpegError, ValueError)
        self._connect()
        try:
            self.info = self._describe()
            self._begin()
        except BaseException:
            self._container.close()
            raise

    def _connect(self) -> None:
        import av

        path = self._path
        try:
            self._container = _open(path)
        except PermissionError as error:
            raise no_file(path, error) from None
        except (av.FFmpegError, OSError, ValueError) as error:
            raise DecodeError(path, "not-audio", f"FFmpeg: {plain(error, path)}") from None
        try:
            self._stream = self._audio_stream()
        except BaseException:
            self._container.close()
            raise

    def _audio_stream(self) -> av.AudioStream:
        if _is_protected(self._path, self._container):
            reason = "is copy-protected (DRM); only its owner's player can decode it"
            raise DecodeError(self._path, "protected", reason)
        if not self._container.streams.audio:
            what = "only pictures or video" if self._container.streams.video else "no stream"
            raise DecodeError(self._path, "no-audio-stream", f"holds no sound, {what}")
        return self._container.streams.audio[0]

    def _describe(self) -> AudioInfo:
        stream = self._stream
        if stream.codec_context is None or not stream.rate or stream.time_base is None:
            reason = "FFmpeg: no decoder for its audio, or no sample rate"
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
        )

    def _duration_s(self) -> float:
        """Length as the container states it, else the sum of its packets (read, not decoded)."""
        stream, container = self._stream, self._container
        guessed = not _LENGTH_GUESSED.isdisjoint(container.format.name.split(","))
        if not guessed and stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        if not guessed and container.duration:
            return container.duration / 1_000_000  # AV_TIME_BASE
        total, end = 0, 0
        with contextlib.suppress(*self._errors):
            for packet in container.demux(stream):
                total += packet.duration or 0
                end = max(end, (packet.pts or 0) + (packet.duration or 0))
        duration = max(total, end - (stream.start_time or 0)) * (stream.time_base or 0)
        self._reconnect()
        return float(duration)

    def _reconnect(self) -> None:
        # A seek would do, but for what encoders put before the beginning: FFmpeg cuts that off
        # once, in a file just opened, and may lose the first packet in a seek back to it.
        self._container.close()
        self._connect()

    def _begin(self) -> None:
        """Decode from the beginning, and learn how time stamps and positions agree."""
        self._decode_on(position=0)
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
        exact = origin + step * round((stated - origin) / step)
        return exact if abs(exact - stated) <= tick_s * rate_hz else round(stated)

    def _restart(self, start: int) -> None:
        """Seek so that decoding goes on at or a little before sample ``start``."""
        stream = self._stream
        assert stream.time_base is not None
        target_s = max(0.0, start / self.info.sample_rate_hz - PREROLL_S) + self._begin_s
        self._container.seek(int(target_s / stream.time_base), stream=stream, backward=True)
        self._decode_on(position=None)

    def _decode_on(self, *, position: int | None) -> None:
        import av

        self._to_float = av.AudioResampler(format="flt")
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
        """Mono samples from ``start``; fewer at the end or where the file is damaged."""
        ahead = None if self._position is None else start - self._position
        if ahead is None or not 0 <= ahead < _READ_ON_S * self.info.sample_rate_hz + len(
            self._left
        ):
            self._go_to(start)
        pieces: list[Float32] = []
        gathered = 0
        while gathered < count:
            if not len(self._left) and not self._refill():
                break
            assert self._position is not None
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
        if gathered < count and start < self.info.samples:
            self.ended_at = start
        return np.concatenate(pieces) if pieces else np.empty(0, dtype=np.float32)

    def _go_to(self, start: int) -> None:
        try:
            if start:
                self._restart(start)
                return
        except self._errors:
            pass  # no index to seek by: from the beginning, and read on
        self._reconnect()
        self._begin()

    def _refill(self) -> bool:
        """Decode the next frames into ``_left``; False at the end."""
        frames: list[av.AudioFrame] = []
        while sum(frame.samples for frame in frames) < _SAMPLES_TOGETHER:
            frame = next(self._frames, None)
            if frame is None:
                break
            frames.append(frame)
        if not frames:
            return False
        if self._position is None:
            self._position = self._position_of(frames[0])
        self._keep(frames)
        return True

    def _keep(self, frames: list[av.AudioFrame]) -> None:
        pieces = [self._left]
        for channels, alike in groupby(frames, lambda frame: frame.layout.nb_channels):
            parts = [part for frame in alike for part in self._interleaved(frame, channels)]
            if parts:
                pieces.append(mono(np.concatenate(parts)))
        self._left = np.concatenate(pieces)

    def _interleaved(self, frame: av.AudioFrame, channels: int) -> list[Float32]:
        """Float32 [n, channels] of a frame: its own, or in pieces from the converter."""
        # Most lossy decoders give planes of float. Eight of them or more crash PyAV 18.
        if frame.format.name == "fltp" and channels < 8:
            return [np.asarray(frame.to_ndarray(), dtype=np.float32).T]
        parts = [part.to_ndarray() for part in self._to_float.resample(frame)]
        return [np.asarray(part, dtype=np.float32).reshape(-1, channels) for part in parts]

    def close(self) -> None:
        """Let the file go."""
        self._container.close()


@dataclass(frozen=True)
class PacketSample:
    """Some packets of a file as they are encoded, which neither tags nor paging change.

    ``length`` is that of the audio in the container's own units; 0 where all packets are here.
    """

    codec: str
    sample_rate_hz: int
    channels: int
    length: int
    packets: tuple[bytes, ...]


def sample_packets(
    path: str | os.PathLike[str], *, places: int, packets_each: int, whole_s: float
) -> PacketSample:
    """The packets that follow ``places`` moments spread evenly over the audio, read by seeking.

    Of audio no longer than ``whole_s`` all packets, since seeks land loosely in it.

    Raises
    ------
    DecodeError
        When FFmpeg cannot read the file.
    """
    import av

    try:
        with _open(path) as container:
            stream = container.streams.audio[0]
            length, begin = stream.duration or 0, stream.start_time or 0
            packets: list[bytes] = []
            if length * (stream.time_base or 0) <= whole_s:
                packets = [bytes(packet) for packet in container.demux(stream)]
                length = 0
            else:
                for i in range(places):
                    place = begin + length * i // places
                    container.seek(place, stream=stream, backward=True)
                    # Before the place lies what else its page holds: pages may be cut again.
                    behind = (
                        bytes(packet)
                        for packet in container.demux(stream)
                        if packet.pts is not None and packet.pts >= place
                    )
                    packets += islice(behind, packets_each)
            context = stream.codec_context
            return PacketSample(
                context.name, context.sample_rate, context.channels, length, tuple(packets)
            )
    except (av.FFmpegError, OSError, ValueError, IndexError, AttributeError) as error:
        raise DecodeError(path, "not-audio", f"FFmpeg: {plain(error, Path(path))}") from None


def _open(path: str | os.PathLike[str]) -> av.container.InputContainer:
    import av

    # Absolute, or a name like "file:a.mp3" would be taken for an address.
    address = os.path.abspath(path)
    try:
        return av.open(address, metadata_errors="replace")
    except TypeError:  # PyAV 19 has no such argument
        return av.open(address)


def _is_protected(path: Path, container: av.container.InputContainer) -> bool:
    contexts = [stream.codec_context for stream in container.streams.audio]
    # The bindings say there always is one; a codec that FFmpeg does not know has none.
    if any(context and context.codec_tag in _MP4_ENCRYPTED for context in contexts):
        return True
    if "asf" not in container.format.name:
        return False
    with path.open("rb") as file:
        return _ASF_ENCRYPTION_ID in file.read(65_536)


def packet_digest(path: Path) -> str:
    """SHA-256 of all sound as it is stored: each packet with its time, of every audio stream.

    Two files with the same digest decode alike, whatever their tags and pictures.

    Raises
    ------
    DecodeError
        When FFmpeg cannot read the file.
    """
    import av

    digest = hashlib.sha256()
    try:
        with _open(path) as container:
            streams = list(container.streams.audio)
            for packet in container.demux(streams) if streams else ():
                digest.update(f"{packet.stream_index} {packet.pts} {packet.size} ".encode())
                digest.update(bytes(packet))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise DecodeError(path, "not-audio", f"FFmpeg: {plain(error, path)}") from None
    return digest.hexdigest()
