"""``tonearm models``: the built-in model, what can be trained, and the models in a folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from tonearm.cli import console
from tonearm.cli.evaluate import HASH_SHOWN, ends
from tonearm.cli.library_options import Form, FormOption
from tonearm.errors import DatasetError, TonearmError, counted
from tonearm.faults import Faults

Values = dict[str, Any]


def models(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Folder in which to look for model files.", show_default="runs"),
    ] = None,
    output_format: FormOption = Form.table,
    verbose: console.Verbose = False,
) -> None:
    """List the available models.

    Lists the built-in model, the networks that can be trained, and the model files in a folder.
    """
    from tonearm.model import file as model_file
    from tonearm.nets import ARCHITECTURES

    # A folder that was named must be there; runs/ need not.
    if folder is not None and not folder.exists():
        raise DatasetError(f"{folder} does not exist: name a folder with model files")
    found = _found(folder or Path("runs"))
    failures = found.failed
    listed, shown = [], []
    # The built-in one comes first, whatever lies in the folder.
    for path in (model_file.builtin_path(), *found.paths):
        try:
            row = _described(path)
            shown.append(_in_lines(row))
            listed.append(row)
        except TonearmError as error:
            failures.add(path, error)
        # Figures of another kind, as of a file that was made by hand: its genres may be right.
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
            failures.add(path, f"describes its training in another way ({error!r})")
    if output_format is Form.json:
        print(json.dumps({"schema": 1, "trainable": ARCHITECTURES, "models": listed}, indent=1))
    else:
        _print_models(shown, ARCHITECTURES)
    console.close("could not be read", failures)


@dataclass(frozen=True)
class _Found:
    """Model files in a folder, and folders that could not be read."""

    paths: list[Path]
    failed: Faults


def _found(folder: Path) -> _Found:
    from tonearm.files import find
    from tonearm.model import file as model_file

    failed = Faults()
    if not folder.exists():
        return _Found([], failed)
    paths = list(find([folder], suffixes={model_file.SUFFIX}, on_error=failed.add_folder))
    return _Found(paths, failed)


def _described(path: Path) -> Values:
    from tonearm.model import file as model_file

    loaded = model_file.load(path)
    training = loaded.training
    return {
        "path": str(path),
        "built_in": path == model_file.builtin_path(),
        "name": loaded.name,
        "labels": list(loaded.labels),
        "trained_on": training.get("data") or training.get("split"),
        "split_sha256": training.get("split_sha256"),
        "leaks": bool(training.get("leaks")),
        "measured": _measured(loaded.metrics),
        "artist_unknown": int(training.get("artist_unknown", 0)),
        "changed": _changed(loaded.metrics),
        "bytes": path.stat().st_size,
        "sha256": loaded.sha256,
    }


def _measured(values: Values, where: str = "") -> Values | None:
    """The first accuracy in a model's metrics, and where it stands; of tracks before windows."""
    if isinstance(values.get("accuracy"), float):
        # By artist, then by group, then by track: tracks of one artist err together.
        kinds = ("interval_95_by_artist", "interval_95_by_group", "interval_95")
        ends = next((values[kind] for kind in kinds if values.get(kind)), None)
        n = values.get("n")
        return {"what": where, "accuracy": values["accuracy"], "interval_95": ends, "n": n}
    # The mean of several seeds before the first of them.
    for name, inner in sorted(values.items(), key=lambda item: item[0] != "seeds"):
        if isinstance(inner, dict):
            # Depth first: files of different kinds hold their figures at different depths.
            found = _measured(inner, f"{where} {name}".strip())
            if found:
                return found
    return None


def _changed(values: Values) -> str | None:
    """What adding genres, or corrections, brought to a model and cost it, in words."""
    if gain := values.get("gain"):
        new = [
            f"{name} gained, recall {of['recall']:.3f} n={of['n']}"
            if of["n"]
            else f"{name} gained, not measured"
            for name, of in gain["new"].items()
        ]
        old = f"old genres {gain['before']:.3f} -> {gain['after']:.3f} n={gain['n']}"
        if loss_of := gain.get("loss_of"):
            old += f" ({loss_of})"
        return "; ".join([*new, old])
    if learnt := values.get("corrections"):
        return f"corrections {learnt['before']:.3f} -> {learnt['after']:.3f} n={learnt['n']}"
    return None


def _print_models(shown: list[str], trainable: dict[str, str]) -> None:
    print("These can be trained (tonearm train --arch NAME):")
    width = max(map(len, trainable)) + 2
    for name, what in trainable.items():
        print(f"  {name:<{width}}{what}")
    for text in shown:
        print(f"\n{text}")


def _in_lines(row: Values) -> str:
    """A model as people see it; what it says of itself is escaped."""
    shown = "built-in" if row["built_in"] else console.printable(row["path"])
    found = row["measured"]
    figure = row["changed"] or "no figure"
    if found:
        figure = f"accuracy {found['accuracy']:.3f}"
        if found["interval_95"]:
            figure += f" [{ends(found['interval_95'])}]"
        figure += f" n={found['n']} ({found['what'].replace('_', ' ')})"
    unknown = row["artist_unknown"]
    figure += f", artist unknown for {counted(unknown, 'track')}" if unknown else ""
    figure += "  LEAKS" if row["leaks"] else ""
    split = row["split_sha256"]
    by = f"; split {split[:HASH_SHOWN]}" if split else ""
    size = row["bytes"] / 1e6
    made = (
        f"{row['name']}, {counted(len(row['labels']), 'genre')}, {size:.2f} MB, "
        f"sha256 {row['sha256'][:HASH_SHOWN]}",
        f"trained on {row['trained_on'] or 'unknown data'}{by}",
        figure,
    )
    return "\n  ".join([shown, *map(console.printable, made)])
