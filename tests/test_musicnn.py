"""The backbone: against plain loops, fused against itself, and torch against ONNX."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from torch import nn  # noqa: E402

from tonearm.errors import ModelError  # noqa: E402
from tonearm.nets.musicnn import (  # noqa: E402
    MSD_TAGS,
    FilterBank,
    Musicnn,
    MusicnnConfig,
    load_checkpoint,
    pad_frames,
    pool_frames,
)
from tonearm.training.export import check_parity, fuse, to_onnx  # noqa: E402

SMALL = MusicnnConfig(
    timbral_kernels=((3, 4), (3, 5)),
    timbral_filters=4,
    temporal_kernels=((4, 1), (2, 1)),
    temporal_filters=3,
    middle_filters=2,
    hidden=5,
    tags=3,
)
FRAMES, BANDS = 11, 6


def random_net(config: MusicnnConfig, *, seed: int) -> Musicnn:
    """A net whose norms are far from identity, half of their scales negative."""
    torch.manual_seed(seed)
    net = Musicnn(config).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return net


def small_features(batch: int = 3) -> Any:
    return 8 * torch.rand(batch, FRAMES, BANDS, generator=torch.Generator().manual_seed(5))


def tensorflow_names(net: Musicnn) -> dict[str, np.ndarray]:
    """The net's numbers as its checkpoint holds them; written out, not by the loader's loop."""
    tensors = {}
    convs = [b.conv for b in net.banks] + [m.conv for m in net.middle]
    for name, conv in zip(["", "_1", "_2", "_3", "_4", "_5", "_6", "_7"], convs, strict=True):
        weight = conv.weight.detach().numpy()
        axes = (2, 3, 1, 0) if weight.ndim == 4 else (2, 1, 0)
        kernel = weight.transpose(axes)
        if weight.ndim == 3:
            kernel = kernel[:, :, None, :]
        tensors[f"conv2d{name}/kernel"] = kernel
        tensors[f"conv2d{name}/bias"] = conv.bias.detach().numpy()
    norms = [net.input_norm, *(b.norm for b in net.banks), *(m.norm for m in net.middle)]
    for number, norm in enumerate([*norms, net.pool_norm, net.hidden_norm]):
        scope = f"batch_normalization_{number}" if number else "batch_normalization"
        tensors[f"{scope}/gamma"] = norm.weight.detach().numpy()
        tensors[f"{scope}/beta"] = norm.bias.detach().numpy()
        tensors[f"{scope}/moving_mean"] = norm.running_mean.numpy()
        tensors[f"{scope}/moving_variance"] = norm.running_var.numpy()
    for scope, dense in (("dense", net.hidden), ("dense_1", net.output)):
        tensors[f"{scope}/kernel"] = dense.weight.detach().numpy().T
        tensors[f"{scope}/bias"] = dense.bias.detach().numpy()
    return tensors


class Naive:
    """The net's definition as loops over float64, one window at a time."""

    def __init__(self, net: Musicnn) -> None:
        self.net = net

    def norm(self, module: Any, x: np.ndarray) -> np.ndarray:
        """Over the first axis."""
        gamma, beta, mean, var = (
            t.detach().numpy().astype(np.float64).reshape(-1, *[1] * (x.ndim - 1))
            for t in (module.weight, module.bias, module.running_mean, module.running_var)
        )
        return gamma * (x - mean) / np.sqrt(var + 1e-3) + beta

    def conv(self, module: Any, x: np.ndarray) -> np.ndarray:
        """x [channels, frames, bands] -> [filters, frames, positions]."""
        weight = module.weight.detach().numpy().astype(np.float64)
        if weight.ndim == 3:
            weight = weight[..., None]
        filters, _, length, height = weight.shape
        _, frames, bands = x.shape
        y = np.zeros((filters, frames, bands - height + 1))
        y += module.bias.detach().numpy()[:, None, None]
        for t in range(frames):
            for tap in range(length):
                source = t + tap - (length - 1) // 2
                if 0 <= source < frames:
                    for position in range(y.shape[2]):
                        patch = x[:, source, position : position + height]
                        y[:, t, position] += np.einsum("fcb,cb->f", weight[:, :, tap], patch)
        return y

    def __call__(self, features: np.ndarray) -> np.ndarray:
        net = self.net
        x = self.norm(net.input_norm, features[None].astype(np.float64))
        front = [
            self.norm(bank.norm, np.maximum(self.conv(bank.conv, x), 0)).max(2)
            for bank in net.banks
        ]
        layers = [np.concatenate(front)]
        for number, middle in enumerate(net.middle):
            y = np.maximum(self.conv(middle.conv, layers[-1][:, :, None])[:, :, 0], 0)
            y = self.norm(middle.norm, y)
            layers.append(y + layers[-1] if number else y)
        pooled = [f(channel) for channel in np.concatenate(layers) for f in (np.max, np.mean)]
        x = self.norm(net.pool_norm, np.array(pooled))
        x = np.maximum(net.hidden.weight.detach().numpy() @ x + net.hidden.bias.detach().numpy(), 0)
        x = self.norm(net.hidden_norm, x)
        x = net.output.weight.detach().numpy() @ x + net.output.bias.detach().numpy()
        return 1 / (1 + np.exp(-x))


def test_tags_are_fifty_in_net_order() -> None:
    assert len(set(MSD_TAGS)) == len(MSD_TAGS) == MusicnnConfig().tags == 50
    assert (MSD_TAGS[0], MSD_TAGS[9], MSD_TAGS[33], MSD_TAGS[49]) == (
        "rock",
        "jazz",
        "Hip-Hop",
        "happy",
    )


def test_shapes_and_size() -> None:
    net = Musicnn(MusicnnConfig()).eval()
    assert net(torch.rand(2, 187, 96)).shape == (2, 50)
    assert net.banks[0].conv.weight.shape == (204, 1, 7, 38)
    assert net.hidden.in_features == 2 * (2 * 204 + 3 * 51 + 3 * 64)
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(0.787e6, rel=0.01)


@pytest.mark.parametrize(("kernel", "before", "after"), [(7, 3, 3), (4, 1, 2), (128, 63, 64)])
def test_even_kernels_pad_one_more_at_the_end(kernel: int, before: int, after: int) -> None:
    padded = pad_frames(torch.ones(1, 1, 2, 3), kernel)
    frames = [0.0] * before + [1.0, 1.0] + [0.0] * after
    assert padded.shape[3] == 3
    assert padded[0, 0, :, 0].tolist() == frames


def test_pooling_interleaves() -> None:
    x = torch.tensor([[[1.0, 3.0], [-4.0, -6.0], [5.0, 5.0]]])
    assert pool_frames(x).tolist() == [[3.0, 2.0, -4.0, -5.0, 5.0, 5.0]]


def test_relu_comes_before_the_norm() -> None:
    bank = FilterBank((1, 1), filters=1).eval()
    for parameter, value in ((bank.conv.weight, 1), (bank.conv.bias, 0), (bank.norm.bias, -2)):
        nn.init.constant_(parameter, value)
    # relu(-1, 3) = (0, 3); the norm then takes 2: the maximum is 1, and -2 where all are negative.
    x = torch.tensor([[[[-1.0, 3.0], [-1.0, -5.0]]]])
    torch.testing.assert_close(bank(x), torch.tensor([[[1.0, -2.0]]]), atol=2e-3, rtol=0)


@pytest.mark.parametrize("seed", [0, 1])
def test_agrees_with_loops(seed: int) -> None:
    net, features = random_net(SMALL, seed=seed), small_features()
    given = net(features).detach().numpy()
    wanted = np.stack([Naive(net)(x) for x in features.numpy()])
    assert wanted.std(axis=0).max() > 5e-4  # the input matters
    np.testing.assert_allclose(given, wanted, atol=2e-6)


@pytest.mark.parametrize("seed", range(5))
def test_fused_is_the_same_function(seed: int) -> None:
    net = random_net(SMALL, seed=seed)
    features = torch.cat(
        [small_features(16), torch.zeros(1, FRAMES, BANDS), torch.full((1, FRAMES, BANDS), 8.0)]
    )
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with torch.no_grad():
        wanted, given = net(features), fuse(net)(features)
    assert wanted.std(dim=0).max() > 5e-4
    torch.testing.assert_close(given, wanted, atol=2e-6, rtol=0)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


def test_fused_leaves_out_only_filters_that_cannot_move() -> None:
    net = random_net(SMALL, seed=3)
    nn.init.ones_(net.input_norm.weight)
    nn.init.zeros_(net.input_norm.bias)
    nn.init.zeros_(net.input_norm.running_mean)
    nn.init.ones_(net.input_norm.running_var)
    bank = net.banks[0]
    with torch.no_grad():
        nn.init.ones_(bank.norm.weight)
        bank.conv.weight[0], bank.conv.bias[0] = 0, -1  # never fires
        bank.conv.weight[1], bank.conv.bias[1] = -1, -0.1  # fires on negative features alone
        bank.conv.weight[2], bank.conv.bias[2] = 0.01, -0.9  # only near full scale: .96 - .9
        bank.norm.weight[3] = 0  # fires, and nothing comes of it
    assert fuse(net).banks[0].conv.out_channels == 1
    with torch.no_grad():
        for level in (0.0, 4.0, 7.9, 8.0):
            features = torch.full((1, FRAMES, BANDS), level)
            torch.testing.assert_close(fuse(net)(features), net(features), atol=1e-5, rtol=0)


def test_fused_full_size() -> None:
    net = random_net(MusicnnConfig(), seed=0)
    features = 8 * torch.rand(2, 187, 96)
    with torch.no_grad():
        torch.testing.assert_close(fuse(net)(features), net(features), atol=1e-5, rtol=0)


def test_load_checkpoint() -> None:
    net = random_net(MusicnnConfig(), seed=1)
    tensors = tensorflow_names(net) | {"dense/bias/Adam": np.zeros(200, np.float32)}
    # By hand: the wide filters come second, TensorFlow's axes are (frames, bands, in, out).
    assert tensors["conv2d_1/kernel"].shape == (7, 67, 1, 204)
    assert tensors["conv2d_5/kernel"].shape == (7, 561, 1, 64)
    assert tensors["dense/kernel"].shape == (1506, 200)
    loaded = load_checkpoint(tensors)
    assert not loaded.training
    for name, value in net.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name


def test_load_checkpoint_names_what_is_wrong() -> None:
    tensors = tensorflow_names(Musicnn(MusicnnConfig()))
    foreign = {**tensors, "dense_1/bias": np.zeros(51, np.float32)}
    with pytest.raises(ModelError, match=r"dense_1/bias is \(51,\), musicnn's is \(50,\)"):
        load_checkpoint(foreign)
    del tensors["conv2d_3/kernel"]
    with pytest.raises(ModelError, match="no tensor conv2d_3/kernel"):
        load_checkpoint(tensors)


def test_onnx_says_the_same_for_any_batch() -> None:
    net, features = random_net(SMALL, seed=2), small_features(7)
    model = to_onnx(fuse(net), features[:2])
    assert check_parity(net, model, features, tolerance=1e-5) <= 1e-5
    assert to_onnx(fuse(net), features[:2]) == model, "the export is not deterministic"


def test_parity_check_finds_a_difference() -> None:
    net, features = random_net(SMALL, seed=2), small_features()
    model = to_onnx(net, features)
    with torch.no_grad():
        net.output.bias += 1e-3
    with pytest.raises(ModelError, match="differs from the net by"):
        check_parity(net, model, features, tolerance=1e-5)
    with pytest.raises(ModelError, match="differs from the net by nan"):
        check_parity(net, model, features * float("nan"), tolerance=1e-5)


def test_onnx_names_and_path_free_bytes() -> None:
    import onnx

    data = to_onnx(random_net(SMALL, seed=0), small_features())
    graph = onnx.load_from_string(data).graph
    assert [value.name for value in graph.input] == ["features"]
    assert [value.name for value in graph.output] == ["windows"]
    assert b"site-packages" not in data and b".py" not in data
