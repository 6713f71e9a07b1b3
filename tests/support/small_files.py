"""Small audio files of every container, made by code, and what taggers do to them."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import mutagen
import mutagen.id3
import numpy as np
import soundfile

RATE_HZ = 44_100
# Suffix: FFmpeg's encoder and container. PyAV's has none for Vorbis, and nobody writes DSF.
ENCODED = {
    ".mp3": ("libmp3lame", "mp3"),
    ".flac": ("flac", "flac"),
    ".opus": ("libopus", "ogg"),
    ".m4a": ("aac", "ipod"),
    ".aac": ("aac", "adts"),
    ".aiff": ("pcm_s16be", "aiff"),
    ".wav": ("pcm_s16le", "wav"),
    ".caf": ("pcm_s16le", "caf"),
    ".wma": ("wmav2", "asf"),
    ".wv": ("wavpack", "wv"),
    ".tta": ("tta", "tta"),
    ".mka": ("aac", "matroska"),
}
CONTAINERS = (*ENCODED, ".ogg", ".dsf")


def music(seed: int, seconds: float = 4.0, *, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Some notes over a little noise, float32 [n, 2]."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    notes = rng.choice([220, 262, 294, 330, 392, 440, 523], size=(int(seconds * 4) + 1, 2))
    pitch = notes[(t * 4).astype(int)]
    phase = np.cumsum(pitch, axis=0) / rate_hz * 2 * np.pi
    noise = rng.standard_normal((len(t), 2))
    return (0.3 * np.sin(phase) + 0.03 * noise).astype(np.float32)


def write(path: Path, samples: np.ndarray, *, rate_hz: int = RATE_HZ) -> Path:
    """Encode by the path's suffix."""
    if path.suffix == ".dsf":
        return _write_dsf(path, samples)
    if path.suffix == ".ogg":
        with soundfile.SoundFile(path, "w", rate_hz, 2, format="OGG", subtype="VORBIS") as file:
            for i in range(0, len(samples), rate_hz):  # in one call libsndfile overflows its stack
                file.write(samples[i : i + rate_hz])
        return path
    codec, container = ENCODED[path.suffix]
    if codec == "libopus":
        rate_hz = 48_000
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate_hz, layout="stereo")
        pcm = (samples * 32767).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="stereo")
        frame.sample_rate = rate_hz
        context = stream.codec_context
        context.bit_rate = 128_000
        resampler = av.AudioResampler(
            format=context.format.name, layout="stereo", rate=rate_hz, frame_size=0
        )
        fifo = av.AudioFifo()
        for part in resampler.resample(frame):
            part.pts = None
            fifo.write(part)
        size = context.frame_size or 4_096
        while True:
            part = fifo.read(size, partial=True)
            if part is None:
                break
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return path


def _write_dsf(path: Path, samples: np.ndarray) -> Path:
    bits = (samples[:, 0].repeat(32) > 0).astype(np.uint8)
    block = 4_096
    data = np.packbits(bits, bitorder="little")
    data = np.pad(data, (0, -len(data) % block)).reshape(-1, block)
    body = np.stack([data, data], axis=1).tobytes()
    layout = struct.pack(
        "<4sQIIIIIIQII", b"fmt ", 52, 1, 0, 2, 2, 2_822_400, 1, len(bits), block, 0
    )
    total = 28 + len(layout) + 12 + len(body)
    header = struct.pack("<4sQQQ", b"DSD ", 28, total, 0)
    path.write_bytes(header + layout + struct.pack("<4sQ", b"data", 12 + len(body)) + body)
    return path


def retag(path: Path, *, text: str, bulk: int = 0) -> None:
    """Write an artist, a genre and a comment of ``bulk`` bytes as a tagger does."""
    if path.suffix == ".caf":
        return  # nobody tags it
    if path.suffix == ".mka":
        _append_matroska_tag(path, text)
        return
    if path.suffix == ".aac":
        tags = mutagen.id3.ID3()
        tags.add(mutagen.id3.TPE1(encoding=3, text=[text]))
        tags.add(mutagen.id3.COMM(encoding=3, lang="eng", desc="", text=["x" * bulk]))
        tags.save(path)
        return
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    kind = type(file.tags).__name__
    if "ID3" in kind or isinstance(file.tags, mutagen.id3.ID3):
        file.tags.add(mutagen.id3.TPE1(encoding=3, text=[text]))
        file.tags.add(mutagen.id3.TCON(encoding=3, text=[text]))
        file.tags.add(mutagen.id3.COMM(encoding=3, lang="eng", desc="", text=["x" * bulk]))
    elif kind == "MP4Tags":
        file.tags["\xa9ART"], file.tags["\xa9gen"] = [text], [text]
        file.tags["\xa9cmt"] = ["x" * bulk]
    elif kind == "ASFTags":
        file.tags["Author"], file.tags["WM/Genre"] = [text], [text]
        file.tags["Description"] = ["x" * bulk]
    else:
        file.tags["artist"], file.tags["genre"] = text, text
        file.tags["comment"] = "x" * bulk
    file.save()


def _append_matroska_tag(path: Path, text: str) -> None:
    """A Tags element at the end of a segment, whose size grows as mkvpropedit lets it."""
    data = bytearray(path.read_bytes())
    at = data.index(bytes.fromhex("18538067")) + 4
    content = text.encode().ljust(1_000)
    element = bytes.fromhex("1254c367") + (0x4000 | len(content)).to_bytes(2, "big") + content
    size = int.from_bytes(data[at : at + 8], "big") & (1 << 56) - 1
    data[at : at + 8] = (1 << 56 | size + len(element)).to_bytes(8, "big")
    path.write_bytes(bytes(data) + element)


def wav(path: Path, samples: np.ndarray, *, rate_hz: int = RATE_HZ) -> Path:
    """Uncompressed, at once."""
    soundfile.write(path, samples, rate_hz, subtype="PCM_16")
    return path
