"""What ``-o``, ``--report`` and ``--json`` name is replaced only if it is of the same kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.fakes import tiny_model

from tonearm.data import prepare
from tonearm.errors import DatasetError
from tonearm.model import file as model_file

Command = Callable[..., Any]


@pytest.mark.parametrize(
    ("arguments", "own"),
    [
        (("evaluate", "built-in", "m", "--report"), "<!doctype html><html>"),
        (("audit", "m", "--report"), "<!doctype html><html>"),
        (("prepare", "m", "--json"), '{"mapping": []}'),
        (("models", "import", "net.onnx", "-o"), ""),
    ],
)
def test_a_file_of_another_kind_is_not_replaced(
    tonearm: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    own: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    kept = tmp_path / "mine.tonearm"
    model_file.save(tiny_model(), kept)
    before = kept.read_bytes()
    (tmp_path / "m" / "drone").mkdir(parents=True)
    ended = tonearm(*arguments, kept)
    assert ended.code == 2 and "mine.tonearm is not " in ended.err, ended.err
    assert "name another file" in " ".join(ended.err.replace("│", " ").split())
    assert kept.read_bytes() == before
    # One of its own kind, or an empty one, is no obstacle: what is wrong then is another thing.
    kept.write_text(own)
    ended = tonearm(*arguments, kept)
    assert ended.code == 2 and "name another file" not in ended.err


@pytest.mark.parametrize("name", ["labels.csv", "artists.tsv", "journal.jsonl", "fingerprints"])
def test_preparing_replaces_no_table_of_a_person(tmp_path: Path, name: str) -> None:
    (tmp_path / "m" / "drone").mkdir(parents=True)
    (tmp_path / "m" / "drone" / "a.wav").touch()
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("mine")
    labels, artists = {"drone/a.wav": prepare.Label(("drone",))}, {"a": "b"}
    with pytest.raises(DatasetError, match=f"holds a {name} that `tonearm prepare` did not make"):
        prepare.prepare_folder(tmp_path / "m", out, spec=None, artists=artists, labels=labels)
    assert [path.name for path in out.iterdir()] == [name]
    assert (out / name).read_text() == "mine"


def test_a_prepared_folder_is_prepared_again(tmp_path: Path) -> None:
    (tmp_path / "out" / "fingerprints").mkdir(parents=True)
    (tmp_path / "out" / "fingerprints" / "store.json").write_text("{}")
    (tmp_path / "out" / "artists.tsv").write_text("a\tb\n")
    prepare._refuse_other(tmp_path / "out", ["artists.tsv", "labels.csv"])


def test_an_export_replaces_an_export_only(tmp_path: Path) -> None:
    portable = pytest.importorskip("tonearm.training.portable")
    model = tiny_model()
    out = tmp_path / "out"
    assert portable.export(model, out) == portable.export(model, out), "its own is replaced"
    (out / "predict.py").write_text("# changed by a person\n")
    with pytest.raises(DatasetError, match=r"holds a predict\.py that this command did not make"):
        portable.export(model, out)
    assert (out / "predict.py").read_text() == "# changed by a person\n"
    for name in ("settings.json", "NOTICE.txt", "encoder.onnx"):
        other = tmp_path / name.partition(".")[0]
        other.mkdir()
        (other / name).write_text('{"mine": 1}')
        with pytest.raises(DatasetError, match=f"holds a {name} that this command did not make"):
            portable.export(model, other)
        assert [path.name for path in other.iterdir()] == [name]
