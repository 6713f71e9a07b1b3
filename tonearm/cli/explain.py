"""``tonearm explain``: why a track was given its genre."""

from __future__ import annotations

import io
import sys
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tonearm.cli import console
from tonearm.cli.library_options import Form, FormOption
from tonearm.genres import id3_name
from tonearm.model.prediction import NOTES

if TYPE_CHECKING:
    from tonearm.model.prediction import Prediction
    from tonearm.model.reasons import Reasons

_BAR_CELLS = 12  # of the largest reason


def _clip_file(path: Path | None) -> Path | None:
    """Check the clip to be written: a new file, so that no song is lost."""
    if path is None:
        return None
    # Unlike other outputs this one is audio, so a slip could name a song; only new WAVs are safe.
    if path.suffix.lower() != ".wav":
        raise typer.BadParameter(f"{console.printable(path)} must end in .wav")
    if path.exists():
        raise typer.BadParameter(f"{console.printable(path)} exists already: name another file")
    return path


def explain(
    file: Annotated[Path, typer.Argument(help="An audio file.")],
    output_format: FormOption = Form.table,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            callback=_clip_file,
            help="Save the ten most typical seconds as WAV.",
        ),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Model file to use; 'built-in' is Tonearm's own.")
    ] = None,
    device: console.Device = "auto",
    verbose: console.Verbose = False,
) -> None:
    """Say why a track has its genre.

    Shows which tags, which seconds and which part of the spectrum point to the genre, and which
    to the second guess. The whole track is analysed.
    """
    from tonearm.errors import DecodeError
    from tonearm.files import cores
    from tonearm.model.classifier import Classifier

    classifier = Classifier.load(model, threads=cores())
    with console.quiet_decoders():
        try:
            prediction = classifier.explain(file)
            if output is not None:
                _write_clip(file, output, prediction)
        except DecodeError as error:
            console.report("file could not be analysed", [(error.path, error.reason)])
            raise typer.Exit(1) from None
    if output_format is Form.json:
        from tonearm.cli.formats import to_json

        reasons = prediction.reasons and prediction.reasons.to_dict()
        print(to_json(prediction.to_dict() | {"reasons": reasons}))
    elif prediction.reasons is None:
        print(f"{console.printable(str(file))}: unknown, {NOTES['silent']}")
    else:
        _print_table(prediction, prediction.reasons)
        # Only a model that stops early can give another answer for the same file.
        if classifier.model.stop_confidence < 1:
            console.say_whole(classifier.model.windows_per_track)
    if output is not None:
        console.say(f"The most typical seconds are in {console.printable(output)}.")


def _write_clip(file: Path, output: Path, prediction: Prediction) -> None:
    """Write the most typical stretch of a file as 16-bit mono WAV."""
    import numpy as np

    from tonearm.audio import decode
    from tonearm.errors import DecodeError
    from tonearm.files import write_atomically

    if prediction.reasons is None:
        raise DecodeError(file, "unreadable", "is silent: no part of it is typical of a genre")
    start_s, end_s = prediction.reasons.typical_s
    clip = decode(file, start_s=start_s, duration_s=end_s - start_s)
    written = io.BytesIO()
    with wave.open(written, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(clip.sample_rate_hz)
        # Clipped first: a float file may exceed full scale, and integers would wrap round to noise.
        wav.writeframes((np.clip(clip.samples, -1, 1) * 32_767).astype("<i2").tobytes())
    write_atomically(output, written.getvalue())


def _print_table(prediction: Prediction, why: Reasons) -> None:
    # The names come from a model file, which may be a stranger's.
    genre, next_one = (console.printable(id3_name(each)) for each in (why.genre, why.against))
    # A percentage next to "unknown" would be taken for that of the nearest genre, or of unknown.
    shown = f"unknown (nearest {genre}, then {next_one})"
    if prediction.mix:
        shown = f"mix (as a whole nearest {genre}, then {next_one})"
    elif prediction.genre:
        second = prediction.probabilities[why.against]
        shown = f"{genre} {prediction.confidence:.0%}, second guess {next_one} {second:.0%}"
    lines = [
        f"{console.printable(prediction.path or '')}: {shown}",
        *([NOTES[prediction.note]] if prediction.note else []),
        "",
        f"What points to {genre} (+) and to {next_one} (-):",
    ]
    rows = [(console.printable(reason.tag), reason.amount) for reason in why.tags]
    rows += [(f"{_hertz(band.low_hz)}-{_hertz(band.high_hz)}", band.amount) for band in why.bands]
    # The longest bar is that of the largest reason, of whatever size.
    largest = max((abs(amount) for _, amount in rows), default=1.0) or 1.0
    width = max((len(name) for name, _ in rows), default=0)
    for name, amount in rows:
        bar = ("+" if amount > 0 else "-") * round(_BAR_CELLS * abs(amount) / largest)
        lines.append(f"  {name:<{width}}  {amount:+6.2f}  {bar}".rstrip())
    lines += ["", f"Seconds that point most to {genre}:"]
    lines += [
        f"  {console.clock(window.start_s)}-{console.clock(window.end_s)}  {window.amount:+.2f}"
        for window in why.windows
    ]
    start_s, end_s = why.typical_s
    lines.append(f"Most typical: {console.clock(start_s)}-{console.clock(end_s)}")
    sys.stdout.write("\n".join(lines) + "\n")


def _hertz(hz: float) -> str:
    return f"{hz / 1000:.1f} kHz" if hz >= 1000 else f"{hz:.0f} Hz"
