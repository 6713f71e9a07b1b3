import numpy as np
import pytest

from tonearm import nets
from tonearm.errors import DatasetError
from tonearm.nets import discriminant

torch = pytest.importorskip("torch")

from tonearm.training.export import check_parity, to_onnx  # noqa: E402

NETS = [name for name in nets.ARCHITECTURES if name != "head"]


def _net(name, *, frames=38, labels=10):
    torch.manual_seed(0)
    model = nets.get(name)
    net = model.build(model.config, bands=128, frames=frames, labels=labels)
    return model, net.eval()


def _levels(batch, frames, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return -80 * torch.rand(batch, frames, 128, generator=generator)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("labels", [2, 10])
def test_logits_of_each_window(name, labels):
    _, net = _net(name, frames=128, labels=labels)
    levels = _levels(3, 128)
    logits = net(levels)
    assert logits.shape == (3, labels)
    torch.testing.assert_close(net(levels[1:2]), logits[1:2], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", NETS)
def test_scale_of_the_level_does_not_matter(name):
    """Arrays prepared elsewhere have lost it."""
    _, net = _net(name, frames=128)
    levels = _levels(2, 128)
    torch.testing.assert_close(net(0.5 * levels + 30), net(levels), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", NETS)
def test_silence_gives_numbers(name):
    _, net = _net(name, frames=128)
    assert torch.isfinite(net(torch.full((1, 128, 128), -80.0))).all()


@pytest.mark.parametrize("name", NETS)
def test_exported_net_says_the_same(name):
    _, net = _net(name, frames=128)
    encoder = torch.nn.Sequential(net, torch.nn.Softmax(1)).eval()
    example = _levels(3, 128)
    assert check_parity(encoder, to_onnx(encoder, example), example, tolerance=1e-4) <= 1e-4


def _two_sounds(clips=6):
    """Levels [clips, frames, bands] of two genres that nothing within a genre blurs."""
    noise = _levels(clips, 128)
    slope = torch.linspace(-20, 20, 128)
    signs = torch.tensor([1.0, -1.0]).repeat(clips // 2)[:, None, None]
    return 0.05 * noise + signs * slope, torch.tensor([0, 1]).repeat(clips // 2)


def test_gabor_of_a_few_clips_exports_the_same_logits():
    """Six clips leave next to no scatter within a genre: unbounded logits of thousands hid it."""
    levels, classes = _two_sounds()
    _, net = _net("gabor", frames=128, labels=2)
    net.fit(net.describe(levels), classes)
    logits = net(levels).detach()
    margin = (logits[:, 0] - logits[:, 1]).abs()
    assert margin.mean() == pytest.approx(8, rel=1e-3)
    assert torch.equal(logits.argmax(1), classes)
    check_parity(net, to_onnx(net, levels), levels, tolerance=1e-3)


def test_gabor_of_many_clips_keeps_its_own_sharpness():
    """Where genres overlap, as in real music, the limit must not act."""
    levels = _levels(40, 128)
    _, net = _net("gabor", frames=128, labels=2)
    features, classes = net.describe(levels)[:, :8], torch.tensor([0, 1]).repeat(20)
    net.output = torch.nn.Linear(8, 2)
    net.fit(features, classes)
    first, second = net.output(features).detach().topk(2, dim=1).values.unbind(1)
    assert float((first - second).mean()) < 1


def test_lstm_is_the_original_network():
    """Keras counts 19,968 + 33,024 + 4,160 + 650 for LSTM 64, LSTM 64, dense 64, dense 10."""
    _, net = _net("lstm")
    learnt = sum(p.numel() for p in net.parameters() if p.requires_grad)
    assert learnt == 19_968 + 33_024 + 4_160 + 650


def test_lstm_forgets_as_keras_lets_it():
    _, net = _net("lstm")
    bias = net.first.bias_ih_l0.detach()
    assert bias[64:128].eq(1).all() and bias[:64].eq(0).all() and bias[128:].eq(0).all()
    assert net.first.bias_hh_l0.eq(0).all()
    recurrent = net.first.weight_hh_l0.detach()
    torch.testing.assert_close(recurrent.T @ recurrent, torch.eye(64), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", [name for name in NETS if nets.get(name).augment])
def test_augmentation_is_that_of_its_generator(name):
    model, _ = _net(name)
    levels = _levels(4, 147)

    def draw(seed):
        return model.augment(levels, 128, torch.Generator().manual_seed(seed))

    assert draw(1).shape == (4, 128, 128)
    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


def test_unknown_model_lists_those_there_are():
    with pytest.raises(DatasetError, match="lstm, gabor, cnn"):
        nets.get("transformer")


def test_one_discriminant_serves_networks_and_heads():
    """A covariance and its rule by hand: two centres on the axes, variances 3 and 1."""
    covariance = discriminant.shrunk(np.diag([3.0, 1.0]), 0.5)
    np.testing.assert_allclose(covariance, np.diag([2.5, 1.5]))
    weight, bias = discriminant.directions(np.array([[5.0, 0.0], [0.0, 3.0]]), covariance)
    np.testing.assert_allclose(weight, [[2, 0], [0, 2]])
    np.testing.assert_allclose(bias, [-5, -3])
