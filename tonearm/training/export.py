"""A torch net as ONNX bytes, the check that both agree, and a cheaper musicnn before that.

Must not import onnxruntime (``network.onnx_session`` does) or read or write files.
"""

from __future__ import annotations

import contextlib
import copy
import io
import warnings
from collections.abc import Iterable
from typing import cast

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tonearm.errors import ModelError
from tonearm.nets.musicnn import FilterBank, MiddleLayer, Musicnn, middle_stack, pad_frames

# onnxruntime 1.20, the oldest we allow, reads up to 21; nothing here needs more than 17 (2022).
OPSET = 17
# log10(1 + 10,000 x power) of samples within -1 to 1 stays below 7.35: window and mel areas.
_FEATURE_MAX = 8.0
# Weight decay killed most filters of MSD_musicnn: over all possible features 497 of its 561 move
# their output by less than 2e-4, the others by more than 0.1. Those below this are constants.
_STILL = 1e-3
# Frames that a temporal filter computes at once; of 1, 2, 4, 8 and 16 the quickest for all three.
_STEP = 8


def to_onnx(net: nn.Module, example: Tensor) -> bytes:
    """The net in evaluation mode as an ONNX model, ``features`` in, ``windows`` out.

    The same bytes for the same net.

    Parameters
    ----------
    net : nn.Module
        One tensor in, one tensor out. Left in the mode it was in.
    example : float32 [batch, ...]
        Any input; its first axis stays free in the model, the others are fixed.

    Returns
    -------
    bytes
    """
    stream = io.BytesIO()
    # What it cannot export it prints, as a graph of many lines: stdout is for data.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        # This exporter is called old; the new one (dynamo=True) needs one more package, onnxscript.
        warnings.simplefilter("ignore", DeprecationWarning)
        # torch says it cannot fold slices with a step, which is not an error.
        warnings.simplefilter("ignore", UserWarning)
        # torch's LSTM checks sizes while it is traced; `check_parity` is the proof.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        torch.onnx.export(
            net,
            (example,),
            stream,  # type: ignore[arg-type]  # without dynamo, streams are taken
            input_names=["features"],
            output_names=["windows"],
            dynamic_axes={"features": {0: "batch"}, "windows": {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load_from_string(stream.getvalue())
    # torch's version would change the bytes, and its source lines name folders of this machine.
    model.producer_version = ""
    for node in model.graph.node:
        node.doc_string = ""
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def check_parity(net: nn.Module, onnx_bytes: bytes, example: Tensor, *, tolerance: float) -> float:
    """Run net and model on the same input, whole and as its first row alone.

    Parameters
    ----------
    net : nn.Module
        In evaluation mode.
    onnx_bytes : bytes
        The model, as `to_onnx` gives it.
    example : float32 [batch, ...]
        An input; of several rows, to see that each is computed by itself.
    tolerance : float
        Largest absolute difference allowed.

    Returns
    -------
    float
        Largest absolute difference found.

    Raises
    ------
    ModelError
        If the difference is above ``tolerance`` or not a number.
    """
    from tonearm.model.network import onnx_session

    # The processor's float32 on both sides, whatever device predictions run on.
    session = onnx_session(onnx_bytes, device="cpu")
    name = session.get_inputs()[0].name
    worst = 0.0
    # A single row too: the batch axis must stay free.
    for batch in (example, example[:1]):
        with torch.no_grad():
            wanted = net(batch).numpy()
        given = np.asarray(session.run(None, {name: batch.numpy()})[0])
        if given.shape != wanted.shape:
            raise ModelError(f"the exported model gives {given.shape}, the net {wanted.shape}")
        difference = float(np.abs(given - wanted).max())
        # Not `>`: so written, a difference that is not a number is refused too.
        if not difference <= tolerance:
            raise ModelError(
                f"the exported model differs from the net by {difference:.2g} on a batch of "
                f"{len(batch)}; at most {tolerance:.2g} is allowed"
            )
        worst = max(worst, difference)
    return worst


def _affine(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Scale and shift [channels] of a batch norm in evaluation mode."""
    scale = norm.weight / torch.sqrt(cast(Tensor, norm.running_var) + norm.eps)
    return scale, norm.bias - cast(Tensor, norm.running_mean) * scale


def _replace(layer: nn.Module, weight: Tensor, bias: Tensor) -> nn.Module:
    """The layer with other numbers, of another shape if need be."""
    layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
    return layer


class _Bank(nn.Module):
    """A filter bank without ReLU and norm, ``step`` frames at once.

    A convolution works on eight channels together, so three filters cost as much as eight. With a
    stride, and a copy of each filter for each of the frames skipped, all eight are of use: the
    same sums for a third of the time.
    """

    def __init__(self, weight: Tensor, bias: Tensor, *, step: int) -> None:
        super().__init__()
        filters, _, self.length, height = weight.shape
        copies = torch.zeros(filters, step, 1, self.length + step - 1, height)
        for late in range(step):
            copies[:, late, :, late : late + self.length] = weight
        conv = nn.Conv2d(1, filters * step, (self.length + step - 1, height), stride=(step, 1))
        self.conv = _replace(conv, copies.flatten(0, 1), bias.repeat_interleave(step))
        self.step = step

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 1, frames, bands) -> (batch, filters, frames): the maximum over frequency."""
        frames = x.shape[2]
        # Padded to whole steps; what that adds is cut off below.
        x = F.pad(pad_frames(x, self.length), (0, 0, 0, -frames % self.step))
        maxima = self.conv(x).amax(3).unflatten(1, (-1, self.step))
        return cast(Tensor, maxima.transpose(2, 3).flatten(2)[:, :, :frames])


class _Fused(nn.Module):
    """What `fuse` makes; a filter's scale is in its weights, the shifts are in later layers."""

    def __init__(self, net: Musicnn) -> None:
        super().__init__()
        net = copy.deepcopy(net)
        self.input_norm, self.middle = net.input_norm, net.middle
        scale, shift = _affine(net.input_norm)
        inputs = torch.cat([shift, shift + scale * _FEATURE_MAX, torch.zeros(1)])  # 0: padding
        self.banks = nn.ModuleList()
        signs, shifts, moving = [], [], []
        for bank in cast(Iterable[FilterBank], net.banks):
            scale, shift = _affine(bank.norm)
            weight, bias = bank.conv.weight, cast(Tensor, bank.conv.bias)
            taps = weight.flatten(1)  # (filters, taps)
            # The largest answer that any input within bounds could give.
            loudest = F.relu(taps).sum(1) * inputs.max() - F.relu(-taps).sum(1) * inputs.min()
            moves = scale.abs() * F.relu(loudest + bias) > _STILL
            weight = weight * scale[:, None, None, None]
            step = 1 if weight.shape[3] > 1 else _STEP
            self.banks.append(_Bank(weight[moves], (scale * bias)[moves], step=step))
            # A negative scale has turned the filter round; `forward` turns its maximum back.
            signs.append(torch.where(scale < 0, -1.0, 1.0)[moves])
            shifts.append(shift)
            moving.append(moves)
        self.register_buffer("sign", torch.cat(signs)[:, None])
        shift, moves = torch.cat(shifts), torch.cat(moving)

        # To the first layer the shifts come as one channel of ones: it ends with the frames, as
        # the zero padding wants.
        first = cast(MiddleLayer, net.middle[0]).conv
        ones = torch.einsum("oct,c->ot", first.weight, shift)[:, None]
        weight = torch.cat([first.weight[:, moves], ones], 1)
        _replace(first, weight, cast(Tensor, first.bias))

        scale, pool_shift = _affine(net.pool_norm)
        bias = net.hidden.bias + net.hidden.weight @ pool_shift
        weight = net.hidden.weight * scale
        # `forward` puts maxima before means; musicnn's own layer alternates them.
        of_max, of_mean = weight[:, 0::2], weight[:, 1::2]
        bias = bias + (of_max + of_mean)[:, : len(shift)] @ shift
        used = torch.ones(of_max.shape[1], dtype=torch.bool)
        used[: len(moves)] = moves
        self.hidden = _replace(net.hidden, torch.cat([of_max[:, used], of_mean[:, used]], 1), bias)

        scale, shift = _affine(net.hidden_norm)
        bias = net.output.bias + net.output.weight @ shift
        self.output = _replace(net.output, net.output.weight * scale, bias)

    def forward(self, features: Tensor) -> Tensor:
        """As `Musicnn.forward`."""
        x = self.input_norm(features.unsqueeze(1))  # (batch, 1, frames, bands)
        maxima = [bank(x) for bank in self.banks]  # each (batch, filters, frames)
        sign = cast(Tensor, self.sign)
        front = sign * F.relu(sign * torch.cat(maxima, 1))
        stack = middle_stack(self.middle, torch.cat([front, torch.ones_like(front[:, :1])], 1))
        x = torch.cat([front, stack], 1)
        hidden = F.relu(self.hidden(torch.cat([x.amax(2), x.mean(2)], 1)))
        return torch.sigmoid(self.output(hidden))


def fuse(net: Musicnn) -> nn.Module:
    """The same function of features within 0 to 8, at a tenth of the work.

    ReLU and batch norm of the filter banks move behind the maximum over frequency: under a
    negative scale the largest result comes from the smallest response, so the filter is turned
    round, a maximum finds it, and it is turned back. The other norms go into their neighbours.
    Filters that no input can move (`_STILL`) become constants; the few temporal ones that are
    left compute eight frames at once.

    Parameters
    ----------
    net : Musicnn
        Left as it is.

    Returns
    -------
    nn.Module
        Takes and gives what ``net`` does in evaluation mode.
    """
    with torch.no_grad():
        return _Fused(net).eval()
