"""The two decoders behind :mod:`tonearm.audio`, and nobody else's: libsndfile and FFmpeg.

Each opens a file or raises DecodeError with its own reason, and reads mono spans by seeking.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from tonearm.errors import DecodeError
from tonearm.mpeg import constant_rate_samples, states_length

if TYPE_CHECKING:
    from collections.abc import Iterator

    import av

Float32 = NDArray[np.float32]

# Float files may exceed full scale; twice that is damage, and past it the listener network, which
# was pruned for the range of features that such samples give, would no longer be exact.
_MAX_LEVEL = 2.0
# Lossy decoders need what lies before a span to settle (Opus asks for 80 ms, MP3 for what its bit
# reservoir borrowed from earlier frames); this is ample.
_PREROLL_S = 0.25
_SNDFILE_LOSSY = frozenset({"MP3", "OGG"})
# Reading on costs less than seeking when the next span begins this soon.
_READ_ON_S = 2.0
# Piece by which a damaged file is read up to its damage.
_SALVAGE_SAMPLES = 4_096
# Containers whose length FFmpeg guesses from the bit rate: their packets are counted instead.
_LENGTH_GUESSED = frozenset({"aac", "ac3", "eac3", "mp3", "loas", "dts", "truehd", "amr"})
# "Content Encryption Object" of a Windows Media file, and MP4's encrypted sample entries.
_ASF_ENCRYPTION_ID = bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e")
_MP4_ENCRYPTED = frozenset({"drms", "drmi", "enca", "p608"})
_SHOULD_BE = re.compile(
    r"^\s*(?:data|SSND|Data Size)\s*:\s*(\d+)\s*\(should be (\d+)\)", re.MULTILINE
)


@dataclass(frozen=True)
class AudioInfo:
    """What a file says of itself.

    ``samples`` counts sample frames at ``sample_rate_hz``; ``warning`` is set when the file's
    header promises more than it holds.
    """

    sample_rate_hz: int
    channels: int
    samples: int
    codec: str
    warning: str | None = None

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.samples / self.sample_rate_hz


class AudioReader(Protocol):
    """Open audio; read from anywhere, cheapest in rising order.

    ``ended_at`` is None until a read came out shorter than ``info`` promised, then the position at
    which it broke off.
    """

    info: AudioInfo
    ended_at: int | None

    def read(self, start: int, count: int) -> Float32:
        """Mono samples ``start`` to ``start + count``; fewer where the audio ends before."""
        ...

    def close(self) -> None:
        """Let the file go."""
        ...


class ArrayReader:
    """Mono samples in memory as an open file."""

    ended_at: int | None = None

    def __init__(self, samples: Float32, sample_rate_hz: int) -> None:
        self._samples = mono(samples[:, None])
        self.info = AudioInfo(sample_rate_hz, 1, len(samples), "array")

    def read(self, start: int, count: int) -> Float32:
        """Samples ``start`` to ``start + count``; fewer at the end."""
        return self._samples[start : start + count]

    def close(self) -> None:
        """Nothing to let go."""


def mono(channels: NDArray[np.float32]) -> Float32:
    """Mean over channels; what is not a number becomes silence.

    Parameters
    ----------
    channels : float32 [n, channels]
        Interleaved audio.

    Returns
    -------
    float32 [n]
    """
    # A sum of columns is some 30 times as fast as mean(axis=1) on interleaved stereo.
    total = channels[:, 0].copy()
    for channel in range(1, channels.shape[1]):
        total += channels[:, channel]
    total /= channels.shape[1]
    if not np.isfinite(total).all():
        np.nan_to_num(total, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    return np.clip(total, -_MAX_LEVEL, _MAX_LEVEL, out=total)


class SndfileReader:
    """WAV, FLAC, MP3, Ogg Vorbis and Opus, AIFF, AU, CAF, W64 through libsndfile."""

    def __init__(self, path: Path) -> None:
        import soundfile

        self._sound_file = soundfile.SoundFile
        self._damaged: type[Exception] = soundfile.LibsndfileError
        try:
            # Opened here, since libsndfile's own opening loses the reason and odd names.
            self._raw = path.open("rb")
        except OSError as error:
            raise _no_file(path, error) from None
        try:
            self._file = self._sound_file(self._raw)
        except (soundfile.LibsndfileError, RuntimeError, TypeError, ValueError) as error:
            self._raw.close()
            raise DecodeError(path, "not-audio", f"libsndfile: {_plain(error, path)}") from None
        self.ended_at: int | None = None
        file = self._file
        samples: int | None = file.frames
        if file.format == "MP3" and not states_length(path):
            samples = constant_rate_samples(path)
            if samples is None:
                self.close()
                raise DecodeError(path, "not-audio", "libsndfile: MP3 of variable rate, no length")
        if not file.samplerate or not samples:
            reason = f"libsndfile: {samples} samples at {file.samplerate} Hz"
            self.close()
            raise DecodeError(path, "not-audio", reason)
        lossy = file.format in _SNDFILE_LOSSY
        self._preroll = round(_PREROLL_S * file.samplerate) if lossy else 0
        self.info = AudioInfo(
            sample_rate_hz=file.samplerate,
            channels=file.channels,
            samples=samples,
            codec=f"{file.format}/{file.subtype}",
            warning=_header_warning(file.extra_info),
        )

    def read(self, start: int, count: int) -> Float32:
        """Mono samples from ``start``; fewer at the end or where the file is damaged."""
        count = min(count, self.info.samples - start)
        if count <= 0:
            return np.empty(0, dtype=np.float32)
        try:
            samples = self._read_exactly(start, count)
        except self._damaged:
            samples = self._read_to_damage(start, count)
        if len(samples) < count:
            self.ended_at = start + len(samples)
        return samples

    def _read_exactly(self, start: int, count: int) -> Float32:
        # soundfile seeks after each read to where it is, and the next samples of an MP3 may then
        # be wrong to the end of a frame: what comes before is read again, in the same call.
        before = min(start, self._preroll)
        if start - before != self._file.tell():
            self._file.seek(start - before)
        return mono(self._file.read(before + count, dtype="float32", always_2d=True)[before:])

    def _read_to_damage(self, start: int, count: int) -> Float32:
        """What can be had before the damage: a failed read drops even what it had decoded."""
        pieces = [np.empty(0, dtype=np.float32)]
        with contextlib.suppress(self._damaged):
            while count > 0:
                piece = self._read_exactly(start, min(count, _SALVAGE_SAMPLES))
                if not len(piece):
                    break
                pieces.append(piece)
                start += len(piece)
                count -= len(piece)
        self._reopen()
        return np.concatenate(pieces)

    def _reopen(self) -> None:
        # After an error libFLAC seeks no more, not even back to the beginning.
        self._file.close()
        self._raw.seek(0)
        self._file = self._sound_file(self._raw)

    def close(self) -> None:
        """Let the file go."""
        self._file.close()
        self._raw.close()


class AvReader:
    """Whatever FFmpeg reads: M4A, ALAC, WMA, WebM, APE, WavPack and the rest, through PyAV."""

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
            # Absolute, or a name like "file:a.mp3" would be taken for an address.
            self._container = av.open(os.path.abspath(path), metadata_errors="replace")
        except PermissionError as error:
            raise _no_file(path, error) from None
        except (av.FFmpegError, OSError, ValueError) as error:
            raise DecodeError(path, "not-audio", f"FFmpeg: {_plain(error, path)}") from None
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
        for frame in frames:
            self._keep(frame)

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
        target_s = max(0.0, start / self.info.sample_rate_hz - _PREROLL_S) + self._begin_s
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
        """Decode the next frame into ``_left``; False at the end."""
        frame = next(self._frames, None)
        if frame is None:
            return False
        if self._position is None:
            self._position = self._position_of(frame)
        self._keep(frame)
        return True

    def _keep(self, frame: av.AudioFrame) -> None:
        channels = frame.layout.nb_channels
        parts = [part.to_ndarray().reshape(-1, channels) for part in self._to_float.resample(frame)]
        if parts:
            self._left = np.concatenate([self._left, mono(np.concatenate(parts))])

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
        with av.open(os.fspath(path), metadata_errors="replace") as container:
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
                    # Before the place lies what else its page holds: pages may be cut anew.
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
        raise DecodeError(path, "not-audio", f"FFmpeg: {_plain(error, Path(path))}") from None


def _header_warning(log: str) -> str | None:
    """Words where libsndfile's own log says that a header promised more data than there is."""
    for held, promised in _SHOULD_BE.findall(log):
        if int(promised) < int(held):
            return f"truncated: {int(promised):,} of {int(held):,} bytes of sound are there"
    return None


def _is_protected(path: Path, container: av.container.InputContainer) -> bool:
    contexts = [stream.codec_context for stream in container.streams.audio]
    # The bindings say there always is one; a codec that FFmpeg does not know has none.
    if any(context and context.codec_tag in _MP4_ENCRYPTED for context in contexts):
        return True
    if "asf" not in container.format.name:
        return False
    with path.open("rb") as file:
        return _ASF_ENCRYPTION_ID in file.read(65_536)


def _no_file(path: Path, error: OSError) -> DecodeError:
    if isinstance(error, FileNotFoundError):
        return DecodeError(path, "missing", "vanished while it was to be read")
    if isinstance(error, PermissionError):
        return DecodeError(path, "no-rights", "may not be read (permission denied)")
    return DecodeError(path, "unreadable", error.strerror or str(error))


def _plain(error: Exception, path: Path) -> str:
    """One line of what a decoder said, without the file's name, which the message has already."""
    text = getattr(error, "strerror", None) or getattr(error, "error_string", None) or str(error)
    return " ".join(str(text).replace(repr(os.path.abspath(path)), "it").split()).rstrip(".")


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
        with av.open(os.fspath(path), metadata_errors="replace") as container:
            streams = list(container.streams.audio)
            for packet in container.demux(streams) if streams else ():
                digest.update(f"{packet.stream_index} {packet.pts} {packet.size} ".encode())
                digest.update(bytes(packet))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise DecodeError(path, "not-audio", f"FFmpeg: {_plain(error, path)}") from None
    return digest.hexdigest()
