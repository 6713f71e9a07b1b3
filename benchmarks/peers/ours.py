"""Parts of Tonearm by the rules of the peers: its front end, and decoding to what that wants."""

from __future__ import annotations

from common import Work, main


def mel(path: str) -> Work:
    """Log-mel of samples in memory."""
    import numpy as np

    from tonearm.features import MUSICNN_SPEC, log_mel

    samples = np.load(path)
    return lambda: log_mel(samples, MUSICNN_SPEC)


def decode(path: str) -> Work:
    """To mono at 16 kHz."""
    from tonearm import audio

    def work() -> object:
        sound = audio.decode(path)
        return audio.resample(sound.samples, sound.sample_rate_hz, 16_000)

    return work


if __name__ == "__main__":
    main(parts={"mel": mel, "decode": decode})
