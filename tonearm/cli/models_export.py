"""``tonearm models export``: a model as ONNX files and a script that need no Tonearm."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tonearm.cli import console
from tonearm.errors import DatasetError, pip_install


def export_model(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A model file; 'built-in' is Tonearm's own.")
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Folder for the files."),
    ],
    verbose: console.Verbose = False,
) -> None:
    """Write a model as ONNX files and a script.

    The folder holds the networks, settings as JSON, and a short script, which needs librosa and
    onnxruntime, but not Tonearm.
    """
    from tonearm.model import file as model_file

    loaded = model_file.load(model_file.named(model))
    try:
        from tonearm.training import portable
    except ImportError as error:
        if error.name != "onnx":
            raise
        raise DatasetError(f"to export, install onnx: {pip_install('train')}") from None
    for name in portable.export(loaded, output):
        print(console.printable(output / name))
    script = console.printable(output / "predict.py")
    console.say(f"Run it with: python {script} SONG (it needs librosa and onnxruntime)")
