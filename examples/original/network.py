"""The original's network and its training, as Keras did it: Adam, 50 epochs, batches of 32."""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tonearm.nets import lstm
from tonearm.training import threads

FRAMES, COEFFICIENTS = 130, 13


def network(labels: int) -> lstm.Net:
    """LSTM 64, LSTM 64, dense 64, softmax; it takes MFCCs as librosa gives them."""
    return lstm.Net(lstm.Config(), bands=128, frames=FRAMES, labels=labels)


def measured(net: lstm.Net, x: Tensor, y: Tensor) -> tuple[float, float]:
    """Loss and accuracy."""
    with torch.no_grad():
        logits = torch.cat([net.classify(some) for some in x.split(256)])
    return F.cross_entropy(logits, y).item(), (logits.argmax(1) == y).float().mean().item()


def fit(
    net: lstm.Net, train: tuple[Tensor, Tensor], valid: tuple[Tensor, Tensor], epochs: int
) -> Iterator[dict[str, float]]:
    """Train; the row of each epoch as a dict."""
    x, y = train
    adam = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1e-7)  # Keras' own numbers
    with threads.suited_to(net):
        for epoch in range(1, epochs + 1):
            order = torch.from_numpy(np.random.default_rng(epoch).permutation(len(x)))
            for some in order.split(32):
                loss = F.cross_entropy(net.classify(x[some]), y[some])
                adam.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(net.parameters(), 100.0)
                adam.step()
            (loss, accuracy), (valid_loss, valid_accuracy) = (
                measured(net, x, y),
                measured(net, *valid),
            )
            yield {
                "epoch": epoch,
                "loss": loss,
                "accuracy": accuracy,
                "valid_loss": valid_loss,
                "valid_accuracy": valid_accuracy,
            }
