"""essentia's decoder and its front end for MusiCNN: no genre, so a lower bound of what it takes.

Its networks are downloads of their own, from a place that no package registry is.
"""

from __future__ import annotations

from common import Predict, Work, main

N_FFT, HOP = 512, 256
# Quality 4 is the fastest, and what the documents of its networks take.
DECODED = {"sampleRate": 16_000, "resampleQuality": 4}


def load() -> Predict:
    """Decode and transform."""
    import numpy as np
    from essentia import standard

    front_end = standard.TensorflowInputMusiCNN()

    def predict(path: str) -> str:
        samples = standard.MonoLoader(filename=path, **DECODED)()
        frames = standard.FrameGenerator(samples, frameSize=N_FFT, hopSize=HOP)
        levels = np.array([front_end(frame) for frame in frames])
        return f"{levels.shape[0]} frames, no genre"

    return predict


def mel(path: str) -> Work:
    """Log-mel, frame by frame as essentia works."""
    import numpy as np
    from essentia import standard

    front_end = standard.TensorflowInputMusiCNN()
    samples = np.load(path)

    def work() -> object:
        frames = standard.FrameGenerator(samples, frameSize=N_FFT, hopSize=HOP)
        return np.array([front_end(frame) for frame in frames])

    return work


def decode(path: str) -> Work:
    """To mono at 16 kHz; each call of a loader reads the file again."""
    from essentia import standard

    return standard.MonoLoader(filename=path, **DECODED)


if __name__ == "__main__":
    main(load=load, parts={"mel": mel, "decode": decode})
