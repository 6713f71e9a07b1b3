"""Sounds and audio files made by code, for every test. Positions and times are exact by formula."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[Any]

# What encoders may take, best first.
_FORMATS = "fltp flt s32p s32 s16p s16 u8p u8 dblp dbl s64p s64".split()


def tone(hz: float, seconds: float, rate_hz: int, *, level: float = 0.5) -> Array:
    """One sine, float32 [n]."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    return (level * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def chord(hz: tuple[float, ...], seconds: float, rate_hz: int, *, level: float = 0.5) -> Array:
    """Several sines at once."""
    parts = [tone(f, seconds, rate_hz, level=level / len(hz)) for f in hz]
    return np.sum(parts, axis=0, dtype=np.float32)


def noise(seconds: float, rate_hz: int, *, level: float = 0.2, seed: int = 0) -> Array:
    """White noise."""
    rng = np.random.default_rng(seed)
    return (level * rng.standard_normal(round(seconds * rate_hz))).astype(np.float32)


def sweep(seconds: float, rate_hz: int) -> Array:
    """Three sines that rise at different speeds from 150 to 3,300 Hz.

    No two places of it are alike, so that a wrong position shows; it is a formula of time, so that
    it is the same music at every rate; and it fits into 8 kHz audio.
    """
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    span = max(seconds, 1.0)
    parts = [
        np.sin(2 * np.pi * (low * t + (high - low) * t**2 / (2 * span)))
        for low, high in ((150, 1_100), (400, 2_300), (3_300, 700))
    ]
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 1.7 * t)
    return (0.2 * swell * np.sum(parts, axis=0)).astype(np.float32)


def spread(mono: Array, channels: int) -> Array:
    """[n] to [n, channels] of unequal loudness whose mean is ``mono``."""
    weights = np.linspace(0.5, 1.5, channels) if channels > 1 else np.ones(1)
    return (mono[:, None] * weights).astype(np.float32)


def write_sndfile(
    path: Path, samples: Array, rate_hz: int, *, subtype: str | None = None, form: str | None = None
) -> Path:
    """Write through libsndfile, block-wise (1.2.2 crashes on very long Ogg in one call)."""
    import soundfile

    samples = samples[:, None] if samples.ndim == 1 else samples
    with soundfile.SoundFile(
        path, "w", rate_hz, samples.shape[1], subtype=subtype, format=form
    ) as file:
        for start in range(0, len(samples), 65_536):
            file.write(samples[start : start + 65_536])
    return path


def write_av(
    path: Path,
    samples: Array,
    rate_hz: int,
    *,
    codec: str,
    container: str,
    bit_rate: int | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write through an encoder of FFmpeg; skip the test where this build has none."""
    import av

    samples = samples[:, None] if samples.ndim == 1 else samples
    layout = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}[samples.shape[1]]
    try:
        encoder = av.codec.Codec(codec, "w")
    except av.codec.codec.UnknownCodecError:
        pytest.skip(f"this build of FFmpeg has no {codec} encoder")
    with av.open(str(path), "w", format=container, container_options=options or {}) as out:
        stream = out.add_stream(codec, rate=rate_hz, layout=layout)
        formats = (form.name for form in encoder.audio_formats)
        stream.format = min(formats, key=_FORMATS.index)
        if bit_rate:
            stream.bit_rate = bit_rate
        stream.codec_context.open()
        convert = av.AudioResampler(
            format=stream.format,
            layout=layout,
            rate=rate_hz,
            frame_size=stream.codec_context.frame_size or 1_024,
        )
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples.reshape(1, -1)), format="flt", layout=layout
        )
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
        for piece in [*convert.resample(frame), *convert.resample(None)]:
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return path


def write_silent_video(path: Path) -> Path:
    """A few moving pictures without a sound track."""
    import av

    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for level in range(10):
            picture = np.full((64, 64, 3), 20 * level, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    return path


def png() -> bytes:
    """A grey picture of 8 x 8."""
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        check = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * 8) * 8)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def wav_bytes(
    data: bytes,
    *,
    rate_hz: int = 22_050,
    channels: int = 1,
    bits: int = 16,
    code: int = 1,
    claimed: int | None = None,
) -> bytes:
    """A WAV written out by hand; ``claimed`` is the length its header states."""
    size = len(data) if claimed is None else claimed
    step = channels * bits // 8
    form = struct.pack("<HHIIHH", code, channels, rate_hz, rate_hz * step, step, bits)
    parts = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", len(parts) + size) + parts + data


def id3v2(payload_bytes: int) -> bytes:
    """An ID3v2.4 tag with one picture frame of that size."""

    def seven_bits(value: int) -> bytes:
        return bytes(value >> shift & 127 for shift in (21, 14, 7, 0))

    # Pseudo-random, so that somewhere in it there are bytes that look like a frame's beginning.
    picture = np.random.default_rng(1).integers(0, 256, payload_bytes, np.uint8).tobytes()
    frame = b"\0image/jpeg\0\3\0" + picture
    frame = b"APIC" + seven_bits(len(frame)) + b"\0\0" + frame
    return b"ID3\4\0\0" + seven_bits(len(frame)) + frame


def best_lag(found: Array, truth: Array, *, most: int) -> tuple[int, float]:
    """How many samples ``found`` lags behind ``truth``, and their correlation at that lag."""
    n = min(len(found), len(truth))
    a, b = found[:n].astype(np.float64), truth[:n].astype(np.float64)
    size = 1 << (2 * n - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
    lags = np.arange(-most, most + 1)
    lag = int(lags[np.argmax(product[lags])])
    a, b = (a[lag:], b[: n - lag]) if lag >= 0 else (a[:lag], b[-lag:])
    return lag, float(np.dot(a, b) / np.sqrt(np.dot(a, a) * np.dot(b, b)))
