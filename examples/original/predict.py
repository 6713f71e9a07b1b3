"""The original's third step: a genre for a file, by ``model.pt``.

python predict.py FILE
"""

import sys
from pathlib import Path

import numpy as np
import torch
from network import network

from tonearm import audio
from tonearm.data.original_json import segment_mfccs
from tonearm.features import GTZAN_SPEC


def main(path: Path) -> None:
    """Print the genre, and how likely each segment makes it on average."""
    saved = torch.load("model.pt", weights_only=True)
    net = network(len(saved["genres"]))
    net.load_state_dict(saved["weights"])
    sound = audio.decode(path)
    rate_hz = GTZAN_SPEC.sample_rate_hz
    segments = segment_mfccs(audio.resample(sound.samples, sound.sample_rate_hz, rate_hz))
    if not segments:
        sys.exit(f"{path} is shorter than the three seconds of a segment")
    with torch.no_grad():
        logits = net.classify(torch.from_numpy(np.stack(segments)))
    mean = torch.softmax(logits, 1).mean(0)
    print(f"{saved['genres'][int(mean.argmax())]} {mean.max():.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
