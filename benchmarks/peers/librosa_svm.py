"""The usual GTZAN repository: a table of librosa's features of the whole track, and an SVM.

The SVM is fitted on random numbers: a prediction costs the same.
"""

from __future__ import annotations

from common import GENRES, STATE, Predict, Work, main

MODEL = STATE / "model.joblib"
# 20 MFCCs, 12 chroma, six curves: mean and variance of each; and the tempo.
FEATURES = 2 * (20 + 12 + 6) + 1


def setup() -> None:
    """Fit as these repositories do, to nothing."""
    import joblib
    import numpy as np
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(GENRES)), 100)
    table = rng.standard_normal((len(labels), FEATURES)) + labels[:, None] / 10
    joblib.dump(make_pipeline(StandardScaler(), SVC()).fit(table, labels), MODEL)


def load() -> Predict:
    """Everything the well-known table of GTZAN has, of one file."""
    import joblib
    import librosa
    import numpy as np

    model = joblib.load(MODEL)

    def predict(path: str) -> object:
        y, rate_hz = librosa.load(path)
        feature = librosa.feature
        rows = [
            feature.chroma_stft(y=y, sr=rate_hz),
            feature.rms(y=y),
            feature.spectral_centroid(y=y, sr=rate_hz),
            feature.spectral_bandwidth(y=y, sr=rate_hz),
            feature.spectral_rolloff(y=y, sr=rate_hz),
            feature.spectral_flatness(y=y),
            feature.zero_crossing_rate(y),
            feature.mfcc(y=y, sr=rate_hz),
        ]
        table = np.concatenate(rows)  # (38, frames)
        tempo, _ = librosa.beat.beat_track(y=y, sr=rate_hz)
        values = np.concatenate([table.mean(1), table.var(1), np.ravel(tempo)])
        return GENRES[int(model.predict(values[None])[0])]

    return predict


def mel(path: str) -> Work:
    """Log-mel with the numbers of Tonearm's encoder."""
    import librosa
    import numpy as np

    samples = np.load(path)

    def work() -> object:
        power = librosa.feature.melspectrogram(
            y=samples, sr=16_000, n_fft=512, hop_length=256, n_mels=96
        )
        return np.log10(1 + 10_000 * power)

    return work


def decode(path: str) -> Work:
    """To mono at 16 kHz."""
    import librosa

    return lambda: librosa.load(path, sr=16_000)


if __name__ == "__main__":
    main(setup=setup, load=load, parts={"mel": mel, "decode": decode})
