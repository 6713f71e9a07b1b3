"""``tonearm models import``: a model file from other people's ONNX networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tonearm.cli import console, outputs
from tonearm.errors import ModelError, counted, writing

if TYPE_CHECKING:
    from tonearm.model.file import Model
    from tonearm.model.imports.make import Foreign
    from tonearm.model.imports.metadata import Metadata

_NOT_WRITTEN = "No model file was written: add --accept-licence if you accept the licence."


def _model_file(path: Path | None) -> Path | None:
    # A model of one's own took hours to train.
    return outputs.only_over(path, "an imported model", _is_imported)


def _is_imported(path: Path) -> bool:
    from tonearm.model import file as model_file

    try:
        return "imported" in model_file.load(path).training
    except ModelError:
        return False


def import_model(
    network: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="An ONNX network over spectrograms: a file, or a URL."
        ),
    ],
    head: Annotated[
        str | None,
        typer.Argument(
            metavar="[HEAD]",
            help="A second network, over the embeddings of MODEL.",
            show_default="none",
        ),
    ] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option(
            "--metadata",
            "-m",
            help="Essentia's JSON, or TOML; repeat it for HEAD.",
            show_default="MODEL.json, HEAD.json",
        ),
    ] = None,
    sha256: Annotated[
        list[str] | None,
        typer.Option(help="SHA-256 of the file at a URL; may be repeated."),
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept-licence", help="Accept the licence, and make the model file.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            callback=_model_file,
            help="Model file to write.",
            show_default="NAME.tonearm here",
        ),
    ] = None,
    verbose: console.Verbose = False,
) -> None:
    """Make a model file from a published network.

    Turns an ONNX network that others published into a model that every command can use. Its classes
    become genres and styles; your own genres can be trained on its embeddings. Shows the licence
    first, and keeps it in the model file.
    """
    from tonearm.model import file as model_file
    from tonearm.model.imports import make

    given = [name for name in (network, head) if name is not None]
    described = metadata or [_next_to(name) for name in given]
    # Which metadata belong to which network is known by their order alone.
    if len(described) != len(given):
        raise typer.BadParameter(
            f"{counted(len(given), 'network')}, but "
            f"{counted(len(described), 'file')} of metadata: give one for each",
            param_hint="--metadata",
        )
    sources = [
        _read(name, about, sha256 or ()) for name, about in zip(given, described, strict=True)
    ]
    for source in sources:
        _print(source.metadata)
    # Shown first, made later: whoever makes the model must have seen the licence.
    if not accept:
        console.say(_NOT_WRITTEN)
        return
    made = make.make(*sources)
    path = output or Path(f"{_file_name(made.name)}{model_file.SUFFIX}")
    if output is None and path.exists():
        words = (
            f"{console.printable(path)} exists already: name it to replace it, or name another file"
        )
        raise typer.BadParameter(words, param_hint="-o")
    replaced = outputs.replaced(path)
    with writing(path, ModelError):
        model_file.save(made, path)
    _print_made(made, f"{console.printable(path)}{replaced}")


def _next_to(name: str) -> str:
    """The metadata that is published next to a network: the same name, ``.json``."""
    return f"{name.removesuffix('.onnx')}.json"


def _read(name: str, about: str, sha256: list[str] | tuple[str, ...]) -> Foreign:
    from tonearm.model.imports import fetch, graph
    from tonearm.model.imports import metadata as described
    from tonearm.model.imports.make import Foreign

    # The small one first: it may be wrong, and its licence is what a person waits for.
    try:
        text = fetch.read(about, largest=described.LARGEST_BYTES, sha256=sha256)
    except ModelError as error:
        if about != _next_to(name):
            raise
        # Nobody named this file, so the message says what it is and how to name another.
        raise ModelError(f"the metadata next to {name}: {error}; name it with --metadata") from None
    try:
        values = described.read(text, toml=about.endswith(".toml"))
    except ModelError as error:
        raise ModelError(f"{about} {error}") from None
    return Foreign(fetch.read(name, largest=graph.LARGEST_BYTES, sha256=sha256), values)


def _print(metadata: Metadata) -> None:
    """What a person must know before the model is theirs."""
    print(console.printable(metadata.name))
    for name, text in metadata.about.items():
        print(f"  {name}: {console.printable(text)}")
    licence = metadata.licence or "not stated in its metadata: ask its author before you use it"
    print(f"  classes: {len(metadata.classes)}\n  licence: {console.printable(licence)}")


def _print_made(made: Model, name: str) -> None:
    shown = ", ".join(made.labels[:6]) + (", …" if len(made.labels) > 6 else "")
    print(
        f"{name}: {counted(len(made.labels), 'genre')} ({console.printable(shown)}), "
        f"{made.head.dimensions} numbers per window of {made.features.window_s:.2g} s"
    )
    console.say(
        "Its confidence is not calibrated. Use it with --model; `tonearm train --model` trains "
        "your own genres on it."
    )


def _file_name(name: str) -> str:
    """A name from elsewhere as the name of a file, without folders."""
    kept = "".join(each if each.isalnum() or each in "-_." else "-" for each in name)
    # A name with slashes or dots in front would lie elsewhere, or be hidden.
    return kept.strip(".-")[:100] or "imported"
