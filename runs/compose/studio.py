"""The studio: play a part with fluidsynth, mix, master, encode with ffmpeg, tag with mutagen.

Conventions: audio is float64 [frames, 2] at ``SAMPLE_RATE_HZ``, full scale ±1; gains in dB. Every
random number is seeded and every program is called with ``bitexact`` settings: same versions, same
bytes.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import mutagen
import numpy as np
import soundfile
from mutagen.id3 import ID3, TALB, TCON, TIT2, TPE1
from scipy import ndimage, signal

from runs.compose.score import Part, Piece, Stereo, clock, write_midi
from tonearm.errors import DatasetError

SAMPLE_RATE_HZ = 44_100
SOUNDFONT_PATH = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
ARTIST, ALBUM = "Tonearm", "Tonearm Examples"
# About 3 MB for all five: lossy where the container is, otherwise 16 bit.
CODECS = {
    ".wav": ["-c:a", "pcm_s16le"],
    ".flac": ["-c:a", "flac", "-sample_fmt", "s16", "-compression_level", "12"],
    ".mp3": ["-c:a", "libmp3lame", "-b:a", "128k"],
    ".ogg": ["-c:a", "libvorbis", "-q:a", "4"],
    # ffmpeg's AAC overshoots on hard off-beat chops (the reggae decoded to 1.2 from 0.55): listen
    # before changing.
    ".m4a": ["-c:a", "aac", "-b:a", "112k", "-movflags", "+faststart"],
}
Effect = Callable[[Stereo], Stereo]


def biquad(kind: str, frequency_hz: float, gain_db: float = 0.0, q: float = 0.707) -> Effect:
    """An equaliser band: ``peak``, ``low_shelf``, ``high_shelf``, ``high_pass`` or ``low_pass``.

    Coefficients from R. Bristow-Johnson, "Audio EQ Cookbook".
    """
    a = 10 ** (gain_db / 40)
    w = 2 * np.pi * frequency_hz / SAMPLE_RATE_HZ
    c, alpha = np.cos(w), np.sin(w) / (2 * q)
    root = 2 * np.sqrt(a) * alpha
    sign = -1.0 if kind == "low_shelf" else 1.0
    if kind == "peak":
        b, d = [1 + alpha * a, -2 * c, 1 - alpha * a], [1 + alpha / a, -2 * c, 1 - alpha / a]
    elif kind.endswith("_shelf"):
        b = [a * (a + 1 + sign * (a - 1) * c + root), -2 * sign * a * (a - 1 + sign * (a + 1) * c),
             a * (a + 1 + sign * (a - 1) * c - root)]  # fmt: skip
        d = [a + 1 - sign * (a - 1) * c + root, 2 * sign * (a - 1 - sign * (a + 1) * c),
             a + 1 - sign * (a - 1) * c - root]  # fmt: skip
    else:
        edge = 1 + c if kind == "high_pass" else 1 - c
        b, d = (
            [edge / 2, edge if kind == "low_pass" else -edge, edge / 2],
            [1 + alpha, -2 * c, 1 - alpha],
        )
    return lambda x: signal.lfilter(b, d, x, axis=0)


def drive(amount: float) -> Effect:
    """Soft saturation that keeps small signals at their level."""
    return lambda x: np.tanh(amount * x) / amount


def amplifier(gain: float) -> Effect:
    """A guitar amplifier and closed cabinet: tight lows, clipping, a speaker's band."""
    before = [biquad("high_pass", 280), biquad("peak", 1100, 8, 0.6)]
    after = [
        biquad("high_pass", 85), biquad("peak", 110, 5, 1.0), biquad("peak", 420, -4, 0.9),
        biquad("peak", 3000, 6, 0.8), biquad("low_pass", 6500), biquad("low_pass", 7000),
    ]  # fmt: skip

    def play(x: Stereo) -> Stereo:
        for effect in before:
            x = effect(x)
        x = x / (np.abs(x).max() + 1e-9)
        x = np.tanh(gain * x + 0.15) - np.tanh(
            0.15
        )  # the offset gives even harmonics, as a valve does
        for effect in after:
            x = effect(x)
        return 0.35 * x

    return play


def echo(delay_s: float, *, feedback: float = 0.45, level: float = 0.35) -> Effect:
    """Tape echo: each repeat is duller than the last and changes sides."""
    frames = round(delay_s * SAMPLE_RATE_HZ)
    dull = biquad("low_pass", 2600)

    def play(x: Stereo) -> Stereo:
        out, repeat = x.copy(), level * x
        for turn in range(1, 7):
            repeat = dull(repeat)[:, ::-1]
            out[turn * frames :] += repeat[: max(0, len(x) - turn * frames)]
            repeat = repeat * feedback
        return out

    return play


def compressor(threshold_db: float, ratio: float, *, release_s: float = 0.12) -> Effect:
    """Bus compression from the smoothed level of the louder channel."""
    pole = np.exp(-1 / (release_s * SAMPLE_RATE_HZ))

    def play(x: Stereo) -> Stereo:
        power = signal.lfilter([1 - pole], [1, -pole], np.square(x).max(axis=1))
        over_db = np.maximum(0.0, 10 * np.log10(power + 1e-10) - threshold_db)
        return x * 10 ** (-over_db * (1 - 1 / ratio) / 20)[:, None]

    return play


def levelled(x: Stereo, rms_db: float) -> Stereo:
    """Scale to an RMS level."""
    return x / np.sqrt(np.square(x).mean()) * 10 ** (rms_db / 20)


def limiter(x: Stereo, ceiling: float = 0.89) -> Stereo:
    """Keep samples under the ceiling, 5 ms ahead of them; -1 dB leaves room for lossy codecs."""
    reach = round(0.005 * SAMPLE_RATE_HZ) * 2 + 1
    peak = ndimage.maximum_filter1d(np.abs(x).max(axis=1), reach)
    gain = ndimage.uniform_filter1d(np.minimum(1.0, ceiling / (peak + 1e-9)), reach)
    return x * gain[:, None]


def room(x: Stereo, seconds: float) -> Stereo:
    """Reverberation: decaying noise, different in each ear, darker as it fades."""
    t = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    noise = np.random.default_rng(1877).normal(size=(len(t), 2))  # the year of the phonograph
    bright, dark = biquad("low_pass", 7000)(noise), biquad("low_pass", 1800)(noise)
    fade = np.exp(-6.9 * t / seconds)[:, None]  # -60 dB at ``seconds``
    response = biquad("high_pass", 180)((bright * fade + dark) * fade)
    response /= np.sqrt(np.square(response).sum(axis=0))
    late = np.concatenate([np.zeros((round(0.018 * SAMPLE_RATE_HZ), 2)), response])
    return signal.fftconvolve(x, late, axes=0)[: len(x)]


def require(soundfont_path: Path) -> None:
    """Raise DatasetError when fluidsynth or the soundfont is missing."""
    if shutil.which("fluidsynth") is None:
        raise DatasetError("no fluidsynth command on the PATH: apt-get install fluidsynth")
    if not soundfont_path.is_file():
        raise DatasetError(f"no soundfont at {soundfont_path}: apt-get install fluid-soundfont-gm")


def play(
    midi_path: Path,
    wav_path: Path,
    soundfont_path: Path,
    *,
    sample_rate_hz: int = SAMPLE_RATE_HZ,
    gain: float = 0.5,
    dry: bool = True,
) -> None:
    """Play a MIDI file with fluidsynth: dry to float samples, or with its own room to 16 bit."""
    command = ["fluidsynth", "-ni", "-q", "-g", str(gain), "-r", str(sample_rate_hz)]
    if dry:
        command += ["-R", "0", "-C", "0", "-O", "float", "-T", "wav"]
    command += ["-F", str(wav_path), str(soundfont_path), str(midi_path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def record(part: Part, piece: Piece, soundfont_path: Path, folder: Path) -> Stereo:
    """One part played dry, through its effects, gain and place in the stereo picture."""
    midi_path, stem_path = folder / f"{part.name}.mid", folder / f"{part.name}.wav"
    write_midi(part, piece, midi_path)
    play(midi_path, stem_path, soundfont_path)
    played, _ = soundfile.read(stem_path, always_2d=True)
    frames = round((clock(piece)(piece.beats) + piece.tail_s) * SAMPLE_RATE_HZ)
    x = np.zeros((frames, 2))
    x[: len(played)] = played[:frames]
    if part.pan:  # a panned part becomes a point, otherwise it keeps the width it was sampled with
        angle = (part.pan + 1) * np.pi / 4
        x = x.mean(axis=1, keepdims=True) * np.sqrt(2) * np.array([np.cos(angle), np.sin(angle)])
    for effect in part.effects:
        x = effect(x)
    return x * 10 ** (part.gain_db / 20)


def produce(piece: Piece, soundfont_path: Path, folder: Path) -> Stereo:
    """Record all parts, mix them with one room, and master."""
    stems = [record(part, piece, soundfont_path, folder) for part in piece.parts]
    send = np.sum([part.reverb * x for part, x in zip(piece.parts, stems, strict=True)], axis=0)
    mix = biquad("high_pass", 30)(np.sum(stems, axis=0) + room(send, piece.reverb_s))
    for effect in piece.bus:
        mix = effect(mix)
    # Every piece meets the saturation at one level.
    mix = drive(piece.drive)(levelled(mix, -19.0) * piece.drive)
    mix = limiter(levelled(mix, piece.loudness_db))
    fade = np.clip((len(mix) - np.arange(len(mix))) / (0.6 * SAMPLE_RATE_HZ), 0, 1)
    return mix * fade[:, None]


def encode(x: Stereo, piece: Piece, audio_path: Path, folder: Path) -> None:
    """Write the finished piece in the container its suffix names."""
    mix_path = folder / "mix.wav"
    soundfile.write(mix_path, x, SAMPLE_RATE_HZ, subtype="FLOAT")
    command = ["ffmpeg", "-y", "-v", "error", "-i", str(mix_path), "-ar", str(piece.sample_rate_hz)]
    command += ["-ac", str(piece.channels), "-map_metadata", "-1"]
    command += ["-fflags", "+bitexact", "-flags:a", "+bitexact"]
    subprocess.run([*command, *CODECS[audio_path.suffix], str(audio_path)], check=True)


def tag(piece: Piece, audio_path: Path) -> None:
    """Write title, artist, album and, where the piece has one, genre."""
    audio = mutagen.File(audio_path)
    if audio.tags is None:
        audio.add_tags()
    if isinstance(audio.tags, ID3):
        frames = {TIT2: piece.title, TPE1: ARTIST, TALB: ALBUM, TCON: piece.genre_tag}
        for frame, text in frames.items():
            if text:
                audio.tags.add(frame(encoding=3, text=[text]))
    else:
        mp4 = audio_path.suffix == ".m4a"
        names = (
            ["\xa9nam", "\xa9ART", "\xa9alb", "\xa9gen"]
            if mp4
            else ["title", "artist", "album", "genre"]
        )
        for name, text in zip(names, [piece.title, ARTIST, ALBUM, piece.genre_tag], strict=True):
            if text:
                audio.tags[name] = [text]
    audio.save()
