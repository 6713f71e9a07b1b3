"""How many of torch's threads a network is worth.

Threads wait for each other after every small product of matrices. A network of small layers has
thousands of them a batch, and then waits longer than it computes: on two cores that others use as
well, a batch of the LSTM took 91 ms with one thread and 1.8 s with two.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

# The LSTM has 58,000 weights. Convolutions apply few weights at many places, so they are never few.
_FEW_WEIGHTS = 100_000
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def is_small(net: nn.Module) -> bool:
    """Whether a network is trained faster by one thread than by several.

    Parameters
    ----------
    net : Module
        The network, on the processor.
    """
    if any(isinstance(module, _CONVOLUTIONS) for module in net.modules()):
        return False
    return sum(weights.numel() for weights in net.parameters()) < _FEW_WEIGHTS


@contextmanager
def suited_to(net: nn.Module) -> Iterator[None]:
    """Let torch use one thread while a small network is trained, and as many as before afterwards.

    Parameters
    ----------
    net : Module
        The network that is trained.
    """
    before = torch.get_num_threads()
    if is_small(net):
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
