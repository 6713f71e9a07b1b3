"""What an accelerator changes: parity, and the times of an epoch and of 10,000 windows.

    python -m benchmarks.gpu [--device auto|cuda|mps|cpu] [--json FILE]

One script of less than four minutes, for whatever accelerator is there; where none is, it says so
and measures the processor. Everything is made by code: no data set and no network are needed.

- *parity*: the same network, weights and windows on the processor and on the device; and the loss
  after two epochs of the same run on both, by the package's own training loop;
- *an epoch*: that loop, the second of two epochs (the first one compiles and fills caches);
- *10,000 windows*: each network in PyTorch on the device, and the two built-in encoders in
  onnxruntime, which needs its own provider for the device: by twos as the program runs them, by
  whole batches, and by twos on one core. A measurement stops after --seconds and is scaled.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tonearm import nets
from tonearm.data import feature_store, index, prepare
from tonearm.data.index import Index, Track
from tonearm.data.splits import Split
from tonearm.errors import ModelError
from tonearm.features import GTZAN_SPEC, FeatureSpec, to_level
from tonearm.model import file as model_file
from tonearm.model import network
from tonearm.training import architecture, fit
from tonearm.training.run import SPLIT, Run

WINDOWS = 10_000
# Logits of untrained networks are of the order of 1; two float32 engines differ by 1e-6 of that.
PARITY = 1e-3
# Two epochs of the same batches, whose rounding errors grow with every step, in an LSTM most; and
# each kind of device draws the dropout of `cnn` its own way. An H200 was .020 from the processor
# with `lstm`, .002 with `cnn`.
LOSS_PARITY = 5e-2
# Of the largest output of an encoder.
ENCODER_PARITY = 1e-3
PROGRAM_BATCH = 2  # windows that the program gives a network at once
_TRACK_FRAMES = 1_293


@dataclass(frozen=True)
class Sizes:
    """How much is measured; a test makes it small."""

    tracks: int = 443
    batch: int = 64
    seconds: float = 10.0
    archs: tuple[str, ...] = ("lstm", "gabor", "cnn")


def found_device() -> str:
    """The accelerator that PyTorch sees: ``cuda``, ``mps``, or ``cpu`` where there is none."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def name_of(device: str) -> str:
    """The device in its maker's words."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"{platform.machine()} ({device}, {torch.get_num_threads()} threads)"


def synchronise(device: str) -> None:
    """Wait for the device: it works on while Python goes on."""
    if device == "cuda":
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()


def per_window(
    run: Callable[[], None], *, batch: int, seconds: float, wait: Callable[[], None]
) -> float:
    """Seconds a window of ``run``, which takes a batch: after one that warms up, for a while."""
    run()
    wait()
    done, begun = 0, time.perf_counter()
    while done < WINDOWS and time.perf_counter() - begun < seconds:
        run()
        wait()
        done += batch
    return (time.perf_counter() - begun) / done


def levels(spec: FeatureSpec, batch: int) -> torch.Tensor:
    """Windows of noise, float32 [batch, frames, bands]."""
    generator = torch.Generator().manual_seed(0)
    return -80 * torch.rand(batch, spec.window_frames, spec.mel_bands, generator=generator)


def measure_network(name: str, device: str, sizes: Sizes) -> dict[str, float]:
    """Parity of logits and time of 10,000 windows of a network."""
    model = nets.get(name)
    spec = architecture.window_of(model, GTZAN_SPEC)
    torch.manual_seed(0)
    net = architecture.build(model, spec, labels=10).eval()
    windows = levels(spec, sizes.batch)
    with torch.no_grad():
        here = net(windows)
        there, moved = net.to(device), windows.to(device)
        difference = (there(moved).cpu() - here).abs().max().item()
        each = per_window(
            lambda: there(moved),
            batch=sizes.batch,
            seconds=sizes.seconds,
            wait=lambda: synchronise(device),
        )
    return {"logit_difference": difference, "windows_10000_s": each * WINDOWS}


def made_up(root: Path, tracks: int) -> Path:
    """A prepared folder of ten genres, whose levels are noise of their own slopes.

    Each track has a spectrum and a liveliness of its own, as music has: of tracks that differ by
    the noise alone, `gabor` learns so large weights that two engines' roundings differ by 1e-3.
    """
    store = feature_store.open_store(
        root / prepare.FEATURES, feature_store.identity(GTZAN_SPEC), create=True
    )
    rng = np.random.default_rng(0)
    slopes = np.linspace(-1, 1, 10)[:, None] * np.linspace(-10, 10, GTZAN_SPEC.mel_bands)
    rows = []
    for i in range(max(tracks, 40)):  # four a genre: train and valid need each
        genre, sound = i % 10, f"{i:032x}"
        noise = rng.uniform(-1, 1, (_TRACK_FRAMES, GTZAN_SPEC.mel_bands)) * rng.uniform(5, 20)
        spectrum = np.cumsum(rng.normal(0, 2, GTZAN_SPEC.mel_bands))
        store.put(sound, (noise + spectrum + slopes[genre] - 40).astype(np.float16))
        rows.append(Track(f"{genre}/{i}", str(genre), f"artist:{i}", sound, 30.0))
    Index(tuple(rows)).save(root / index.FILE_NAME)
    return root


def measure_epochs(name: str, device: str, data: Path, out: Path) -> tuple[float, float, str]:
    """Seconds of the last epoch of a short run, its loss, and why it was refused at its end."""
    out.mkdir(parents=True)
    names = [track.name for track in index.load(data).tracks]
    valid = names[::4] + [name for name in names[:20] if name not in names[::4]]
    kept = {"train": [name for name in names if name not in valid], "valid": valid}
    Split("made-up", {k: tuple(sorted(v)) for k, v in kept.items()}).save(out / SPLIT)
    times, losses, refused = [time.perf_counter()], [], ""

    def note(kind: str, row: dict[str, float]) -> None:
        if kind == "epoch":
            times.append(time.perf_counter())
            losses.append(row["loss"])

    try:
        fit.train(Run(str(data), str(out), name, 2, accelerator=device), report_progress=note)
    except ModelError as error:  # what was exported differs: its epochs were run all the same
        refused = str(error)
    return times[-1] - times[-2], losses[-1], refused


def encoder_inputs(spec: FeatureSpec, windows: int) -> np.ndarray:
    """Levels of windows of noise that is louder in some bands and at some times, as music is."""
    rng = np.random.default_rng(0)
    shape = (windows, spec.window_frames, spec.mel_bands)
    loudness = np.add.outer(rng.normal(0, 1.5, shape[:2]), rng.normal(-2, 1.5, spec.mel_bands))
    power = (10**loudness * rng.exponential(1, shape)).astype(np.float32)
    return np.stack([to_level(window, spec) for window in power])


def measure_encoder(
    encoder: bytes, spec: FeatureSpec, device: str, sizes: Sizes
) -> dict[str, float | str]:
    """Times of 10,000 windows of an encoder, and how far the device's outputs are from ours."""
    windows = encoder_inputs(spec, sizes.batch)

    def timed(run: Callable[..., Any], batch: int) -> float:
        return WINDOWS * per_window(
            lambda: run(None, {"features": windows[:batch]}),
            batch=batch,
            seconds=sizes.seconds / 2,
            wait=lambda: None,  # its outputs are on the processor when it returns
        )

    ours = network.onnx_session(encoder, device="cpu")
    found: dict[str, float | str] = {"windows_10000_one_core_s": timed(ours.run, PROGRAM_BATCH)}
    if device == "cpu":
        return found
    try:
        session = network.onnx_session(encoder, device=device)
    except ModelError as error:
        return found | {"refused": str(error)}
    here, there = (each.run(None, {"features": windows})[0] for each in (ours, session))
    return found | {
        "output_difference": float(np.abs(here - there).max()),
        "outputs_up_to": float(np.abs(here).max()),
        "windows_10000_by_2_s": timed(session.run, PROGRAM_BATCH),
        "windows_10000_s": timed(session.run, sizes.batch),
    }


def measure(device: str, sizes: Sizes) -> dict[str, Any]:
    """Everything, by network; ``faults`` names what differs by more than it may."""
    # TF32 would round to ten bits of mantissa: faster, and not what is compared here.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    networks: dict[str, dict[str, float]] = {}
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        data = made_up(Path(folder) / "data", sizes.tracks)
        for name in sizes.archs:
            found = measure_network(name, device, sizes)
            epoch_s, loss, refused = measure_epochs(name, device, data, Path(folder) / name)
            found |= {"epoch_s": epoch_s}
            if device != "cpu":
                out = Path(folder) / f"{name}-cpu"
                cpu_s, cpu_loss, cpu_refused = measure_epochs(name, "cpu", data, out)
                found |= {"epoch_cpu_s": cpu_s, "loss_difference": abs(loss - cpu_loss)}
                refused = refused or cpu_refused
            faults += [f"{name}: {refused}"] * bool(refused)
            networks[name] = found
            limits = {"logit_difference": PARITY, "loss_difference": LOSS_PARITY}
            # Not `>`: so written, a difference that is not a number is a fault too.
            faults += [
                f"{name}: {key} {found[key]:.2g} is above {limit:g}"
                for key, limit in limits.items()
                if key in found and not found[key] <= limit
            ]
    model = model_file.load()
    encoders = {"built-in encoder": measure_encoder(model.encoder, model.features, device, sizes)}
    if model.texture:
        second = model.texture.encoder, model.texture.features
        encoders["second encoder"] = measure_encoder(*second, device, sizes)
    faults += [
        f"{name}: outputs differ by {found['output_difference']:.2g}"
        for name, found in encoders.items()
        if "output_difference" in found
        and not found["output_difference"] <= ENCODER_PARITY * found["outputs_up_to"]
    ]
    return {
        "device": device,
        "name": name_of(device),
        "torch": torch.__version__,
        "networks": networks,
        "encoders": encoders,
        "faults": faults,
    }


def table(found: dict[str, Any]) -> str:
    """The figures as lines."""
    lines = [f"device\t{found['device']}\t{found['name']}\ttorch {found['torch']}"]
    if found["device"] == "cpu":
        lines.append("PyTorch sees no accelerator here: these are the processor's figures alone.")
    for name, figures in {**found["networks"], **found["encoders"]}.items():
        cells = [
            f"{k} {v:.4g}" if isinstance(v, float) else f"{k}: {v}" for k, v in figures.items()
        ]
        lines.append("\t".join([name, *cells]))
    lines += [f"FAULT\t{fault}" for fault in found["faults"]] or ["parity\tholds"]
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and exit with 1 where something differs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--device", default="auto", choices=("auto", "cuda", "mps", "cpu"))
    parser.add_argument("--tracks", type=int, default=Sizes.tracks, help="of the epoch (443)")
    parser.add_argument("--seconds", type=float, default=Sizes.seconds, help="a measurement (10)")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    device = found_device() if options.device == "auto" else options.device
    if device not in ("cpu", found_device()):
        parser.error(f"PyTorch sees no {device} here, but {found_device()}")
    found = measure(device, Sizes(tracks=options.tracks, seconds=options.seconds))
    print(table(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    raise SystemExit(bool(found["faults"]))


if __name__ == "__main__":
    main()
