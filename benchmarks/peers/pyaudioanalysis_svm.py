"""pyAudioAnalysis: its own features and SVM, trained by itself on tones and noise made here.

It reads MP3 through the ffmpeg program, which must be there.
"""

from __future__ import annotations

import shutil
import sys

from common import STATE, Predict, main

MODEL = STATE / "svm"


def setup() -> None:
    """Train on eight files of each of two kinds, with the windows its own documents give."""
    import numpy as np
    from pyAudioAnalysis import audioTrainTest
    from scipy.io import wavfile

    if not shutil.which("ffmpeg"):
        sys.exit("pyAudioAnalysis reads MP3 through ffmpeg, which is not installed")
    rng = np.random.default_rng(0)
    rate_hz, seconds = 22_050, 5
    time_s = np.arange(seconds * rate_hz) / rate_hz
    folders = []
    for kind, loudness in (("tones", 0.05), ("noise", 0.8)):
        folder = STATE / kind
        folder.mkdir(exist_ok=True)
        folders.append(str(folder))
        for i in range(8):
            tone = np.sin(2 * np.pi * 110 * 2 ** (i / 3) * time_s)
            noise = loudness * rng.standard_normal(len(time_s))
            samples = (8_000 * (tone + noise)).clip(-32_000, 32_000).astype(np.int16)
            wavfile.write(folder / f"{i}.wav", rate_hz, samples)
    audioTrainTest.extract_features_and_train(folders, 1.0, 1.0, 0.05, 0.05, "svm", str(MODEL))


def load() -> Predict:
    """Its ``file_classification``, which reads the model, a few kilobytes, each time."""
    from pyAudioAnalysis import audioTrainTest

    def predict(path: str) -> object:
        number, _, names = audioTrainTest.file_classification(path, str(MODEL), "svm")
        if names == -1:
            sys.exit(f"{path}: could not be read")
        return names[int(number)]

    return predict


if __name__ == "__main__":
    main(setup=setup, load=load)
