"""What Tonearm grew out of: MFCCs by librosa, an LSTM by Keras, a file loaded whole.

The weights are random: a prediction costs the same.
"""

from __future__ import annotations

from itertools import pairwise
from types import ModuleType
from typing import TYPE_CHECKING

from common import GENRES, STATE, Predict, main, one_thread

if TYPE_CHECKING:
    from keras import Model

RATE_HZ, SEGMENT_S, N_FFT, HOP, COEFFICIENTS = 22_050, 3, 2_048, 512, 13
FRAMES = 130
MODEL = STATE / "model.keras"


def keras() -> ModuleType:
    """Keras, held to one thread where that is asked for."""
    import tensorflow as tf

    if one_thread():
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    module: ModuleType = tf.keras
    return module


def network() -> Model:
    """LSTM 64, LSTM 64, dense 64, softmax."""
    k = keras()
    layers = [
        k.layers.Input((FRAMES, COEFFICIENTS)),
        k.layers.LSTM(64, return_sequences=True),
        k.layers.LSTM(64),
        k.layers.Dense(64, activation="relu"),
        k.layers.Dense(len(GENRES), activation="softmax"),
    ]
    model = k.Sequential(layers)
    model.compile(
        k.optimizers.Adam(1e-4), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def setup() -> None:
    """Save a network."""
    network().save(MODEL)


def load() -> Predict:
    """Predict as ``predict.py FILE`` did: the mean of all segments of the file."""
    model = keras().models.load_model(MODEL)
    import librosa
    import numpy as np

    def predict(path: str) -> object:
        samples, _ = librosa.load(path, sr=RATE_HZ)
        length = SEGMENT_S * RATE_HZ
        segments = [samples[i : i + length] for i in range(0, len(samples) - length + 1, length)]
        mfccs = [
            librosa.feature.mfcc(y=s, sr=RATE_HZ, n_mfcc=COEFFICIENTS, n_fft=N_FFT, hop_length=HOP)
            for s in segments
        ]
        inputs = np.stack([m.T[:FRAMES] for m in mfccs])  # (segments, 130, 13)
        probabilities = model.predict(inputs, verbose=0).mean(0)
        return GENRES[int(probabilities.argmax())]

    return predict


def train(path: str, epochs: int) -> list[float]:
    """Seconds of each epoch after the first, which compiles."""
    import time

    import numpy as np

    model = network()
    arrays = np.load(path)
    ends: list[float] = []
    clock = keras().callbacks.LambdaCallback(
        on_epoch_end=lambda _epoch, _logs: ends.append(time.perf_counter())
    )
    model.fit(
        arrays["train"],
        arrays["train_labels"],
        validation_data=(arrays["valid"], arrays["valid_labels"]),
        batch_size=32,
        epochs=epochs,
        verbose=0,
        callbacks=[clock],
    )
    return [end - begin for begin, end in pairwise(ends)]


if __name__ == "__main__":
    main(setup=setup, load=load, train=train)
