"""The front end: samples in, spectrograms out. Pure functions on NumPy arrays.

Training, prediction, library and page all use it, so that their spectrograms cannot differ.
Axes are [frames, bands], time first; band 0 is the lowest. Samples are mono float32 at
``FeatureSpec.sample_rate_hz``. Imports nothing but NumPy: ``numpy.fft`` takes as long as
``scipy.fft`` and saves its import (0.3 s) and its install (140 MB).
"""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields
from functools import lru_cache
from numbers import Integral, Real
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tonearm.errors import ModelError

Float32 = NDArray[np.float32]

# Frames transformed at a time: 512 frames of 2,048 samples are 4 MB, which fit into the cache.
_BLOCK_FRAMES = 512
# Products into which that of a spectrum and the mel filters is divided: a sixth of the time of one.
_FILTER_GROUPS = 8
# Lower power counts as this, as in librosa.power_to_db.
POWER_FLOOR = 1e-10  # -100 dB
DYNAMIC_RANGE_DB = 80.0
Scale = Literal["log10", "db"]
SCALES: tuple[Scale, ...] = get_args(Scale)
# Far beyond what anybody uses: a file may ask for filters that no memory holds.
_SIZES = {
    "sample_rate_hz": (100, 1 << 20),
    "n_fft": (16, 1 << 17),
    "hop_samples": (1, 1 << 17),
    "mel_bands": (1, 1 << 12),
    "window_frames": (1, 1 << 17),
}


@dataclass(frozen=True)
class FeatureSpec:
    """All settings of the front end. Each model file holds its own.

    ``scale`` says how power becomes level: ``log10`` is log10(1 + 10,000 x power), musicnn's own;
    ``db`` is decibels relative to the loudest value of the array, floored at -80.
    ``symmetric_window`` says that the Hann window ends as it begins, as Essentia's does: that moves
    levels by .06 at most.

    Parameters
    ----------
    sample_rate_hz : int
        Rate to which audio is resampled.
    n_fft, hop_samples : int
        Length of a frame's window, and from one frame to the next.
    mel_bands : int
        How many bands.
    mel_low_hz, mel_high_hz : float
        Where the lowest begins and the highest ends.
    window_frames : int
        Frames that a network takes at once.
    """

    sample_rate_hz: int
    n_fft: int
    hop_samples: int
    mel_bands: int
    mel_low_hz: float
    mel_high_hz: float
    window_frames: int
    scale: Scale
    symmetric_window: bool = False

    def __post_init__(self) -> None:
        self._check_kinds()
        for name, (least, most) in _SIZES.items():
            size = getattr(self, name)
            if not least <= size <= most:
                raise ModelError(f"{name} is {size}, but must be from {least} to {most}")
        # Above half the sample rate there is nothing to measure (Nyquist).
        if not (0 <= self.mel_low_hz < self.mel_high_hz <= self.sample_rate_hz / 2):
            raise ModelError(
                f"the mel range {self.mel_low_hz}-{self.mel_high_hz} Hz does not fit audio at "
                f"{self.sample_rate_hz} Hz"
            )

    def _check_kinds(self) -> None:
        """ModelError where a value is of another kind, as one from a file may be."""
        for field in fields(self):
            value = getattr(self, field.name)
            # To Python True is an integer.
            is_number = isinstance(value, Real) and not isinstance(value, bool)
            fits, needed = {
                "int": (is_number and isinstance(value, Integral), "a whole number"),
                "float": (is_number, "a number"),
                "bool": (isinstance(value, bool), "true or false"),
            }.get(str(field.type), (value in SCALES, " or ".join(map(repr, SCALES))))
            if not fits:
                raise ModelError(f"{field.name} is {value!r}, but must be {needed}")

    @property
    def frame_s(self) -> float:
        """Seconds from one frame to the next."""
        return self.hop_samples / self.sample_rate_hz

    @property
    def window_s(self) -> float:
        """Seconds of one window of ``window_frames`` frames."""
        return self.window_frames * self.frame_s

    def frames_of(self, samples: int) -> int:
        """Number of centred frames in ``samples`` samples."""
        return 1 + samples // self.hop_samples if samples > 0 else 0

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        values = asdict(self)
        # Left out where it is as usual, so that checksums of encoders stay what they were.
        if not self.symmetric_window:
            del values["symmetric_window"]
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FeatureSpec:
        """Read what :meth:`to_dict` returned; ModelError names what does not fit.

        Parameters
        ----------
        values : dict
            What ``to_dict`` gave.
        """
        known = [field.name for field in fields(cls)]
        if odd := [name for name in values if name not in known]:
            raise ModelError(
                f"its front end has settings that this version of Tonearm does not know: "
                f"{', '.join(odd)} (known are {', '.join(known)})"
            )
        needed = [field.name for field in fields(cls) if field.default is MISSING]
        if lacking := [name for name in needed if name not in values]:
            raise ModelError(f"its front end lacks {', '.join(lacking)}")
        return cls(**values)


# Pons & Serra 2019 (musicnn 0.1.0, configuration.py): 187 frames are 3 s.
MUSICNN_SPEC = FeatureSpec(
    sample_rate_hz=16_000,
    n_fft=512,
    hop_samples=256,
    mel_bands=96,
    mel_low_hz=0.0,
    mel_high_hz=8_000.0,
    window_frames=187,
    scale="log10",
)
# librosa's defaults, which most work on GTZAN uses; 130 frames are 3 s.
GTZAN_SPEC = FeatureSpec(
    sample_rate_hz=22_050,
    n_fft=2_048,
    hop_samples=512,
    mel_bands=128,
    mel_low_hz=0.0,
    mel_high_hz=11_025.0,
    window_frames=130,
    scale="db",
)
# What the built-in model's second encoder takes: 30 s at 12.9 frames a second, GTZAN's bands.
TEXTURE_SPEC = FeatureSpec(
    sample_rate_hz=22_050,
    n_fft=2_048,
    hop_samples=1_707,
    mel_bands=128,
    mel_low_hz=0.0,
    mel_high_hz=11_025.0,
    window_frames=387,
    scale="db",
)


def _hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's mel scale (Auditory Toolbox 1998): linear to 1 kHz, then 27 steps for each x6.4."""
    linear = hz * 3 / 200  # 15 mel at 1 kHz, where the curves meet
    # The maximum avoids log(0): np.where below computes both branches.
    above = 15 + 27 * np.log(np.maximum(hz, 1.0) / 1_000) / np.log(6.4)
    return np.where(hz < 1_000, linear, above)


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < 15, mel * 200 / 3, 1_000 * np.exp((mel - 15) * np.log(6.4) / 27))


def band_edges_hz(spec: FeatureSpec, parts: int) -> list[float]:
    """Frequencies that divide the mel bands of ``spec`` into so many equal parts.

    Parameters
    ----------
    spec : FeatureSpec
        The front end.
    parts : int
        How many bands.

    Returns
    -------
    list of float [parts + 1]
        From the lowest frequency of the first band to the highest of the last.
    """
    ends = _hz_to_mel(np.array([spec.mel_low_hz, spec.mel_high_hz]))
    return [float(hz) for hz in _mel_to_hz(np.linspace(ends[0], ends[1], parts + 1))]


@lru_cache(maxsize=8)
def mel_filters(spec: FeatureSpec) -> Float32:
    """Triangular mel filters of unit area (Slaney), one per row.

    Parameters
    ----------
    spec : FeatureSpec
        The front end.

    Returns
    -------
    float32 [bands, n_fft // 2 + 1]
        Weights on the power spectrum. The array is shared and read-only.
    """
    bins_hz = np.arange(spec.n_fft // 2 + 1) * spec.sample_rate_hz / spec.n_fft  # (bins,)
    ends = _hz_to_mel(np.array([spec.mel_low_hz, spec.mel_high_hz]))
    # Each triangle begins and ends at its neighbours' centres: two corners more than bands.
    corners_hz = _mel_to_hz(np.linspace(ends[0], ends[1], spec.mel_bands + 2))
    low, centre, high = corners_hz[:-2, None], corners_hz[1:-1, None], corners_hz[2:, None]
    rising = (bins_hz - low) / (centre - low)  # (bands, bins)
    falling = (high - bins_hz) / (high - centre)
    # 2 / width makes every area 1: without it wide bands would be louder than narrow ones.
    filters = np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low)
    result: Float32 = filters.astype(np.float32)
    # The cache hands the same array to every caller.
    result.flags.writeable = False
    return result


@lru_cache(maxsize=8)
def _filter_groups(spec: FeatureSpec) -> tuple[tuple[slice, slice, Float32], ...]:
    """The mel filters in groups: bins that a group weighs, its bands, weights [bins, bands].

    A filter covers few bins, so that most of the one large product would be by zeros.
    """
    filters = mel_filters(spec).T
    groups = []
    for bands in np.array_split(np.arange(spec.mel_bands), min(_FILTER_GROUPS, spec.mel_bands)):
        covered = np.flatnonzero(filters[:, bands].any(axis=1))
        # Of very narrow bands a group may cover no bin at all: then any one will do.
        low, high = (int(covered[0]), int(covered[-1]) + 1) if len(covered) else (0, 1)
        weights = np.ascontiguousarray(filters[low:high, bands])
        groups.append((slice(low, high), slice(int(bands[0]), int(bands[-1]) + 1), weights))
    return tuple(groups)


@lru_cache(maxsize=8)
def _hann(n_fft: int, symmetric: bool) -> Float32:
    """Hann window: periodic, which short-time transforms need, or symmetric (``numpy.hanning``)."""
    period = n_fft - 1 if symmetric else n_fft
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / period)).astype(np.float32)


def mel_power(samples: Float32, spec: FeatureSpec, *, centre: bool = True) -> Float32:
    """Mel power spectrogram.

    Parameters
    ----------
    samples : float32 [n]
        Mono audio at ``spec.sample_rate_hz``.
    spec : FeatureSpec
        The settings.
    centre : bool
        Pad both ends with half a transform of zeros, so that frame t is centred on sample
        ``t * hop_samples``. Switch it off for a span that was cut with this margin.

    Returns
    -------
    float32 [frames, bands]
        Power, 0 or more.
    """
    samples = np.ascontiguousarray(samples, dtype=np.float32)
    if centre:
        samples = np.pad(samples, spec.n_fft // 2)
    frames = max(0, 1 + (len(samples) - spec.n_fft) // spec.hop_samples)
    power = np.empty((frames, spec.mel_bands), dtype=np.float32)
    if not frames:
        return power
    # A view: frames overlap, and a copy of all would be n_fft / hop times the samples.
    windowed = np.lib.stride_tricks.sliding_window_view(samples, spec.n_fft)[:: spec.hop_samples]
    window = _hann(spec.n_fft, spec.symmetric_window)
    for start in range(0, frames, _BLOCK_FRAMES):
        block = windowed[start : start + _BLOCK_FRAMES] * window
        # NumPy's plain norm is the integer 1, with which it transforms float32 as float64: a fifth
        # of the speed at 2,048 samples. Of this norm it makes a float32; mind the division by n.
        spectrum = np.fft.rfft(block, norm="forward").astype(np.complex64, copy=False)
        squares = _power(spectrum)
        for bins, bands, filters in _filter_groups(spec):
            np.matmul(squares[:, bins], filters, out=power[start : start + len(block), bands])
    # In place, and exact, for a transform whose length is a power of two.
    power *= np.float32(spec.n_fft) ** 2
    return power


def _power(spectrum: NDArray[np.complex64]) -> Float32:
    """Squared magnitudes [frames, bins] of contiguous complex numbers [frames, bins]."""
    parts = np.square(spectrum.view(np.float32))  # real, imaginary, real, ...
    return parts[:, ::2] + parts[:, 1::2]


def power_to_db(power: Float32, *, reference: float | None = None) -> Float32:
    """Convert power to decibels over ``reference`` (default: the maximum), 80 below it at least.

    Parameters
    ----------
    power : float32 [frames, bands]
        Power, not amplitude.
    reference : float or None
        Power of 0 dB.

    Returns
    -------
    float32 [frames, bands]
        Decibels, at least the maximum less 80.
    """
    if not power.size:
        return power
    # Digital silence has no maximum to divide by; with the floor it becomes 0 dB throughout.
    loudest = max(float(power.max()), POWER_FLOOR)
    zero_db = loudest if reference is None else reference
    level = 10 * np.log10(np.maximum(power, np.float32(POWER_FLOOR)) / np.float32(zero_db))
    # The range hangs from the loudest value, whatever counts as 0 dB (librosa's top_db).
    floor = 10 * np.log10(loudest / zero_db) - DYNAMIC_RANGE_DB
    result: Float32 = np.maximum(level, floor).astype(np.float32)
    return result


def log_mel(samples: Float32, spec: FeatureSpec, *, centre: bool = True) -> Float32:
    """Log-mel spectrogram in the scale of ``spec``.

    Parameters
    ----------
    samples : float32 [n]
        Mono audio at ``spec.sample_rate_hz``.
    spec : FeatureSpec
        The settings.
    centre : bool
        As in :func:`mel_power`.

    Returns
    -------
    float32 [frames, bands]
        ``log10``: log10(1 + 10,000 x power), 0 or more. ``db``: decibels relative to the
        loudest value of the array, -80 to 0.
    """
    return to_level(mel_power(samples, spec, centre=centre), spec)


def to_level(power: Float32, spec: FeatureSpec) -> Float32:
    """Convert mel power [frames, bands] to the scale of ``spec``.

    Parameters
    ----------
    power : float32 [frames, bands]
        Power, not amplitude.
    spec : FeatureSpec
        The front end.
    """
    if spec.scale == "log10":
        # Absolute, not relative: a quieter copy is another input. model/track.py lifts quiet
        # tracks.
        level: Float32 = np.log10(1 + np.float32(10_000) * power)
        return level
    return power_to_db(power)


def mfcc(log_mel_db: Float32, *, coefficients: int = 13) -> Float32:
    """Mel-frequency cepstral coefficients: orthonormal cosine transform (DCT-II) over the bands.

    Parameters
    ----------
    log_mel_db : float32 [frames, bands]
        Log-mel spectrogram in decibels.
    coefficients : int
        How many to keep, lowest first.

    Returns
    -------
    float32 [frames, coefficients]
    """
    bands = log_mel_db.shape[1]
    order = np.arange(coefficients)[None, :]
    basis = np.cos(np.pi * order * (2 * np.arange(bands)[:, None] + 1) / (2 * bands))  # (bands, n)
    basis *= np.sqrt(2 / bands)
    # The constant has twice the energy of the other cosines; this makes all of length 1.
    basis[:, 0] = np.sqrt(1 / bands)
    result: Float32 = (log_mel_db @ basis.astype(np.float32)).astype(np.float32)
    return result
