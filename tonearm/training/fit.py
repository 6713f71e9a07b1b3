"""Train a network: one loop on Lightning Fabric, from a prepared folder to a model file.

Everything random comes from (seed, epoch, step), so that a run that is killed and resumed gives the
same bits as one that was not. Batch norms see their own process's part of a batch.
"""

from __future__ import annotations

import io
import json
import math
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import nn

from tonearm import metrics
from tonearm.data import splits
from tonearm.errors import DatasetError, TonearmError
from tonearm.nets import Architecture, Recipe, external
from tonearm.training import architecture, several_genres, tensorboard, threads
from tonearm.training.batches import Data
from tonearm.training.finalize import finish, predict_subset
from tonearm.training.predictions import csv_text
from tonearm.training.run import (
    CHECKPOINT,
    CODE,
    HISTORY,
    RUN,
    SPLIT,
    Row,
    Run,
    read,
    refuse_begun,
    write,
)

State = dict[str, Any]


ReportProgress = Callable[[str, dict[str, float]], None]  # "step" or "epoch", and its numbers


def train(run: Run, *, resume: bool = False, report_progress: ReportProgress | None = None) -> None:
    """Train as asked; with ``resume`` go on from the last whole epoch.

    ``split.txt`` must be in the run's folder.

    Parameters
    ----------
    run : Run
        Settings, data and folder.
    resume : bool
        Go on from the last whole epoch.
    report_progress : callable or None
        Called for steps and epochs by the first process; picklable where there are several.

    Raises
    ------
    DatasetError
        When the data cannot be learned from, or the folder holds another run.
    """
    out = Path(run.out)
    if resume:
        # The folder says how the run began; what was asked now must be the same.
        before = read(out)
        # Where, on how many devices and how long may differ: the rest makes the figures.
        asked = replace(run, out=before.out, devices=before.devices, epochs=before.epochs)
        if asked != before:
            raise DatasetError(f"{out} holds another run ({before}): name another --output")
    else:
        refuse_begun(out)
    try:
        fabric = Fabric(
            accelerator=run.accelerator,
            precision=run.precision,
            **_places(run.devices),
        )
    except Exception as error:  # Fabric's own kinds for what the machine does not have
        wanted = f"{run.devices} x {run.accelerator}, {run.precision}"
        raise DatasetError(f"this machine cannot train on {wanted}: {error}") from None
    write(out / RUN, json.dumps(asdict(run), indent=1).encode())
    try:
        fabric.launch(_train, asdict(run), report_progress or _silent)  # type: ignore[arg-type]  # its own annotation is too narrow
    except TonearmError:
        raise
    except Exception as error:  # whatever somebody's network raises
        if run.code_sha256 and external.line_of(error, out / CODE):
            raise DatasetError(
                f"{run.model} fails while it is trained: {external.where(error, out / CODE)}"
            ) from error
        raise


def _places(devices: int) -> dict[str, Any]:
    """On how many devices of how many machines, as Fabric has it."""
    # torchrun starts the processes of all machines itself and tells each of them its place.
    if torch.distributed.is_torchelastic_launched():
        here, machines = (
            int(os.environ[name]) for name in ("LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE")
        )
        return {"devices": here, "num_nodes": machines, "strategy": "ddp"}
    # Spawned, not forked: CUDA cannot be used in a forked process.
    return {"devices": devices, "strategy": "ddp_spawn" if devices > 1 else "auto"}


def _silent(_kind: str, _values: dict[str, float]) -> None:
    """Report to nobody; a function with a name can be sent to other processes."""


def _train(fabric: Fabric, asked: dict[str, Any], report: ReportProgress) -> None:
    run = Run(**asked)
    model = architecture.of_run(run)
    data = Data(run.data, splits.load(Path(run.out) / SPLIT), model)
    # Before the net is made: its first weights are part of what the seed fixes.
    torch.manual_seed(run.seed)
    net = architecture.build(model, data.spec, len(data.labels))
    fit = _Fit(fabric, run, model, data, net)
    # After the net and the optimiser are made, whose states it replaces.
    fit.restore()
    with threads.suited_to(net):
        while not fit.finished:
            loss, accuracy = fit.run_epoch(report)
            if not math.isfinite(loss):  # it never recovers: every weight is "not a number" then
                raise DatasetError(
                    f"the loss is {loss} in epoch {len(fit.history) + 1}: try a lower learning rate"
                    f" (it is {model.recipe.lr:g}), such as --set lr={model.recipe.lr / 10:g}"
                )
            fit.evaluate(loss, accuracy)
            if fabric.is_global_zero:
                fit.save()
                if run.tensorboard:
                    tensorboard.log(Path(run.out), fit.history[-1])
                report("epoch", asdict(fit.history[-1]))
    fabric.barrier()
    if fabric.is_global_zero:
        # The first process alone writes, so that two never write one file.
        net.load_state_dict(fit.chosen())
        finish(run, model, data, net.cpu().eval(), fit.history)
    fabric.barrier()  # whoever comes back from here finds the model


class _Fit:
    """A net while it is trained: weights, their average, optimiser, history."""

    def __init__(
        self, fabric: Fabric, run: Run, model: Architecture, data: Data, net: nn.Module
    ) -> None:
        self.fabric, self.run, self.model, self.data = fabric, run, model, data
        self.net = net
        self.optimiser = torch.optim.AdamW(
            weight_groups(net, model.recipe.weight_decay), lr=model.recipe.lr
        )
        # `net` and `wrapped` share weights: the wrapped one adds gradients and casts, the bare one
        # is measured and saved.
        self.wrapped, self.wrapped_optimiser = fabric.setup(net, self.optimiser)
        self.averaged: State = _copy(net.state_dict()) if model.recipe.ema else {}
        self.best: State = {}
        self.history: list[Row] = []
        self.step = 0
        self.class_weights = fabric.to_device(
            class_weights(data) if model.recipe.class_weights == "balanced" else None
        )
        pool = len(data.examples("train"))
        if model.recipe.crops == "random":
            pool = len(data.subsets["train"])
        self.steps_per_epoch = -(-pool // model.recipe.batch)  # rounded up

    @property
    def finished(self) -> bool:
        """After the last epoch, or without progress for ``patience`` of them."""
        if len(self.history) >= (1 if self.model.recipe.closed_form else self.run.epochs):
            return True
        losses = [row.valid_loss for row in self.history]
        patience = self.run.patience
        # Epochs since the best one; of equal losses the first counts.
        return bool(patience and losses and len(losses) - 1 - int(np.argmin(losses)) >= patience)

    def run_epoch(self, report: ReportProgress) -> tuple[float, float]:
        """One pass over the training subset; mean loss and accuracy."""
        if self.model.recipe.closed_form:
            return self._fit_at_once(report)
        epoch, world, rank = len(self.history), self.fabric.world_size, self.fabric.global_rank
        # Dropout draws from torch's own generator: fixed by epoch and process.
        torch.manual_seed(
            int(np.random.SeedSequence([self.run.seed, epoch, rank]).generate_state(1)[0])
        )
        self.net.train()
        totals = torch.zeros(3)  # loss, right, examples
        # By seed and epoch alone: a resumed run draws the same batches.
        batches = self.data.batches(self.model, seed=self.run.seed, epoch=epoch)
        for number, (all_levels, all_targets) in enumerate(batches, 1):
            whole = len(all_levels)
            self._set_rate()
            if whole < world:  # each process needs an example
                continue
            # Each process draws the whole batch and takes its part, so chance is the same.
            levels = self.fabric.to_device(all_levels[rank::world])
            targets = self.fabric.to_device(all_targets[rank::world])
            logits = self.wrapped(levels)
            summed = self._loss(logits, targets)
            self.fabric.backward(batch_loss(summed, whole=whole, processes=world))
            if self.model.recipe.clip_norm:
                self.fabric.clip_gradients(
                    self.wrapped, self.wrapped_optimiser, max_norm=self.model.recipe.clip_norm
                )
            self.wrapped_optimiser.step()
            self.optimiser.zero_grad()
            self._average()
            # Mixed targets have no one right class; the larger part counts.
            top = targets.gather(1, logits.argmax(1, keepdim=True)).squeeze(1)
            right = (top == targets.amax(1)).sum()
            totals += torch.tensor([summed.item(), right.item(), len(levels)])
            if self.fabric.is_global_zero:
                done = epoch + number / self.steps_per_epoch
                loss, accuracy = (totals[:2] / totals[2]).tolist()
                report("step", {"epochs": done, "loss": loss, "accuracy": accuracy})
        if world > 1:
            together = self.fabric.all_reduce(self.fabric.to_device(totals), reduce_op="sum")
            totals = cast(torch.Tensor, together).cpu()
        loss, accuracy = (totals[:2] / totals[2]).tolist()
        return loss, accuracy

    def _loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Sum over a batch: cross-entropy of one genre, or of a yes or no for each."""
        if self.data.several:
            return F.binary_cross_entropy_with_logits(
                logits, targets, weight=self.class_weights, reduction="sum"
            )
        return F.cross_entropy(logits, targets, weight=self.class_weights, reduction="sum")

    def _fit_at_once(self, report: ReportProgress) -> tuple[float, float]:
        """The closed form of nets that have one; every process does the same."""
        net: Any = self.net
        examples = self.data.examples("train")
        classes = torch.tensor([example.label for example in examples])
        batch, pieces = self.model.recipe.batch, []
        for begin in range(0, len(examples), batch):
            levels = self.fabric.to_device(self.data.windows(examples[begin : begin + batch]))
            with torch.no_grad():
                pieces.append(net.describe(levels).cpu())
            if self.fabric.is_global_zero:
                done = min(1.0, (begin + batch) / len(examples))
                report("step", {"epochs": done, "loss": float("nan"), "accuracy": float("nan")})
        # All at once: the closed form needs the covariance over every window.
        features = torch.cat(pieces)
        net.cpu().fit(features, classes)
        with torch.no_grad():
            logits = net.output(features)
        right = (logits.argmax(1) == classes).float().mean()
        self.fabric.to_device(net)
        return F.cross_entropy(logits, classes).item(), right.item()

    def evaluate(self, loss: float, accuracy: float) -> None:
        """Measure on the validation subset, note the epoch, keep the best weights."""
        # One process measures and tells the others: all must stop at the same epoch.
        values = [0.0, 0.0, 0.0]
        if self.fabric.is_global_zero:
            values = self._valid()
        values = self.fabric.broadcast(values)
        rate = self.optimiser.param_groups[0]["lr"]
        row = Row(len(self.history) + 1, loss, accuracy, values[0], values[1], values[2], rate)
        if not self.best or row.valid_loss < min(old.valid_loss for old in self.history):
            self.best = _copy(self.averaged or self.net.state_dict())
        self.history.append(row)

    def _valid(self) -> list[float]:
        """Loss and accuracy of windows, accuracy of tracks, with the weights that would be kept."""
        own = _copy(self.net.state_dict())
        if self.averaged:
            self.net.load_state_dict(self.averaged)
        # `eval` switches dropout off; `run_epoch` switches it on again.
        found = predict_subset(self.net.eval(), self.data, "valid")
        self.net.load_state_dict(own)
        loss = metrics.log_loss(found.window_truth, found.window_probabilities)
        if found.several is not None:
            loss = several_genres.log_loss(found.several.truth, found.several.values)
        return [
            loss,
            metrics.accuracy(found.window_truth, found.window_probabilities.argmax(1)),
            metrics.accuracy(found.track_truth, found.track_probabilities.argmax(1)),
        ]

    def chosen(self) -> State:
        """The weights to keep: those of the best epoch, or of the last."""
        if self.run.patience:
            return self.best
        return self.averaged or self.net.state_dict()

    def save(self) -> None:
        """Checkpoint, history: each whole or not at all, the checkpoint last."""
        rows = [asdict(row) for row in self.history]
        table = csv_text([list(rows[0]), *(map(str, row.values()) for row in rows)])
        write(Path(self.run.out) / HISTORY, table.encode())
        # In memory first: the file is then written whole or not at all.
        stream = io.BytesIO()
        state = {
            "model": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "averaged": self.averaged,
            "best": self.best,
            "step": self.step,
            # The scaler of 16-mixed; empty where there is none.
            "precision": self.fabric.strategy.precision.state_dict(),
            "history": rows,
        }
        torch.save(state, stream)
        write(Path(self.run.out) / CHECKPOINT, stream.getvalue())

    def restore(self) -> None:
        """Go on from the checkpoint, if there is one; only tensors and plain values are read."""
        path = Path(self.run.out) / CHECKPOINT
        if not path.exists():
            return
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            self.net.load_state_dict(state["model"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.averaged, self.best = state["averaged"], state["best"]
            self.step = state["step"]
            self.fabric.strategy.precision.load_state_dict(state["precision"])
            self.history = [Row(**row) for row in state["history"]]
        except Exception as error:  # torch raises many kinds on a damaged or foreign file
            raise DatasetError(f"the run cannot be resumed from {path}: {error}") from None

    def _set_rate(self) -> None:
        """Set the learning rate of this step."""
        self.step += 1
        # By optimiser steps, not by time: a resumed run has the same schedule.
        done = self.step / (self.run.epochs * self.steps_per_epoch)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.model.recipe, done)

    def _average(self) -> None:
        """Exponential average of the weights, fast at first."""
        if not self.averaged:
            return
        decay = average_decay(self.model.recipe.ema, self.step)
        for name, value in self.net.state_dict().items():
            old = self.averaged[name]
            # Counters of batch norms are integers, of which there is no average.
            if old.dtype.is_floating_point:
                old.lerp_(value.to(old.device), 1 - decay)
            else:
                old.copy_(value)


def learning_rate(recipe: Recipe, done: float) -> float:
    """The learning rate when a fraction of all steps is done.

    It is constant, or rises over the first 15 % and falls by a cosine after that.

    Parameters
    ----------
    recipe : Recipe
        Its schedule and its highest rate.
    done : float
        Fraction of the run that is done, 0 to 1.
    """
    if recipe.schedule == "constant":
        return recipe.lr
    rising = min(1.0, done / 0.15)
    falling = 0.5 + 0.5 * np.cos(np.pi * max(0.0, (done - 0.15) / 0.85))
    return recipe.lr * max(0.04, rising) * max(1e-4, float(falling))


def average_decay(ema: float, step: int) -> float:
    """How much of the averaged weights stays at a step: little at first, then ``ema``.

    Parameters
    ----------
    ema : float
        As in the recipe, 0 to 1.
    step : int
        Optimiser steps so far.
    """
    return min(ema, (1 + step) / (10 + step))


def batch_loss(summed: torch.Tensor, *, whole: int, processes: int) -> torch.Tensor:
    """The loss to go back from in each of several processes.

    Their gradients are averaged: with this scale that is the gradient of the mean over the whole
    batch, whatever the number of processes.

    Parameters
    ----------
    summed : Tensor
        Sum of the losses of this process's examples.
    whole : int
        Examples of the whole batch.
    processes : int
        Processes among which it is divided.
    """
    return summed * (processes / whole)


def class_weights(data: Data) -> torch.Tensor:
    """By how much the tracks of each genre are fewer than the mean: float32 [labels].

    Their mean over all tracks is 1, so that the learning rate means the same with and without.

    Parameters
    ----------
    data : Data
        The tracks that are learnt from.
    """
    counts = Counter(genre for track in data.subsets["train"] for genre in data.genres(track))
    each = [counts[label] for label in data.labels]
    return torch.tensor([sum(each) / len(each) / n for n in each])


def weight_groups(net: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Weights decay, biases and norms do not.

    Parameters
    ----------
    net : Module
        The network.
    decay : float
        Weight decay of its matrices.
    """
    learned = [p for p in net.parameters() if p.requires_grad]
    return [
        {"params": [p for p in learned if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in learned if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _copy(state: State) -> State:
    return {name: value.detach().cpu().clone() for name, value in state.items()}
