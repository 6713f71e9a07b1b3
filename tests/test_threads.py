"""How many threads a network is trained with."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from tonearm.nets import cnn, lstm  # noqa: E402
from tonearm.training import threads  # noqa: E402


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_a_small_network_gets_one_thread_while_it_is_trained() -> None:
    net = lstm.Net(lstm.Config(), bands=128, frames=130, labels=10)
    with pytest.raises(KeyboardInterrupt), threads.suited_to(net):
        assert torch.get_num_threads() == 1
        raise KeyboardInterrupt
    assert torch.get_num_threads() == 2, "as before, also after an interruption"


@pytest.mark.parametrize(
    "net",
    [
        cnn.Net(cnn.Config(width=8), bands=128, frames=129, labels=10),
        torch.nn.LSTM(256, 512),
    ],
    ids=["convolutions", "many weights"],
)
def test_a_large_network_keeps_its_threads(net: torch.nn.Module) -> None:
    with threads.suited_to(net):
        assert torch.get_num_threads() == 2
