"""Copies of recordings made by code: cut, encoded, at another level or speed, in a long file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.float32]

# FFmpeg's encoder, its container, bits a second, and the rate it encodes at.
ENCODINGS = {
    "MP3 24 kbit/s": ("libmp3lame", "mp3", 24_000, 22_050),
    "MP3 64 kbit/s": ("libmp3lame", "mp3", 64_000, 44_100),
    "Opus 24 kbit/s": ("libopus", "ogg", 24_000, 48_000),
    "AAC 48 kbit/s": ("aac", "adts", 48_000, 44_100),
    "WMA 64 kbit/s": ("wmav2", "asf", 64_000, 44_100),
}
OFFSETS_S = (0.0, 1.337, 4.01, 9.876, 14.2)
LEVELS_DB = (-30, -12, -6, 6)
SPEEDS = (0.98, 0.985, 0.99, 0.995, 1.005, 1.01, 1.015, 1.02)
_LEAST_S = 12.0


@dataclass(frozen=True)
class Copy:
    """A copy made by code: its kind, what was done, and its samples."""

    kind: str
    change: str
    samples: Samples
    rate_hz: int


def made_of(samples: Samples, rate_hz: int, *, number: int, long: Samples) -> Copy:
    """The copy of that number: the kinds take turns, and within each kind its changes.

    Parameters
    ----------
    samples : float32 [n]
        A recording of 20 s or more.
    rate_hz : int
    number : int
    long : float32 [m]
        Other music, at the same rate, that a part is hidden in.
    """
    kind, nth = ("offset", "encoding", "level", "speed", "long file")[number % 5], number // 5
    begin_s = OFFSETS_S[number % len(OFFSETS_S)]
    cut = samples[round(min(begin_s, len(samples) / rate_hz - _LEAST_S) * rate_hz) :]
    if kind == "offset":
        begin_s = OFFSETS_S[nth % len(OFFSETS_S)]
        cut = samples[round(begin_s * rate_hz) :][: round((12 + nth) * rate_hz)]
        return Copy(kind, f"from {begin_s} s, {len(cut) / rate_hz:.1f} s", cut, rate_hz)
    if kind == "encoding":
        name = list(ENCODINGS)[nth % len(ENCODINGS)]
        return Copy(kind, name, *encoded(cut, rate_hz, name))
    if kind == "level":
        gain_db = LEVELS_DB[nth % len(LEVELS_DB)]
        changed = np.clip(cut * np.float32(10 ** (gain_db / 20)), -1, 1)
        return Copy(kind, f"{gain_db:+} dB", changed, rate_hz)
    if kind == "speed":
        speed = SPEEDS[nth % len(SPEEDS)]
        changed = soxr.resample(cut, rate_hz * speed, rate_hz).astype(np.float32)
        return Copy(kind, f"{100 * (speed - 1):+.1f} %", changed, rate_hz)
    # Another encoding too, as parts of mixes are.
    part, place = cut[: 10 * rate_hz], round((0.1 + 0.1 * nth) * len(long))
    whole = np.concatenate([long[:place], part, long[place:]])
    minutes = len(whole) / rate_hz / 60
    mixed = encoded(whole, rate_hz, "MP3 64 kbit/s")
    return Copy(kind, f"10 s within {minutes:.1f} minutes of MP3", *mixed)


def encoded(samples: Samples, rate_hz: int, name: str) -> tuple[Samples, int]:
    """Mono samples as an encoder of `ENCODINGS` leaves them, with their rate."""
    codec, container, bits, encoder_hz = ENCODINGS[name]
    samples = soxr.resample(samples, rate_hz, encoder_hz).astype(np.float32)
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=encoder_hz, layout="mono")
        assert isinstance(stream, av.AudioStream)
        stream.bit_rate = bits
        pcm = (np.clip(samples, -1, 1) * 32_767).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
        frame.sample_rate = encoder_hz
        for packet in _packets(stream, frame):
            output.mux(packet)
    file.seek(0)
    with av.open(file, "r") as source:
        form = av.AudioResampler(format="flt", layout="mono", rate=encoder_hz)
        parts = [
            part.to_ndarray()[0] for each in source.decode(audio=0) for part in form.resample(each)
        ]
    return np.concatenate(parts), encoder_hz


def _packets(stream: av.AudioStream, frame: av.AudioFrame) -> Iterator[av.Packet]:
    context = stream.codec_context
    form = av.AudioResampler(format=context.format.name, layout="mono", rate=frame.sample_rate)
    fifo = av.AudioFifo()
    for part in form.resample(frame):
        part.pts = None
        fifo.write(part)
    while (piece := fifo.read(context.frame_size or 4_096, partial=True)) is not None:
        yield from stream.encode(piece)
    yield from stream.encode(None)


def read(path: str) -> tuple[Samples, int]:
    """Mono samples of a file that libsndfile reads, and their rate."""
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    return samples.mean(axis=1), rate_hz
