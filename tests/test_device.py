"""``--device``: which provider runs the networks, in workers too, and what is said without one."""

from __future__ import annotations

import os

import onnxruntime
import pytest
from support.fakes import tiny_model
from typer.testing import CliRunner

from tonearm.cli.app import app
from tonearm.errors import ModelError
from tonearm.model import network

COMMANDS = ("predict", "explain", "scan", "serve", "train", "extend", "evaluate", "audit")


class Session:
    """A session that says it runs where it was asked to, or where it can."""

    made: list[list[tuple[str, dict[str, str]]]]
    can: tuple[str, ...] = ("CUDAExecutionProvider", "CPUExecutionProvider")

    def __init__(self, _model, _options, *, providers):
        self.made.append(providers)
        self._providers = [name for name, _ in providers]

    def get_providers(self):
        return [each for each in self._providers if each in self.can] or ["CPUExecutionProvider"]


@pytest.fixture
def with_cuda(monkeypatch):
    """An onnxruntime that has CUDA; and no device chosen outside."""
    monkeypatch.delenv(network.DEVICE_VARIABLE, raising=False)
    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    fake = type("Fake", (Session,), {"made": []})
    monkeypatch.setattr(onnxruntime, "InferenceSession", fake)
    return fake


def test_the_processor_unless_somebody_chooses(with_cuda, monkeypatch):
    network.onnx_session(b"")
    # Set here first, so that the test leaves no trace of what `use_device` sets.
    monkeypatch.setenv(network.DEVICE_VARIABLE, "auto")
    network.use_device("cuda")
    assert os.environ[network.DEVICE_VARIABLE] == "cuda", "workers are told by the environment"
    network.onnx_session(b"")
    network.onnx_session(b"", device="cpu")
    network.use_device("cpu")
    network.onnx_session(b"")
    cpu = [("CPUExecutionProvider", {})]
    options = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
    cuda = [("CUDAExecutionProvider", options)]
    assert with_cuda.made == [cpu, cuda, cpu, cpu]


def test_cuda_is_looked_for_in_python_packages_and_what_it_misses_is_not_data(
    with_cuda, monkeypatch, capsys
):
    found = []
    monkeypatch.setattr(
        onnxruntime,
        "preload_dlls",
        lambda: (print("Failed to load libcufft.so"), found.append(len(with_cuda.made))),
        raising=False,
    )
    network.onnx_session(b"", device="cpu")
    assert not found
    network.onnx_session(b"", device="cuda")
    assert found == [1], "before the session that needs them"
    assert capsys.readouterr().out == ""


def test_a_driver_that_is_missing_is_not_passed_over(with_cuda):
    with_cuda.can = ("CPUExecutionProvider",)
    with pytest.raises(ModelError, match="cannot use it here: its driver is missing, or its lib"):
        network.onnx_session(b"", device="cuda")


def test_a_device_that_onnxruntime_does_not_have(monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    monkeypatch.delenv(network.DEVICE_VARIABLE, raising=False)
    with pytest.raises(ModelError, match=r"cannot use cuda: it has CPUExecution.*onnxruntime-gpu"):
        network.use_device("cuda")
    assert network.DEVICE_VARIABLE not in os.environ
    with pytest.raises(ModelError, match="'tpu' is not one of auto, cpu, cuda, mps"):
        network.use_device("tpu")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_runs_networks_takes_it(command, monkeypatch, tmp_path):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    monkeypatch.setenv(network.DEVICE_VARIABLE, "auto")
    folder = tmp_path / "music"
    for genre in ("a", "b"):
        (folder / genre).mkdir(parents=True)
    given = {"serve": [], "evaluate": [str(tmp_path / "m.tonearm"), str(folder)]}
    arguments = given.get(command, [str(folder)])
    result = CliRunner().invoke(app, [command, *arguments, "--device", "mps"])
    assert result.exit_code == 2
    said = " ".join(result.stderr.replace("│", " ").split())
    assert "--device" in said and "cannot use mps" in said


def test_the_tiny_model_runs_where_it_is_told(monkeypatch):
    """The real onnxruntime, on the device that is always there."""
    monkeypatch.setenv(network.DEVICE_VARIABLE, "cpu")
    session = network.onnx_session(tiny_model().encoder)
    assert session.get_providers() == ["CPUExecutionProvider"]
