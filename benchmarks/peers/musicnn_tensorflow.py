"""musicnn 0.1.0 as it comes, its own code and weights, under a TensorFlow that still runs them.

Its pins cannot be met by any Python of today, so it is installed without them. The network is the
one Tonearm's encoder was made from: MSD_musicnn.
"""

from __future__ import annotations

import subprocess
import sys

from common import Predict, main, one_thread

MODEL = "MSD_musicnn"


def setup() -> None:
    """Install it without what it asks for."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "musicnn==0.1.0"], check=True)


def load() -> Predict:
    """Its own graph, weights and batches; built once, where its `extractor` builds at each call."""
    import os

    import numpy as np
    import tensorflow as tf
    from musicnn import configuration, extractor, models

    threads = 1 if one_thread() else 0
    config = tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads
    )
    frames = 187  # 3 s, as extractor() works out
    levels = tf.compat.v1.placeholder(tf.float32, [None, frames, configuration.N_MELS])
    training = tf.compat.v1.placeholder(tf.bool)
    with tf.name_scope("model"):
        labels = configuration.MSD_LABELS
        logits = models.define_model(levels, training, MODEL, len(labels))[0]
        tags = tf.nn.sigmoid(logits)
    session = tf.compat.v1.Session(config=config)
    folder = os.path.dirname(extractor.__file__)
    tf.compat.v1.train.Saver().restore(session, f"{folder}/{MODEL}/")

    def predict(path: str) -> list[str]:
        batch, _ = extractor.batch_data(path, frames, frames)
        step = configuration.BATCH_SIZE
        found = [
            session.run(tags, {levels: batch[i : i + step], training: False})
            for i in range(0, len(batch), step)
        ]
        best = np.concatenate(found).mean(0).argsort()[::-1]
        return [labels[i] for i in best[:3]]

    return predict


if __name__ == "__main__":
    main(setup=setup, load=load)
