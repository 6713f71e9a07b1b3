"""A network from a file outside the package: its contract, its copy, and what goes wrong."""

from __future__ import annotations

import json
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_batches import folder, split

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

from tonearm.data import index  # noqa: E402
from tonearm.errors import DatasetError  # noqa: E402
from tonearm.features import GTZAN_SPEC  # noqa: E402
from tonearm.model import file as model_file  # noqa: E402
from tonearm.nets import external  # noqa: E402
from tonearm.training import architecture, fit  # noqa: E402
from tonearm.training.run import BUNDLE, CODE, METRICS, SPLIT, Run  # noqa: E402

__all__ = ["folder"]

NET = """
    from dataclasses import dataclass
    from torch import nn

    from tonearm.nets import Recipe

    WINDOW_S = 1.0
    RECIPE = Recipe(epochs=2, batch=4, lr=0.01)

    @dataclass(frozen=True)
    class Config:
        hidden: int = 4

    class Mean(nn.Module):
        def __init__(self, config, *, bands, frames, labels):
            super().__init__()
            self.layers = nn.Sequential(
                nn.Linear(bands, config.hidden), nn.ReLU(), nn.Linear(config.hidden, labels)
            )

        def forward(self, levels):
            return self.layers(levels.mean(1) / 40)
"""


def written(path: Path, text: str = NET) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return f"{path}:Mean"


def a_run(data: Path, out: Path, name: str) -> Run:
    out.mkdir()
    split().save(out / SPLIT)
    _, code = external.source(name)
    (out / CODE).write_bytes(code)
    return Run(
        str(data),
        str(out),
        external.short_name(name),
        epochs=2,
        accelerator="cpu",
        settings={"hidden": 6},
        code_sha256=external.sha256(code),
    )


def test_it_trains_exports_and_is_kept(folder: Path, tmp_path: Path) -> None:
    name = written(tmp_path / "mine" / "my_net.py")
    run = a_run(folder, tmp_path / "run", name)
    (tmp_path / "mine" / "my_net.py").unlink()  # the run has its own copy
    fit.train(run)
    made = model_file.load(tmp_path / "run" / BUNDLE)
    assert made.name == "my_net.py:Mean" and made.labels == index.load(folder).labels
    training = json.loads((tmp_path / "run" / METRICS).read_text())["training"]
    assert training["config"] == {"hidden": 6}
    assert training["code_sha256"] == run.code_sha256 == made.training["code_sha256"]


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        (
            ("return self", "assert len(levels) < 3, 'late'; return self"),
            {},
            r"my_net\.py:Mean fails while it is trained: line \d+: AssertionError: late",
        ),
        (
            ("", ""),
            {"lr": 1e30},
            r"the loss is nan in epoch \d: try a lower learning rate \(it is 1e",
        ),
    ],
)
def test_what_goes_wrong_later_says_so(
    folder: Path, tmp_path: Path, change: tuple[str, str], settings: dict[str, Any], message: str
) -> None:
    """A fault of the network that no trial finds is not one of Tonearm; no epoch follows a NaN."""
    text = NET.replace(*change) if change[0] else NET
    run = a_run(folder, tmp_path / "run", written(tmp_path / "my_net.py", text))
    with pytest.raises(DatasetError, match=message):
        fit.train(replace(run, settings=run.settings | settings))
    assert not (tmp_path / "run" / BUNDLE).exists()


def test_code_that_was_changed_is_refused(folder: Path, tmp_path: Path) -> None:
    run = a_run(folder, tmp_path / "run", written(tmp_path / "my_net.py"))
    assert architecture.of_run(run).config.hidden == 6
    (tmp_path / "run" / CODE).write_text("print('something else')")
    with pytest.raises(DatasetError, match="is not the code that this run began with"):
        architecture.of_run(run)
    (tmp_path / "run" / CODE).unlink()
    with pytest.raises(DatasetError, match="the network's code, cannot be read"):
        architecture.of_run(run)


def test_nothing_runs_without_its_path_and_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of the name of an architecture in the working directory is not looked at."""
    monkeypatch.chdir(tmp_path)
    for stem in ("cnn", "mine"):
        (tmp_path / f"{stem}.py").write_text("raise SystemExit('was run')")
    assert architecture.named("cnn").name == "cnn"
    with pytest.raises(DatasetError, match="no network 'mine'"):
        architecture.named("mine")


def test_a_file_without_settings_of_its_own(tmp_path: Path) -> None:
    text = "class Plain:\n    def __init__(self, config, *, bands, frames, labels): ...\n"
    path = tmp_path / "plain.py"
    path.write_text(text)
    made = architecture.named(f"{path}:Plain")
    assert made.config is None and made.window_s == 3.0 and made.recipe.epochs == 50


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("", ""), None),
        (("class Mean", "class Other"), r"has no network 'Mean': it has .*Other\. Write --arch"),
        (("WINDOW_S = 1.0", "WINDOW_S = 0"), "WINDOW_S is 0: a number of seconds"),
        (("RECIPE = Recipe(", "RECIPE = dict("), r"make it a tonearm\.nets\.Recipe"),
        (("@dataclass(frozen=True)\n", "\n"), "Config is not a dataclass"),
        (("import nn", "import nnn"), "line 3: ImportError: cannot import name 'nnn'"),
        (("class Mean(nn.Module):", "class Mean(nn.Module)"), "line 14: SyntaxError: expected ':'"),
        (("lr=0.01", "lr=-1"), "line 8: DatasetError: a recipe with lr -1 is impossible"),
    ],
)
def test_files_that_break_the_contract(
    tmp_path: Path, change: tuple[str, str], message: str | None
) -> None:
    name = written(tmp_path / "my_net.py", NET.replace(*change) if change[0] else NET)
    if message is None:
        assert architecture.named(name).window_s == 1.0
        return
    with pytest.raises(DatasetError, match=message):
        architecture.named(name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("", ""), None),
        (("config.hidden, labels", "config.hidden, 7"), r"gives \(2, 7\) for two windows and 3"),
        (("bands, config.hidden)", "9, config.hidden)"), "cannot run: line 22: RuntimeError: mat1"),
        (("/ 40", "/ 0"), "gives values that are not finite"),
        (("/ 40", "/ 40 + levels.lgamma().mean(1)"), "to ONNX: Exporting the operator"),
        (("/ 40", "- levels.mean().item()"), "alone than in a batch of 5: forward must not depend"),
        (
            ("/ 40", "/ (40 * min(len(levels), 3))"),
            "alone than in a batch of 5: forward must not depend",
        ),
    ],
)
def test_networks_that_cannot_be_trained_are_found_at_once(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: tuple[str, str],
    message: str | None,
) -> None:
    name = written(tmp_path / "my_net.py", NET.replace(*change) if change[0] else NET)
    made = architecture.named(name)
    spec = architecture.window_of(made, GTZAN_SPEC)
    assert spec.window_frames == 43
    torch.manual_seed(3)
    before = torch.rand(1)
    torch.manual_seed(3)
    if message is None:
        architecture.try_out(made, spec, 3, path=tmp_path / "my_net.py")
        assert torch.equal(torch.rand(1), before), "trying it out changed the run's chance"
        return
    with pytest.raises(DatasetError, match=message):
        architecture.try_out(made, spec, 3, path=tmp_path / "my_net.py")
    assert capsys.readouterr().out == "", "stdout is for data"


def test_the_network_of_the_guide_can_be_trained(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[1] / "docs" / "networks.md").read_text(encoding="utf-8")
    code = guide.partition("```python\n")[2].partition("```")[0]
    path = tmp_path / "my_net.py"
    path.write_text(code, encoding="utf-8")
    made = architecture.named(f"{path}:Net")
    assert (made.recipe.epochs, made.window_s, made.config.hidden) == (30, 3.0, 32)
    architecture.try_out(made, architecture.window_of(made, GTZAN_SPEC), 10, path=path)
