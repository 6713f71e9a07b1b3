"""Any span of open audio at any sample rate: the only module that imports soxr."""

from __future__ import annotations

from math import gcd

import numpy as np

from tonearm.audio.reader import AudioReader, Float32

# Fraction of the power from which a constant offset is removed.
_OFFSET_POWER = 0.01


def resample(samples: Float32, from_hz: int, to_hz: int) -> Float32:
    """Convert the sample rate (soxr, high quality, linear phase, no delay).

    Parameters
    ----------
    samples : float32 [n]
        Mono audio.
    from_hz, to_hz : int
        Sample rates.
    """
    if from_hz == to_hz or not len(samples):
        return samples
    import soxr

    # HQ moves the tags by .00005 at most, MQ by .0074, VHQ by .0097 (backbone.md).
    return np.asarray(soxr.resample(samples, from_hz, to_hz, quality="HQ"), dtype=np.float32)


def read_span(reader: AudioReader, start: int, stop: int, *, rate_hz: int) -> Float32:
    """Samples ``start`` to ``stop`` of the audio as it is at ``rate_hz``, by seeking.

    The span is cut a little wider, on a sample that both rates have in common, and trimmed after
    the conversion: equal to cutting the converted whole. Samples before the beginning and past
    the end are zero.

    Parameters
    ----------
    reader : AudioReader
        Open audio.
    start, stop : int
        Samples at ``rate_hz``.
    rate_hz : int
        The rate that is wanted, which need not be the file's.

    Returns
    -------
    float32 [stop - start]
    """
    own_hz = reader.info.sample_rate_hz
    common = gcd(own_hz, rate_hz)
    # Every own_step samples of the file coincide with every step samples at rate_hz: 441 and 160
    # from 44.1 to 16 kHz.
    own_step, step = own_hz // common, rate_hz // common
    margin = 0 if own_hz == rate_hz else rate_hz // 20  # 50 ms hold the filter's whole length
    first_step = max(0, start - margin) // step
    own_start = first_step * own_step
    own_stop = -(-(max(stop, 0) + margin) * own_hz // rate_hz)  # rounded up
    samples = _without_offset(reader.read(own_start, max(0, own_stop - own_start)))
    converted = resample(samples, own_hz, rate_hz)
    # Zeros outside, as the reference has: reflecting moves tags by .0008 (backbone.md).
    span = np.zeros(stop - start, dtype=np.float32)
    begin = first_step * step - start  # where `converted` begins in `span`
    source = converted[max(0, -begin) : max(0, stop - start - begin)]
    span[max(0, begin) : max(0, begin) + len(source)] = source
    return span


def _without_offset(samples: Float32) -> Float32:
    """Samples without a constant offset (DC) that would fill the lowest mel band.

    An offset with less than a hundredth of the power stays: ordinary recordings have up to 0.3 %
    (89 pieces, windows of 3 s), which the encoder met in training.
    """
    if not len(samples):
        return samples
    mean = float(samples.mean())  # summed in pairs, so that float32 is exact enough
    if mean**2 <= _OFFSET_POWER * (np.vdot(samples, samples) / len(samples)):
        return samples
    return samples - np.float32(mean)
