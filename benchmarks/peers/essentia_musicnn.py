"""essentia's decoder and front end, and musicnn's architecture in onnxruntime: a good choice today.

Without TensorFlow, which is how the authors' weights come; so they are random, at the same cost.
The network is musicnn 0.1.0's as its paper has it (Pons & Serra 2019), 561 filters, over windows of
3 s end to end, in batches of ten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from common import STATE, Predict, main, one_thread

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

N_FFT, HOP, BANDS, FRAMES, TAGS = 512, 256, 96, 187, 50
DECODED = {"sampleRate": 16_000, "resampleQuality": 4}
# Frames and bands of the filters, and how many there are.
BANKS = ((7, 38, 204), (7, 67, 204), (128, 1, 51), (64, 1, 51), (32, 1, 51))
MIDDLE, HIDDEN, BATCH = 64, 200, 10
NETWORK = STATE / "musicnn.onnx"


class Graph:
    """Nodes in a row, with random weights."""

    def __init__(self) -> None:
        import numpy as np

        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []
        self.random = np.random.default_rng(0)

    def weight(self, *shape: int) -> str:
        """A new weight of that shape; its name."""
        from onnx import numpy_helper

        values = self.random.uniform(0.01, 0.02, shape).astype("float32")
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401 - ONNX's
        """A new node; the name of its output."""
        from onnx import helper

        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def norm(self, x: str, channels: int) -> str:
        """Batch norm."""
        return self.add("BatchNormalization", x, *(self.weight(channels) for _ in range(4)))

    def layer(self, x: str, inputs: int, outputs: int, kernel: list[int], pads: list[int]) -> str:
        """Convolution, ReLU, batch norm."""
        weights = self.weight(outputs, inputs, *kernel), self.weight(outputs)
        return self.norm(self.add("Relu", self.add("Conv", x, *weights, pads=pads)), outputs)

    def dense(self, x: str, inputs: int, outputs: int) -> str:
        """A fully connected layer."""
        return self.add("Gemm", x, self.weight(inputs, outputs), self.weight(outputs))


def setup() -> None:
    """Write the network."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = Graph()
    graph.weights.append(numpy_helper.from_array(np.array([1]), "one"))
    x = graph.norm(graph.add("Unsqueeze", "levels", "one"), 1)  # (batch, 1, frames, bands)
    fronts = []
    for frames, bands, filters in BANKS:
        pads = [(frames - 1) // 2, 0, frames // 2, 0]
        bank = graph.layer(x, 1, filters, [frames, bands], pads)
        fronts.append(graph.add("ReduceMax", bank, axes=[3], keepdims=0))
    front, width = graph.add("Concat", *fronts, axis=1), sum(filters for *_, filters in BANKS)
    first = graph.layer(front, width, MIDDLE, [7], [3, 3])
    second = graph.add("Add", graph.layer(first, MIDDLE, MIDDLE, [7], [3, 3]), first)
    third = graph.add("Add", graph.layer(second, MIDDLE, MIDDLE, [7], [3, 3]), second)
    every, width = graph.add("Concat", front, first, second, third, axis=1), width + 3 * MIDDLE
    pooled = [graph.add(kind, every, axes=[2], keepdims=0) for kind in ("ReduceMax", "ReduceMean")]
    x = graph.norm(graph.add("Concat", *pooled, axis=1), 2 * width)
    x = graph.norm(graph.add("Relu", graph.dense(x, 2 * width, HIDDEN)), HIDDEN)
    tags = graph.add("Sigmoid", graph.dense(x, HIDDEN, TAGS))
    levels = helper.make_tensor_value_info("levels", TensorProto.FLOAT, ["n", FRAMES, BANDS])
    output = helper.make_tensor_value_info(tags, TensorProto.FLOAT, ["n", TAGS])
    made = helper.make_graph(graph.nodes, "musicnn", [levels], [output], graph.weights)
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(made, opset_imports=[opset], ir_version=8), NETWORK)


def load() -> Predict:
    """Decode, transform and tag a whole file."""
    import numpy as np
    import onnxruntime as ort
    from essentia import standard

    options = ort.SessionOptions()
    if one_thread():
        options.intra_op_num_threads = 1
    session = ort.InferenceSession(NETWORK, options, providers=["CPUExecutionProvider"])
    front_end = standard.TensorflowInputMusiCNN()

    def predict(path: str) -> list[int]:
        samples = standard.MonoLoader(filename=path, **DECODED)()
        frames = standard.FrameGenerator(samples, frameSize=N_FFT, hopSize=HOP)
        levels = np.array([front_end(frame) for frame in frames])
        whole = len(levels) // FRAMES
        windows = levels[: whole * FRAMES].reshape(whole, FRAMES, BANDS)
        found = [
            session.run(None, {"levels": windows[i : i + BATCH]})[0] for i in range(0, whole, BATCH)
        ]
        best = np.concatenate(found).mean(0).argsort()[::-1]
        return [int(i) for i in best[:3]]

    return predict


if __name__ == "__main__":
    main(setup=setup, load=load)
