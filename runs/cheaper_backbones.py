"""Cheaper variants of the encoder: the time of each, and how much its tags differ.

    python -m runs.cheaper_backbones --wheel musicnn-0.1.0-py3-none-any.whl --music FOLDER

Every variant changes the network in use: fewer frequency positions, wide filters of low rank, wide
filters made of a few shared spectral shapes, fewer filters, eight bits. Times are medians of runs
in turn, on one thread, as ratios to the network in use. Tags are compared as means over twelve
windows of each file of the folder; half of the files calibrate the eight bits, the others are
compared. Needs the ``train`` extra.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from runs.export_backbone import read_net
from tonearm import audio
from tonearm.audio import AUDIO_SUFFIXES
from tonearm.errors import DecodeError
from tonearm.features import MUSICNN_SPEC, log_mel
from tonearm.files import find
from tonearm.model.classifier import Classifier
from tonearm.model.network import onnx_session
from tonearm.model.prediction import Prediction
from tonearm.training.export import fuse, to_onnx

Float32 = NDArray[np.float32]
WINDOWS = 12
IN_USE = "in use"
RUNS = 21
HEADING = """\
| variant | time | correlation of track means | mean, maximum difference | same genre |
|---|---|---|---|---|"""
EXAMPLE = torch.zeros(2, MUSICNN_SPEC.window_frames, MUSICNN_SPEC.mel_bands)


class StridedBank(nn.Module):
    """A bank's convolution at every ``step``-th position in frequency."""

    def __init__(self, conv: nn.Conv2d, step: int) -> None:
        super().__init__()
        self.conv = copy.deepcopy(conv)
        self.conv.stride = (conv.stride[0], step)

    def forward(self, x: Tensor) -> Tensor:
        """Compute what the convolution computes."""
        return cast(Tensor, self.conv(x))


class LowRank(nn.Module):
    """Each filter as a sum of ``rank`` spectral shapes, each with an envelope in time."""

    def __init__(self, conv: nn.Conv2d, rank: int) -> None:
        super().__init__()
        filters, _, frames, bands = conv.weight.shape
        u, s, v = torch.linalg.svd(conv.weight.detach()[:, 0])
        self.shapes = nn.Conv2d(1, filters * rank, (1, bands), bias=False)
        self.shapes.weight.data = v[:, :rank].reshape(filters * rank, 1, 1, bands)
        self.envelopes = nn.Conv2d(filters * rank, filters, (frames, 1), groups=filters)
        envelopes = (u[:, :, :rank] * s[:, None, :rank]).transpose(1, 2)
        self.envelopes.weight.data = envelopes[..., None].contiguous()
        self.envelopes.bias = conv.bias

    def forward(self, x: Tensor) -> Tensor:
        """Compute what the convolution computes."""
        return cast(Tensor, self.envelopes(self.shapes(x)))


class SharedShapes(nn.Module):
    """All filters of a bank from the same ``count`` spectral shapes, mixed at each of 7 frames."""

    def __init__(self, conv: nn.Conv2d, count: int) -> None:
        super().__init__()
        filters, _, frames, bands = conv.weight.shape
        rows = conv.weight.detach()[:, 0].reshape(-1, bands)
        u, s, v = torch.linalg.svd(rows, full_matrices=False)
        self.shapes = nn.Conv2d(1, count, (1, bands), bias=False)
        self.shapes.weight.data = v[:count].reshape(count, 1, 1, bands)
        mix = (u[:, :count] * s[:count]).reshape(filters, frames, count).permute(0, 2, 1)
        self.mix = nn.Conv2d(count, filters, (frames, 1))
        self.mix.weight.data = mix[..., None].contiguous()
        self.mix.bias = conv.bias

    def forward(self, x: Tensor) -> Tensor:
        """Compute what the convolution computes."""
        return cast(Tensor, self.mix(self.shapes(x)))


def changed(net: nn.Module, make: Callable[[nn.Conv2d], nn.Module]) -> nn.Module:
    """The network with other convolutions in its two wide banks."""
    net = copy.deepcopy(net)
    for bank in cast(Any, net).banks[:2]:
        bank.conv = make(bank.conv)
    return net.eval()


def muted(net: nn.Module, fraction: float, features: Float32) -> nn.Module:
    """The network with the wide filters that vary least on music replaced by constants.

    The filters stay in place, so only the tags can be compared, not the time.
    """
    net = copy.deepcopy(net)
    for bank in cast(Any, net).banks[:2]:
        with torch.no_grad():
            x = cast(Any, net).input_norm(torch.from_numpy(features[::10])[:, None])
            out = bank(x)
            quietest = out.std(dim=(0, 2)).argsort()[: round(fraction * out.shape[1])]
            bank.conv.bias.data[quietest] = out.mean(dim=(0, 2))[quietest]
            bank.conv.weight.data[quietest] = 0
    return net.eval()


def variants(net: nn.Module, features: Float32) -> Iterator[tuple[str, bytes]]:
    """Name and model of each variant, the network in use first."""
    yield IN_USE, to_onnx(net, EXAMPLE)
    makers: dict[str, Callable[[nn.Conv2d], nn.Module]] = {}
    for step in (2, 3):
        makers[f"wide filters at every {step}. position"] = lambda c, n=step: StridedBank(c, n)
    for rank in (1, 2, 3):
        makers[f"wide filters of rank {rank}"] = lambda c, n=rank: LowRank(c, n)
    for count in (8, 16, 24):
        makers[f"wide filters of {count} shared spectral shapes"] = lambda c, n=count: SharedShapes(
            c, n
        )
    for name, make in makers.items():
        yield name, to_onnx(changed(net, make), EXAMPLE)
    for fraction in (0.1, 0.25):
        yield (
            f"{fraction:.0%} of the wide filters muted",
            to_onnx(muted(net, fraction, features), EXAMPLE),
        )
    for name, per_channel in (("int8, static", False), ("int8, static, a scale a channel", True)):
        yield name, eight_bits(to_onnx(net, EXAMPLE), features, per_channel=per_channel)


def eight_bits(model: bytes, features: Float32, *, per_channel: bool) -> bytes:
    """The model with convolutions in 8 bits, whose ranges are calibrated on music."""
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches = iter(np.array_split(features, len(features) // 4))

        def get_next(self) -> dict[str, Float32] | None:
            batch = next(self._batches, None)
            return None if batch is None else {"features": batch}

    with tempfile.TemporaryDirectory() as folder:
        plain, ready, small = (str(Path(folder) / f"{name}.onnx") for name in "prs")
        Path(plain).write_bytes(model)
        quant_pre_process(plain, ready, skip_symbolic_shape=True)
        quantize_static(
            ready,
            small,
            Reader(),
            per_channel=per_channel,
            reduce_range=True,  # without VNNI, sums of two products would overflow
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return Path(small).read_bytes()


def read_music(folder: Path) -> list[Float32]:
    """Features [12, frames, bands] of each file of at least a minute."""
    kept = []
    for path in find([folder], suffixes=AUDIO_SUFFIXES, on_error=lambda *_: None):
        try:
            with audio.open_audio(path) as reader:
                if reader.info.duration_s < 60:
                    continue
                kept.append(np.stack(list(cut(reader))))
        except (DecodeError, ValueError):
            continue
    return kept


def cut(reader: audio.AudioReader) -> Iterator[Float32]:
    """Twelve windows spread over a track."""
    spec = MUSICNN_SPEC
    length = (spec.window_frames - 1) * spec.hop_samples
    for i in range(WINDOWS):
        start = int((i + 0.5) / WINDOWS * reader.info.duration_s * spec.sample_rate_hz)
        span = audio.read_span(reader, start, start + length, rate_hz=spec.sample_rate_hz)
        yield log_mel(span, spec)


def tags_of(session: ort.InferenceSession, tracks: list[Float32]) -> list[Float32]:
    """Tags [12, 50] of each track."""
    return [session.run(None, {"features": track})[0] for track in tracks]


def times(sessions: dict[str, ort.InferenceSession], features: Float32) -> dict[str, float]:
    """Median time of each session over runs in turn, as a ratio to the first."""
    taken: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(RUNS):
        for name, session in sessions.items():
            session.run(None, {"features": features})  # so that the cache holds its weights
            begun = time.perf_counter()
            session.run(None, {"features": features})
            taken[name].append(time.perf_counter() - begun)
    medians = {name: statistics.median(row) for name, row in taken.items()}
    return {name: median / medians[IN_USE] for name, median in medians.items()}


def row(
    name: str,
    ratio: float,
    tags: list[Float32],
    truth: list[Float32],
    classify: Callable[[Float32], Prediction],
) -> str:
    """One line of the table."""
    given, means = (np.stack([t.mean(axis=0) for t in tracks]) for tracks in (tags, truth))
    same = [classify(a).genre == classify(b).genre for a, b in zip(truth, tags, strict=True)]
    apart = np.abs(given - means)
    return (
        f"| {name} | {ratio:.2f} | {np.corrcoef(given.ravel(), means.ravel())[0, 1]:.4f} "
        f"| {apart.mean():.4f}, {apart.max():.3f} | {np.mean(same):.3f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", type=Path, help="musicnn's wheel, if it is here already")
    parser.add_argument("--music", type=Path, required=True, help="a folder of real music")
    args = parser.parse_args()
    tracks = read_music(args.music)
    calibration, compared = np.concatenate(tracks[::2])[::5], tracks[1::2]
    net = fuse(read_net(args.wheel)[0])
    classify = Classifier.load().classify
    models = dict(variants(net, calibration))
    sessions = {name: onnx_session(model) for name, model in models.items()}
    print(f"{len(compared)} tracks of {WINDOWS} windows\n\n{HEADING}")
    ratios = times(sessions, compared[0][:2])
    truth = tags_of(sessions[IN_USE], compared)
    for name, session in sessions.items():
        print(row(name, ratios[name], tags_of(session, compared), truth, classify))


if __name__ == "__main__":
    main()
