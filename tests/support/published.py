"""Networks of the shapes that others publish, with random weights: onnx's own helpers make them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

STYLES = (
    ["Blues---" + name for name in ("Boogie Woogie", "Delta Blues")]
    + ["Hip Hop---" + name for name in ("Boom Bap", "Trap")]
    + ["Folk, World, & Country---" + name for name in ("Bluegrass", "Fado")]
    + ["Jazz---" + name for name in ("Bop", "Swing", "Free Jazz")]
)


def discogs_classes(count: int = 400) -> list[str]:
    """So many ``Genre---Style``, as Discogs has them."""
    return [*STYLES, *(f"Rock---Style {i}" for i in range(count - len(STYLES)))]


def onnx_of(nodes, constants, *, given, outputs, domain: str = "") -> bytes:
    """An ONNX network of nodes (kind, inputs, output, attributes)."""
    from onnx import TensorProto, helper, numpy_helper

    made = [
        helper.make_node(kind, inputs, [output], domain=domain if kind == "Foreign" else "", **more)
        for kind, inputs, output, more in nodes
    ]
    graph = helper.make_graph(
        made,
        "published",
        [helper.make_tensor_value_info(given[0], TensorProto.FLOAT, given[1])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs],
        [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()],
    )
    opsets = [helper.make_opsetid("", 13)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def effnet(classes: int = 400, size: int = 1280, *, gain: float = 3.0) -> bytes:
    """discogs-effnet's shape: 128 frames of 96 bands to activations and embeddings.

    Low tones are the first two classes, high ones the last.
    """
    rng = np.random.default_rng(7)
    first = rng.normal(0, 0.3, (96, size)).astype(np.float32)
    last = rng.normal(0, 0.02, (size, classes)).astype(np.float32)
    # What a class wants of the bands, by way of the pseudo-inverse of the first layer.
    wanted = np.zeros((96, classes), dtype=np.float32)
    wanted[:32, :2] = gain
    wanted[64:, -1] = gain
    last += np.linalg.pinv(first) @ wanted
    bias = np.full(classes, -6, dtype=np.float32)
    nodes = [
        ("ReduceMean", ["melspectrogram"], "mean", {"axes": [1], "keepdims": 0}),
        ("MatMul", ["mean", "first"], "embeddings", {}),
        ("MatMul", ["embeddings", "last"], "scores", {}),
        ("Add", ["scores", "bias"], "logits", {}),
        ("Sigmoid", ["logits"], "activations", {}),
    ]
    return onnx_of(
        nodes,
        {"first": first, "last": last, "bias": bias},
        given=("melspectrogram", ["n", 128, 96]),
        outputs=[("activations", ["n", classes]), ("embeddings", ["n", size])],
    )


def effnet_metadata(classes: list[str] | None = None, **changes: object) -> dict:
    """As published next to discogs-effnet-bsdynamic-1.onnx, shortened."""
    names = discogs_classes() if classes is None else classes
    return {
        "name": "made-up effnet",
        "type": "Music style classification and embeddings",
        "link": "https://example.org/effnet.onnx",
        "version": "1",
        "author": "Nobody",
        "license": "CC BY-NC-SA 4.0",
        "classes": names,
        "schema": {
            "inputs": [{"name": "serving_default_melspectrogram", "shape": ["batch", 128, 96]}],
            "outputs": [
                {
                    "name": "PartitionedCall:0",
                    "shape": ["batch", len(names)],
                    "output_purpose": "predictions",
                },
                {
                    "name": "PartitionedCall:1",
                    "shape": ["batch", 1280],
                    "output_purpose": "embeddings",
                },
            ],
        },
        "inference": {"sample_rate": 16_000, "algorithm": "TensorflowPredictEffnetDiscogs"},
        **changes,
    }


def genre_head(classes: int = 87, size: int = 1280) -> bytes:
    """mtg_jamendo_genre's shape: embeddings, a hidden layer, activations."""
    rng = np.random.default_rng(8)
    nodes = [
        ("Gemm", ["model/Placeholder", "w0", "b0"], "hidden", {"transB": 1}),
        ("BatchNormalization", ["hidden", "f", "s", "m", "v"], "normal", {}),
        ("Relu", ["normal"], "positive", {}),
        ("MatMul", ["positive", "w1"], "scores", {}),
        ("Add", ["b1", "scores"], "logits", {}),
        ("Sigmoid", ["logits"], "activations", {}),
    ]
    shapes = {"w0": (64, size), "b0": (64,), "w1": (64, classes), "b1": (classes,)}
    constants = {name: rng.normal(0, 0.1, shape) for name, shape in shapes.items()}
    constants |= {"f": rng.uniform(0.5, 2, 64), "s": rng.normal(0, 1, 64)}
    constants |= {"m": rng.normal(0, 1, 64), "v": rng.uniform(0.5, 2, 64)}
    return onnx_of(
        nodes,
        {name: values.astype(np.float32) for name, values in constants.items()},
        given=("model/Placeholder", ["n", size]),
        outputs=[("activations", ["n", classes])],
    )


def genre_head_metadata(classes: int = 87) -> dict:
    """As published next to it, shortened."""
    return {
        "name": "made-up genre head",
        "license": "CC BY-NC-SA 4.0",
        "classes": ["jazz", "blues", *(f"genre {i}" for i in range(classes - 2))],
        "schema": {
            "inputs": [{"name": "model/Placeholder", "shape": [1280]}],
            "outputs": [
                {"name": "model/Sigmoid", "shape": [classes], "output_purpose": "predictions"}
            ],
        },
        "inference": {"sample_rate": 16_000, "algorithm": "TensorflowPredict2D"},
    }


def write(folder: Path, name: str, data: bytes, metadata: dict) -> Path:
    """A network and, next to it, its metadata."""
    path = folder / f"{name}.onnx"
    path.write_bytes(data)
    path.with_suffix(".json").write_text(json.dumps(metadata), encoding="utf-8")
    return path
