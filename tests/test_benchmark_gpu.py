"""The benchmark of accelerators, on the processor and small: its logic, not its times."""

from __future__ import annotations

import sys

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

from benchmarks import gpu  # noqa: E402

SMALL = gpu.Sizes(tracks=40, batch=4, seconds=0.01, archs=("gabor",))


def test_it_says_plainly_that_there_is_no_accelerator(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu, "found_device", lambda: "cpu")
    real = gpu.measure
    monkeypatch.setattr(gpu, "measure", lambda device, _: real(device, SMALL))
    monkeypatch.setattr(sys, "argv", ["gpu"])
    with pytest.raises(SystemExit) as ended:
        gpu.main()
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert "PyTorch sees no accelerator here" in out and out.endswith("parity\tholds\n")
    of_gabor = out.splitlines()[2]
    assert of_gabor.startswith("gabor\tlogit_difference 0\twindows_10000_s ")
    assert "epoch_s" in of_gabor and "built-in encoder\twindows_10000_one_core_s " in out


def test_a_device_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu, "found_device", lambda: "cpu")
    monkeypatch.setattr(sys, "argv", ["gpu", "--device", "cuda"])
    with pytest.raises(SystemExit):
        gpu.main()
    assert "PyTorch sees no cuda here, but cpu" in capsys.readouterr().err


def test_what_differs_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device whose epochs end elsewhere, and one that gives no number."""
    monkeypatch.setattr(gpu, "made_up", lambda root, _: root)
    monkeypatch.setattr(gpu, "name_of", str)
    monkeypatch.setattr(gpu, "measure_encoder", lambda *_: dict(encoder))
    encoder: dict[str, float] = {}
    losses = {"fake": 1.0, "cpu": 1.5}
    monkeypatch.setattr(gpu, "measure_epochs", lambda _, device, *__: (2.0, losses[device], ""))
    wrong = {"logit_difference": float("nan"), "windows_10000_s": 1.0}
    monkeypatch.setattr(gpu, "measure_network", lambda *_: dict(wrong))
    found = gpu.measure("fake", SMALL)
    assert found["faults"] == [
        "gabor: logit_difference nan is above 0.001",
        "gabor: loss_difference 0.5 is above 0.05",
    ]
    assert found["networks"]["gabor"]["epoch_cpu_s"] == 2.0
    losses["fake"] = 1.5
    wrong["logit_difference"] = 1e-6
    assert not gpu.measure("fake", SMALL)["faults"]
    monkeypatch.setattr(gpu, "measure_epochs", lambda *_: (2.0, 1.0, "the export differs"))
    assert gpu.measure("fake", SMALL)["faults"] == ["gabor: the export differs"]
    monkeypatch.setattr(gpu, "measure_epochs", lambda *_: (2.0, 1.0, ""))
    encoder |= {"output_difference": 0.02, "outputs_up_to": 10.0}
    assert gpu.measure("fake", SMALL)["faults"] == [
        "built-in encoder: outputs differ by 0.02",
        "second encoder: outputs differ by 0.02",
    ]
    encoder["outputs_up_to"] = 30.0
    assert not gpu.measure("fake", SMALL)["faults"]


def test_a_measurement_ends_after_its_time_and_counts_windows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    runs: list[float] = []

    def run() -> None:
        runs.append(now[0])
        now[0] += 2.0

    monkeypatch.setattr(gpu.time, "perf_counter", lambda: now[0])
    each = gpu.per_window(run, batch=8, seconds=5.0, wait=lambda: None)
    assert len(runs) == 1 + 3, "one warms up"
    assert each == pytest.approx(6.0 / 24)
