"""PANNs' Cnn14 (Kong et al. 2020), the AudioSet tagger, in its sizes with random weights.

Six blocks of two 3x3 convolutions, 64 to 2,048 channels, each with batch norm, ReLU and 2x2 mean
pooling (none after the last); mean over bands, maximum plus mean over time, two dense layers.
Log-mel: 32 kHz, 1,024 samples every 320, 64 bands of 50-14,000 Hz. A track goes in whole, as its
own inference script does.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from common import STATE, Predict, main, one_thread

if TYPE_CHECKING:
    from torch import nn

RATE_HZ, N_FFT, HOP, BANDS, LOW_HZ, HIGH_HZ = 32_000, 1_024, 320, 64, 50, 14_000
TAGS = 527
CHANNELS = 1, 64, 128, 256, 512, 1_024, 2_048
WEIGHTS = STATE / "cnn14.pt"


def network() -> nn.ModuleDict:
    """The modules, convolutions and the two dense layers in turn."""
    from torch import nn

    def block(inputs: int, outputs: int, *, pool: bool) -> nn.Sequential:
        steps = [
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        ]
        return nn.Sequential(*steps, *[nn.AvgPool2d(2)] * pool)

    blocks = [
        block(inputs, outputs, pool=outputs < CHANNELS[-1])
        for inputs, outputs in pairwise(CHANNELS)
    ]
    return nn.ModuleDict(
        {
            "bands": nn.BatchNorm2d(BANDS),
            "blocks": nn.Sequential(*blocks),
            "hidden": nn.Linear(CHANNELS[-1], CHANNELS[-1]),
            "tags": nn.Linear(CHANNELS[-1], TAGS),
        }
    ).eval()


def setup() -> None:
    """Keep weights, since reading 320 MB is part of starting it."""
    import torch

    torch.save(network().state_dict(), WEIGHTS)


def load() -> Predict:
    """Tag a whole file."""
    import librosa
    import torch

    if one_thread():
        torch.set_num_threads(1)
        torch.set_num_interop_threads(1)
    net = network()
    net.load_state_dict(torch.load(WEIGHTS, weights_only=True))

    @torch.inference_mode()
    def predict(path: str) -> list[int]:
        samples, _ = librosa.load(path, sr=RATE_HZ)
        power = librosa.feature.melspectrogram(
            y=samples,
            sr=RATE_HZ,
            n_fft=N_FFT,
            hop_length=HOP,
            n_mels=BANDS,
            fmin=LOW_HZ,
            fmax=HIGH_HZ,
        )
        x = torch.from_numpy(librosa.power_to_db(power, top_db=None))  # (bands, frames)
        x = net["bands"](x[None, :, :, None]).permute(0, 3, 2, 1)  # (1, 1, frames, bands)
        x = net["blocks"](x).mean(3)  # (1, 2048, frames / 32)
        x = torch.relu(net["hidden"](x.amax(2) + x.mean(2)))
        return torch.sigmoid(net["tags"](x))[0].topk(3).indices.tolist()

    return predict


if __name__ == "__main__":
    main(setup=setup, load=load)
