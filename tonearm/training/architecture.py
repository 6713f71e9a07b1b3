"""The architecture that a run trains: the package's or a file's, with the run's settings.

A file's code is kept in the run's folder with its hash in ``run.json``: a run that is resumed uses
its own copy, and refuses one that somebody changed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from tonearm import nets
from tonearm.errors import DatasetError, ModelError
from tonearm.features import FeatureSpec
from tonearm.nets import Architecture, external
from tonearm.training import settings
from tonearm.training.export import check_parity, to_onnx
from tonearm.training.run import CODE, Run

_TOLERANCE = 1e-4


def named(name: str) -> Architecture:
    """The architecture of a name, or of ``FILE.py:CLASS``, with its own defaults.

    Parameters
    ----------
    name : str
        Of the package, or ``FILE.py:CLASS``.
    """
    if not external.is_file(name):
        return nets.get(name)
    path, code = external.source(name)
    return external.load(name, code, path=path)


def of_run(run: Run) -> Architecture:
    """The architecture of a run with the run's settings.

    Parameters
    ----------
    run : Run
        With its sizes, recipe and front end.

    Raises
    ------
    DatasetError
        When the run's copy of the code is missing or was changed.
    """
    if not run.code_sha256:
        return settings.applied(nets.get(run.model), run.settings)
    path = Path(run.out) / CODE
    try:
        code = path.read_bytes()
    except OSError as error:
        raise DatasetError(
            f"{path}, the network's code, cannot be read: {error.strerror}"
        ) from None
    # The weights of a checkpoint fit the code they were trained with, and no other.
    if external.sha256(code) != run.code_sha256:
        raise DatasetError(
            f"{path} is not the code that this run began with: restore it, or start another run"
        )
    return settings.applied(external.load(run.model, code, path=path), run.settings)


def window_of(model: Architecture, spec: FeatureSpec) -> FeatureSpec:
    """A front end with the windows of an architecture, as `feature_store.spec_of` has them.

    Parameters
    ----------
    model : Architecture
        Which says how long a window is.
    spec : FeatureSpec
        The front end of the features.
    """
    # Rounded down: a window must not be longer than the architecture asks for.
    return replace(spec, window_frames=max(1, int(model.window_s / spec.frame_s)))


def build(model: Architecture, spec: FeatureSpec, labels: int) -> nn.Module:
    """The network for windows of a front end.

    Parameters
    ----------
    model : Architecture
        What to build.
    spec : FeatureSpec
        With the frames of one window.
    labels : int
        Number of genres.
    """
    net: nn.Module = model.build(
        model.config, bands=spec.mel_bands, frames=spec.window_frames, labels=labels
    )
    return net


def try_out(model: Architecture, spec: FeatureSpec, labels: int, *, path: Path) -> None:
    """Build the network, run it and export it once, before anything long begins.

    Parameters
    ----------
    model : Architecture
        The architecture with its settings.
    spec : FeatureSpec
        Says how large a window is.
    labels : int
        How many genres.
    path : Path
        The network's file, for messages.

    Raises
    ------
    DatasetError
        Says what does not fit, and in which line.
    """
    frames, bands = spec.window_frames, spec.mel_bands
    wide = int(frames * (1 + model.recipe.margin)) if model.augment else frames
    # In the range of dB that features have. Two, since a batch norm in training refuses one.
    levels = -80 * torch.rand(2, wide, bands, generator=torch.Generator().manual_seed(0))
    what = f"{model.name} with windows of {frames} frames and {bands} bands"
    # What the seed of the run fixes must not depend on whether it was tried before.
    with torch.random.fork_rng(devices=[]):
        try:
            net = build(model, spec, labels)
            if model.augment is not None:
                levels = model.augment(levels, frames, torch.Generator().manual_seed(0))
            logits = net(levels)
        except Exception as error:  # whatever somebody's network raises
            raise DatasetError(f"{what} cannot run: {external.where(error, path)}") from error
        if not isinstance(logits, torch.Tensor) or logits.shape != (2, labels):
            shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits)
            raise DatasetError(
                f"{what} gives {shape} for two windows and {labels} genres: (2, {labels}) is needed"
            )
        # Seen on noise already: on music it would cost an epoch to find out.
        if not logits.isfinite().all():
            raise DatasetError(f"{what} gives values that are not finite")
        encoder = nn.Sequential(net, nn.Softmax(1)).eval()
        _try_batches(net.eval(), levels, what, path)
        try:
            check_parity(encoder, to_onnx(encoder, levels), levels, tolerance=_TOLERANCE)
        except ModelError as error:
            raise DatasetError(f"{what} cannot be exported to ONNX: {error}") from None
        except Exception as error:  # the exporter's own kinds share no base
            first = str(error).strip().partition("\n")[0]
            raise DatasetError(f"{what} cannot be exported to ONNX: {first}") from error


def _try_batches(net: nn.Module, levels: torch.Tensor, what: str, path: Path) -> None:
    """Raise DatasetError where a window's values depend on how many come with it."""
    many = levels.repeat(4, 1, 1)[: 2 * len(levels) + 1]
    try:
        with torch.no_grad():
            alone, together = net(many[:1]), net(many)[:1]
    except Exception as error:  # whatever somebody's network raises
        raise DatasetError(f"{what} cannot run: {external.where(error, path)}") from error
    if not torch.allclose(alone, together, atol=_TOLERANCE, rtol=1e-3):
        raise DatasetError(
            f"{what} gives a window other values alone than in a batch of {len(many)}: forward "
            "must not depend on the size of the batch"
        )
