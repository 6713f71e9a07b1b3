"""libsndfile: WAV, FLAC, MP3, AIFF, AU, CAF; the only module that imports soundfile."""

from __future__ import annotations

import contextlib
import io
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tonearm.audio.ffmpeg import AvReader
from tonearm.audio.reader import (
    MOST_CHANNELS,
    PREROLL_S,
    AudioInfo,
    Float32,
    cut_short,
    mono,
    no_file,
    plain,
)
from tonearm.containers.flac import ends_as_stated
from tonearm.containers.mpeg import ConstantRate, constant_rate, states_length
from tonearm.containers.mpeg_count import FrameCount, count_frames
from tonearm.containers.stated_bytes import truncated
from tonearm.errors import DecodeError

if TYPE_CHECKING:
    import soundfile

# Said of a file in which a frame cannot be decoded, and the others can.
_BROKEN = "damaged: a part of it cannot be decoded"
# Values of all channels read at once, 32 MB.
_MOST_VALUES = 1 << 23
# Sizes that mean "unknown", from programs that write into a pipe.
_UNKNOWN_BYTES = (range(0x7FFFFF00, 0x80000001), range(0xFFFFFF00, 0x100000000))
_MP3_FRAME = 1_152
# Piece by which a damaged file is read up to its damage.
_SALVAGE_SAMPLES = 4_096
# So many frames may be missing at an end without a word.
_FEW_FRAMES = 4
_SHOULD_BE = re.compile(
    r"^\s*(?:data|SSND|Data Size)\s*:\s*(\d+)\s*\(should be (\d+)\)", re.MULTILINE
)


class MiscountedMp3Error(DecodeError):
    """An MP3 without a header frame that counts its frames: libsndfile would guess its length.

    Parameters
    ----------
    path : Path
        The file.
    count : FrameCount or None
        Its frames as they are; None if there is none of layer III.
    """

    def __init__(self, path: Path, count: FrameCount | None) -> None:
        super().__init__(path, "not-audio", "libsndfile: MPEG audio whose length is not stated")
        self.count = count


class SndfileReader:
    """WAV, FLAC, MP3, AIFF, AU, CAF, W64 through libsndfile.

    Parameters
    ----------
    path : Path
        The file.
    """

    seeks = True

    def __init__(self, path: Path) -> None:
        import soundfile

        self._path, self._sound_file = path, soundfile.SoundFile
        self._damaged: type[Exception] = soundfile.LibsndfileError
        try:
            # Opened here, since libsndfile's own opening loses the reason and odd names.
            self._raw = path.open("rb")
        except OSError as error:
            raise no_file(path, error) from None
        try:
            self._file = self._open()
        except (soundfile.LibsndfileError, RuntimeError, TypeError, ValueError) as error:
            self._raw.close()
            raise DecodeError(path, "not-audio", f"libsndfile: {plain(error, path)}") from None
        self.ended_at: int | None = None
        self._over_damage: AvReader | None = None
        self._frames: ConstantRate | FrameCount | None = None
        try:
            samples, warning = self._length()
        except DecodeError:
            self.close()
            raise
        file = self._file
        self._preroll = round(PREROLL_S * file.samplerate) if file.format == "MP3" else 0
        self.info = AudioInfo(
            sample_rate_hz=file.samplerate,
            channels=file.channels,
            samples=samples,
            codec=f"{file.format}/{file.subtype}",
            warning=warning,
            # A WAV that holds an MP3 counts what its encoder put around the sound.
            frame_samples=_MP3_FRAME if file.subtype == "MPEG_LAYER_III" else 0,
        )

    def _length(self) -> tuple[int, str | None]:
        """Samples, and a word where the header promises more; DecodeError where FFmpeg knows."""
        file, path = self._file, self._path
        samples, warning = file.frames, _header_warning(file.extra_info)
        refused = ""
        if file.format == "MP3":
            samples = self._mp3_samples(samples)
        elif file.format == "FLAC" and not self._ends_as_stated():
            refused = "a FLAC whose last frame is not where its header says"
        elif file.format == "OGG":
            refused = "Ogg, which FFmpeg reads"
        elif file.channels > MOST_CHANNELS:
            refused = f"{file.channels} channels, more than {MOST_CHANNELS}"
        elif not file.seekable():
            refused = f"{file.subtype}, in which it cannot seek"
        elif file.format == "W64" and file.subtype == "PCM_32":
            refused = "W64, whose floats it would read as integers"
        elif not file.samplerate or not samples:
            refused = f"{samples} samples at {file.samplerate} Hz"
        if refused:
            raise DecodeError(path, "not-audio", f"libsndfile: {refused}")
        return samples, warning

    def _ends_as_stated(self) -> bool:
        # Opened again: libsndfile reads on where the last one to read the same number stopped.
        with self._path.open("rb") as file:
            return ends_as_stated(file)

    def _mp3_samples(self, samples: int) -> int:
        """Length of an MP3, if libsndfile can know it."""
        self._frames = constant_rate(self._path)
        if self._frames is not None:
            # A stated length knows the encoder's padding; division counts whole frames.
            return samples if states_length(self._path) else self._frames.samples
        count = count_frames(self._path)
        # libsndfile says 2^63-1 of some files that are shorter than their encoder's delay.
        if count is None or not count.agrees or samples > (count.frames + 1) * count.frame_samples:
            raise MiscountedMp3Error(self._path, count)
        self._frames = count
        return samples

    def _open(self) -> soundfile.SoundFile:
        self._raw.seek(0)
        # On Windows a number that Python opened may mean nothing to libsndfile; an object of a
        # store has none.
        if os.name == "nt" or not isinstance(self._path, Path):
            return self._sound_file(self._raw)
        # By number libsndfile reads the file itself: a sixth quicker than asking Python each time.
        return self._sound_file(self._raw.fileno(), closefd=False)

    def read(self, start: int, count: int) -> Float32:
        """Mono samples from ``start``; fewer at the end or where the file is damaged.

        Parameters
        ----------
        start, count : int
            First sample and how many, at the file's own rate.
        """
        count = min(count, self.info.samples - start)
        if count <= 0:
            return np.empty(0, dtype=np.float32)
        if self._over_damage is not None:
            return self._read_over_damage(self._over_damage, start, count)
        try:
            samples = self._read_exactly(start, count)
        except self._damaged:
            # libFLAC stops at a broken frame; FFmpeg leaves that out, and reads what follows.
            if self._file.format == "FLAC":
                with contextlib.suppress(DecodeError):
                    self._over_damage = AvReader(self._path)
                    self.info = replace(self.info, warning=_BROKEN)
                    return self._read_over_damage(self._over_damage, start, count)
            samples = self._read_to_damage(start, count)
        if len(samples) < count:
            self.ended_at = start + len(samples)
            self._over_damage = self._beyond_hole(self.ended_at)
            if self._over_damage is not None:
                return self._read_over_damage(self._over_damage, start, count)
        return samples

    def _beyond_hole(self, ended_at: int) -> AvReader | None:
        """A reader of an MP3 whose frames go on behind ``ended_at``, where libmpg123 gave up.

        It looks for the next frame in a kilobyte; players read over more.
        """
        if self._file.format != "MP3":
            return None
        with contextlib.suppress(DecodeError, OSError):
            count = count_frames(self._path)
            if count is None or not count.is_uniform:
                return None
            # Behind each seam a frame may be lost as well.
            if count.samples - ended_at > count.frame_samples * (_FEW_FRAMES + count.seams):
                return counted_reader(self._path, count)
            if self._was_divided(count):
                self.info = replace(self.info, samples=ended_at)
        return None

    def _was_divided(self, count: FrameCount) -> bool:
        """Whether the length was the file's size by its bit rate, and nothing else is missing.

        Between MP3s that were put in a row lie tags, which the division took for sound.
        """
        frames = self._frames
        if not isinstance(frames, ConstantRate) or states_length(self._path):
            return False
        reaches_end = count.end + frames.header.frame_bytes >= frames.end
        return reaches_end and not count.hole_bytes and not count.missing_s

    def _read_over_damage(self, reader: AvReader, start: int, count: int) -> Float32:
        samples = reader.read(start, count)
        self.ended_at = reader.ended_at
        if self.ended_at is None and reader.info.samples < self.info.samples:
            self.ended_at = reader.info.samples  # as many as a hole has left
        return samples

    def _read_exactly(self, start: int, count: int) -> Float32:
        samples = self._read_frames(start, count) if self._frames else None
        return samples if samples is not None else self._read_by_seeking(start, count)

    def _read_frames(self, start: int, count: int) -> Float32 | None:
        """From the frames of an MP3 that hold them, where these can be found without reading on.

        To seek, the decoder reads all frames before: 14 ms in four minutes of music.
        """
        assert self._frames is not None
        with self._path.open("rb") as file:  # not the one that the decoder reads on in
            cut = self._frames.cut(file, start, count)
        if cut is None:
            return None
        # The frames alone are an MP3 too: 7 ms for two windows and the end instead of 21
        # (speed.md).
        try:
            with self._sound_file(io.BytesIO(cut.data)) as part:
                read = part.read(cut.skip + count, dtype="float32", always_2d=True)
        # Without a name libsndfile looks for a macOS resource fork, "._", in the folder it is
        # started in, and may take that for a part of this file.
        except self._damaged:
            return None
        samples = mono(read[cut.skip :])
        # Short means that a frame was not where division put it; seeking finds out why.
        return samples if len(samples) == count else None

    def _read_by_seeking(self, start: int, count: int) -> Float32:
        # soundfile seeks after each read to where it is, and the next samples of an MP3 may then
        # be wrong to the end of a frame: what comes before is read again, in the same call.
        before = min(start, self._preroll)
        if start - before != self._file.tell():
            self._file.seek(start - before)
        most = _MOST_VALUES // self._file.channels
        if count <= most:
            return mono(self._file.read(before + count, dtype="float32", always_2d=True)[before:])
        pieces = []
        while count > 0:
            piece = self._file.read(min(count, most), dtype="float32", always_2d=True)
            if not len(piece):
                break
            pieces.append(mono(piece))
            count -= len(piece)
        return np.concatenate(pieces)

    def _read_to_damage(self, start: int, count: int) -> Float32:
        """What can be had before the damage: a failed read drops even what it had decoded."""
        self._reopen()
        pieces = [np.empty(0, dtype=np.float32)]
        with contextlib.suppress(self._damaged):
            while count > 0:
                # Small pieces, since the one that meets the damage is lost as a whole.
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
        self._file = self._open()

    def close(self) -> None:
        """Let the file go."""
        self._file.close()
        self._raw.close()
        if self._over_damage is not None:
            self._over_damage.close()


def counted_reader(path: Path, count: FrameCount) -> AvReader:
    """An MP3 by its frames as they were counted, whatever its header frame says.

    Parameters
    ----------
    path : Path
        The file.
    count : FrameCount
        Its frames, which are alike.
    """
    there_s, missing_s = count.duration_s, count.missing_s
    warning = cut_short(there_s, there_s + missing_s) if missing_s > 0.1 else None
    # Without the header frame FFmpeg counts frames too, instead of trusting it.
    reader = AvReader(
        path,
        span=(count.begin, count.end),
        ends_s=count.duration_s - count.lead / count.rate_hz,
        warning=warning,
        lead=count.lead,
    )
    # The first frame behind each seam may lean on one that is not there, and give nothing.
    lost = reader.info.frame_samples * count.seams
    reader.info = replace(reader.info, frame_samples=reader.info.frame_samples + lost)
    return reader


def as_mp3(samples: Float32, rate_hz: int) -> bytes:
    """Mono samples as an MP3 file of a low bit rate, for players in a page.

    Parameters
    ----------
    samples : float32 [n]
        Mono audio in -1..1.
    rate_hz : int
        Its sample rate, one of those that MP3 has.
    """
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format="MP3", compression_level=0.8)
    return file.getvalue()


def _header_warning(log: str) -> str | None:
    """Words where libsndfile's own log says that a header promised more data than there is."""
    for stated, there in _SHOULD_BE.findall(log):
        if int(there) < int(stated) and not any(int(stated) in sizes for sizes in _UNKNOWN_BYTES):
            return truncated(int(there), int(stated))
    return None
