"""A model without Tonearm: ONNX files, settings as JSON, and a script of a few lines.

The folder holds ``encoder.onnx`` (and ``texture.onnx``), ``head.onnx``, ``settings.json``,
``predict.py``, which needs librosa and onnxruntime alone, and the licences in ``NOTICE.txt``.
``head.onnx`` computes what `model/head.py` computes, in double precision. Not exported: reading few
windows of a clear track, lifting very quiet ones, and more windows for tracks beyond ten minutes.

Must not import onnxruntime or torch.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tonearm.errors import DatasetError, would_lose, writing
from tonearm.features import FeatureSpec
from tonearm.files import write_atomically
from tonearm.model.file import Model
from tonearm.model.head import Head
from tonearm.model.multi_label import MultiLabelHead
from tonearm.model.out_of_domain import FAR_OUTSIDE, LEAST_ODDS, SHORT_S, TextureDetector
from tonearm.model.texture import CLOSED
from tonearm.model.votes import LEAST_PROBABILITY

_OPSET = 17  # onnxruntime 1.20 reads it, as in export.py
_IR_VERSION = 8  # of that opset; onnx would write its newest
SCRIPT = Path(__file__).with_name("portable_script.txt")
SCRIPT_NAME = "predict.py"


def export(model: Model, folder: Path) -> list[str]:
    """Write a model as files that need no Tonearm; returns their names.

    Parameters
    ----------
    model : Model
        Any model of Tonearm's.
    folder : Path
        It is created; an earlier export in it is replaced.

    Raises
    ------
    DatasetError
        When it cannot be written, has other files of these names, or the model was imported from a
        published network.
    """
    # The script computes spectrograms by librosa, whose Hann window is another than Essentia's.
    if isinstance(model.head, MultiLabelHead) or model.features.symmetric_window:
        raise DatasetError(
            f"{model.name} was imported from a published network: give other programs "
            "the ONNX file of that network"
        )
    files = {
        "encoder.onnx": model.encoder,
        "head.onnx": head_network(model.head).SerializeToString(deterministic=True),
        "settings.json": json.dumps(settings(model), indent=1).encode(),
        SCRIPT_NAME: SCRIPT.read_bytes(),
        "NOTICE.txt": model.notices.encode(),
    }
    if model.texture is not None and model.head.texture is not None:
        files["texture.onnx"] = model.texture.encoder
    _refuse_other(folder, list(files))
    with writing(folder, DatasetError):
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            write_atomically(folder / name, data)
    return list(files)


def _refuse_other(folder: Path, names: Sequence[str]) -> None:
    """Refuse to replace what is no export, or a script that somebody changed."""
    there = [name for name in names if (folder / name).exists()]
    if not there:
        return
    try:
        values = json.loads((folder / "settings.json").read_text("utf-8"))
        ours = {"embedding_names", "windows_per_track"} <= set(values)
        script = (folder / SCRIPT_NAME).read_bytes()
    except (OSError, ValueError, TypeError):
        ours, script = False, b""
    if not ours or script != SCRIPT.read_bytes():
        changed = SCRIPT_NAME if ours else there[0]
        raise would_lose(folder, f"a {changed} that this command did not make")


def settings(model: Model) -> dict[str, Any]:
    """What the script has to know: labels, front ends, how many windows.

    Parameters
    ----------
    model : Model
        Any model of Tonearm's.
    """
    second = model.texture if model.head.texture is not None else None
    return {
        "name": model.name,
        "sha256": model.sha256,
        "labels": list(model.labels),
        "embedding_names": list(model.embedding_names or ()),
        "windows_per_track": model.windows_per_track,
        "min_confidence": model.head.min_confidence,
        "features": _front_end(model.features),
        "texture": _front_end(second.features) if second else None,
        # The sounds that it learnt from are for `evaluate`; a script has no use for them.
        "training": {k: v for k, v in model.training.items() if k != "sounds"},
        "metrics": model.metrics,
    }


def _front_end(spec: FeatureSpec) -> dict[str, Any]:
    """A front end in the words of librosa."""
    return {
        "sr": spec.sample_rate_hz,
        "n_fft": spec.n_fft,
        "hop_length": spec.hop_samples,
        "n_mels": spec.mel_bands,
        "fmin": spec.mel_low_hz,
        "fmax": spec.mel_high_hz,
        "window_frames": spec.window_frames,
        "scale": spec.scale,
    }


class _Graph:
    """An ONNX graph that grows by one operation at a time; values are known by their names."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: Any) -> str:  # noqa: ANN401 - whatever NumPy takes
        array = np.asarray(value)
        # In 64 bits throughout, as NumPy computes, so that both give the same probabilities.
        if array.dtype != np.int64:
            array = array.astype(np.float64)
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def apply(self, operation: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, list(inputs), [name], **attributes))
        return name

    def mean(self, value: str, axis: int) -> str:
        return self.apply("ReduceMean", value, axes=[axis], keepdims=0)


def head_network(head: Head) -> onnx.ModelProto:
    """A head as a network.

    ``windows`` float32 [n, d], and where it has a second encoder ``texture`` float32 [m, t] and the
    track's ``duration_s`` float32 [1], to ``probabilities`` float64 [k] and ``unknown`` [1].

    Parameters
    ----------
    head : Head
        Any head.
    """
    graph = _Graph()
    windows = graph.apply("Cast", "windows", to=TensorProto.DOUBLE)
    z = _logits(graph, head, windows)
    first = _calibrated(graph, z, head.calibration)
    probabilities, texture = first, ""
    inputs = [_value("windows", TensorProto.FLOAT, ["n", head.dimensions])]
    if head.texture is not None:
        texture = graph.apply("Cast", "texture", to=TensorProto.DOUBLE)
        both = _with_texture(graph, head, windows, texture, z)
        second = _calibrated(graph, both, head.texture.calibration)
        # The texture counts where the first encoder alone is in doubt.
        highest = graph.apply("ReduceMax", first, axes=[0], keepdims=0)
        # Both branches are computed and one is chosen: the graph needs no conditional operator.
        doubt = graph.apply("Less", highest, graph.constant(head.texture.ask_below))
        probabilities = graph.apply("Where", doubt, second, first)
        inputs.append(_value("texture", TensorProto.FLOAT, ["m", head.texture.dimensions]))
        if head.texture.detector is not None:
            inputs.append(_value("duration_s", TensorProto.FLOAT, [1]))
    unknown = _unknown(graph, head, windows, probabilities, texture)
    graph.nodes += [
        helper.make_node("Identity", [probabilities], ["probabilities"]),
        helper.make_node("Reshape", [unknown, graph.constant(np.array([1]))], ["unknown"]),
    ]
    outputs = [
        _value("probabilities", TensorProto.DOUBLE, [len(head.labels)]),
        _value("unknown", TensorProto.DOUBLE, [1]),
    ]
    made = helper.make_graph(graph.nodes, "head", inputs, outputs, graph.constants)
    opsets = [helper.make_opsetid("", _OPSET)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=_IR_VERSION)
    # Shapes are inferred too, so a mistake shows here and not in somebody's runtime.
    onnx.checker.check_model(model, full_check=True)
    return model


def _value(name: str, kind: int, shape: Sequence[str | int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, list(shape))


def _linear(
    graph: _Graph, value: str, weight: NDArray[np.float64], bias: NDArray[np.float64]
) -> str:
    product = graph.apply("MatMul", value, graph.constant(weight))
    return graph.apply("Add", product, graph.constant(bias))


def _mean_vote(graph: _Graph, logits: str) -> str:
    votes = graph.mean(graph.apply("Softmax", logits, axis=-1), 0)
    return graph.apply("Log", graph.apply("Max", votes, graph.constant(LEAST_PROBABILITY)))


def _with_texture(graph: _Graph, head: Head, windows: str, texture: str, z: str) -> str:
    """Z [k] with the votes of texture windows [m, t], as `TextureHead.log_votes`."""
    part = head.texture
    assert part is not None
    if part.limits is not None:
        capped = graph.apply("Min", texture, graph.constant(part.limits))
        texture = graph.apply("Max", capped, graph.constant(-part.limits))
    votes = _mean_vote(graph, _linear(graph, texture, part.weight, part.bias))
    z = graph.apply("Add", z, _for_all(graph, votes, z, head, len(part.bias)))
    if part.joint is None:
        return z
    means = graph.mean(_spread(graph, head, windows), 0), graph.mean(texture, 0)
    row = graph.apply("Unsqueeze", graph.apply("Concat", *means, axis=0), graph.constant([0]))
    votes = _mean_vote(graph, _linear(graph, row, part.joint.weight, part.joint.bias))
    return graph.apply("Add", z, _for_all(graph, votes, z, head, len(part.joint.bias)))


def _for_all(graph: _Graph, votes: str, z: str, head: Head, voted: int) -> str:
    """Log votes for all genres of the head, where only the first have one."""
    k = len(head.labels)
    if voted == k:
        return votes
    among = graph.apply("Gather", z, graph.constant(np.arange(voted)))
    after = graph.apply("ReduceLogSumExp", graph.apply("Add", among, votes), axes=[0])
    even = graph.apply("Sub", after, graph.apply("ReduceLogSumExp", among, axes=[0]))
    return graph.apply("Concat", votes, *[even] * (k - voted), axis=0)


def _logits(graph: _Graph, head: Head, windows: str) -> str:
    """Z [k] of the first encoder's windows [n, d], as `Head._logits`."""
    wide = _spread(graph, head, windows)
    if head.kind == "votes":
        z = _mean_vote(graph, _linear(graph, wide, head.weight, head.bias))
    else:
        mean = graph.apply("Max", graph.mean(wide, 0), graph.constant(LEAST_PROBABILITY))
        z = _linear(graph, graph.apply("Log", mean), head.weight, head.bias)
    if head.prior is not None:
        z = graph.apply("Add", z, graph.constant(head.prior))
    means = graph.mean(windows, 0)
    for gate in head.gates:
        tags = graph.apply("Gather", means, graph.constant(np.array(gate.tags, dtype=np.int64)))
        together = graph.apply("ReduceSum", tags, keepdims=0)
        shut = graph.apply("Less", together, graph.constant(gate.least))
        own = np.array(head.labels) == gate.label
        added = graph.constant(np.where(own, CLOSED, 0.0))
        nothing = graph.constant(np.zeros(len(head.labels)))
        z = graph.apply("Add", z, graph.apply("Where", shut, added, nothing))
    return z


def _spread(graph: _Graph, head: Head, windows: str) -> str:
    if head.power == 1:  # embeddings that need not be probabilities are left as they are
        return windows
    clipped = graph.apply("Clip", windows, graph.constant(0.0), graph.constant(1.0))
    return graph.apply("Pow", clipped, graph.constant(head.power))


def _calibrated(graph: _Graph, z: str, mixture: Sequence[tuple[float, float]]) -> str:
    parts = []
    for weight, temperature in mixture:
        cooled = graph.apply("Div", z, graph.constant(temperature))
        odds = graph.apply("Softmax", cooled, axis=-1)
        parts.append(graph.apply("Mul", odds, graph.constant(weight)))
    return graph.apply("Sum", *parts)


def _unknown(graph: _Graph, head: Head, windows: str, probabilities: str, texture: str) -> str:
    """Probability that a track is none of the genres, as `Head.classify` finds it."""
    low, high = graph.constant(LEAST_ODDS), graph.constant(1 - LEAST_ODDS)
    p = graph.apply("Clip", windows, low, high)
    odds = graph.apply("Div", p, graph.apply("Sub", graph.constant(1.0), p))
    mean = graph.mean(graph.apply("Log", odds), 0)
    # The number of windows, which the limits depend on, is known only when the network runs.
    shape = graph.apply("Shape", windows, start=0, end=1)
    count = graph.apply("Cast", shape, to=TensorProto.DOUBLE)
    # Without a detector everything is far inside the limit.
    beyond = graph.constant(np.full(1, -1e30))
    if head.detector is not None:
        line = graph.apply("MatMul", mean, graph.constant(head.detector.weight))
        slope = graph.constant(head.detector.slope)
        margin = graph.apply("Div", slope, graph.apply("Sqrt", count))
        rest = graph.constant(head.detector.offset - head.detector.limit)
        beyond = graph.apply("Sub", graph.apply("Add", line, rest), margin)
    if head.texture is not None and head.texture.detector is not None:
        beyond = _second_line(graph, head.texture.detector, mean, texture, beyond)
    if head.known_region is not None:
        beyond = _within_region(graph, head, windows, probabilities, count, beyond)
    return graph.apply("Sigmoid", beyond)


def _second_line(
    graph: _Graph, detector: TextureDetector, odds: str, texture: str, beyond: str
) -> str:
    """The second line's word on suspects, as `TextureDetector` has it."""
    duration_s = graph.apply("Cast", "duration_s", to=TensorProto.DOUBLE)
    short = graph.apply("Less", duration_s, graph.constant(SHORT_S))
    both = graph.apply("Concat", odds, graph.mean(texture, 0), axis=0)
    line = graph.apply("MatMul", both, graph.constant(detector.weight))
    limits = graph.constant(detector.short_limit), graph.constant(detector.limit)
    limit = graph.apply("Where", short, *limits)
    offset = graph.apply("Add", line, graph.constant(detector.offset))
    # As `TextureDetector.suspects`, from the first line's excess.
    near = graph.apply("Greater", beyond, graph.constant(-detector.margin))
    inside = graph.apply("Less", beyond, graph.constant(FAR_OUTSIDE))
    suspect = graph.apply("And", inside, graph.apply("Or", near, short))
    return graph.apply("Where", suspect, graph.apply("Sub", offset, limit), beyond)


def _within_region(
    graph: _Graph, head: Head, windows: str, probabilities: str, count: str, beyond: str
) -> str:
    """The same, but no farther than an added genre's own region allows."""
    region = head.known_region
    assert region is not None
    mean = graph.mean(_spread(graph, head, windows), 0)
    white = graph.apply("MatMul", mean, graph.constant(region.whiten))
    away = graph.apply("Sub", white, graph.constant(region.centres))  # (a, d)
    axis = graph.constant(np.array([1]))
    squared = graph.apply("ReduceSum", graph.apply("Mul", away, away), axis, keepdims=0)
    slopes = graph.apply("Div", graph.constant(region.slopes), count)
    limits = graph.apply("Add", graph.constant(region.limits), slopes)
    near = graph.apply("Div", graph.apply("Sub", squared, limits), graph.constant(2.0))
    nearest = graph.apply("ArgMax", probabilities, axis=0, keepdims=0)
    for place, label in enumerate(region.labels):
        own = graph.apply(
            "Equal", nearest, graph.constant(np.array(head.labels.index(label), dtype=np.int64))
        )
        its = graph.apply("Gather", near, graph.constant(np.array([place])))
        beyond = graph.apply("Where", own, graph.apply("Min", beyond, its), beyond)
    return beyond
