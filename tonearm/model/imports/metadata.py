"""What the author of a network says of it: Essentia's JSON, or a small TOML for any other.

Foreign text: every field is checked for its type before it is used.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tonearm.errors import ModelError
from tonearm.features import MUSICNN_SPEC, FeatureSpec

LARGEST_BYTES = 4 << 20  # of a file; that of 400 classes has 20 kB
_MOST_CLASSES = 10_000
PURPOSES = ("predictions", "embeddings")
_TOML_NAMES = ("name", "classes", "features", "licence", "license", *PURPOSES, "author", "link")
# Essentia's names of what makes windows, and the front end of each; all are MusiCNN's
# (essentia.upf.edu/models.html), of different length, with Essentia's own Hann window.
_ESSENTIA_SPEC = replace(MUSICNN_SPEC, symmetric_window=True)
_FRONT_ENDS = {
    "TensorflowPredictMusiCNN": _ESSENTIA_SPEC,
    "TensorflowPredictEffnetDiscogs": replace(_ESSENTIA_SPEC, window_frames=128),
}
# A network over embeddings, which has no front end of its own.
_OVER_EMBEDDINGS = "TensorflowPredict2D"


@dataclass(frozen=True)
class Output:
    """An output as the metadata has it.

    Parameters
    ----------
    name : str
        In the graph it may have another.
    size : int or None
        Numbers a window.
    purpose : str
        ``predictions``, ``embeddings`` or else.
    """

    name: str
    size: int | None
    purpose: str


@dataclass(frozen=True)
class Metadata:
    """What is known of a network.

    Parameters
    ----------
    name : str
    classes : tuple of str
        Of its predictions, in order.
    outputs : tuple of Output
    features : FeatureSpec or None
        Its front end; None for a network over embeddings.
    licence : str
        As its author states it; empty where they do not.
    about : dict of str to str
        Author, version, link and the like, for people.
    by_person : bool
        Written by whoever imports it, so that its outputs are those of the graph; published
        metadata may have the names from before a conversion.
    """

    name: str
    classes: tuple[str, ...]
    outputs: tuple[Output, ...]
    features: FeatureSpec | None
    licence: str
    about: dict[str, str]
    by_person: bool = False

    def output(self, purpose: str) -> Output | None:
        """The first output of that purpose.

        Parameters
        ----------
        purpose : str
            ``predictions`` or ``embeddings``.
        """
        return next((each for each in self.outputs if each.purpose == purpose), None)


def read(text: bytes, *, toml: bool) -> Metadata:
    """Read metadata.

    Parameters
    ----------
    text : bytes
        Of the file.
    toml : bool
        Whether it is TOML.

    Raises
    ------
    ModelError
        When it lacks something, or has it in another form.
    """
    # Before it is parsed: parsed JSON takes many times its size in memory.
    if len(text) > LARGEST_BYTES:
        raise ModelError(f"is larger than {LARGEST_BYTES >> 20} MB, so it is not metadata")
    try:
        values = tomllib.loads(text.decode()) if toml else json.loads(text)
    # Brackets within brackets: a file from elsewhere may be made to break a parser.
    except (ValueError, RecursionError) as error:
        kind = "TOML" if toml else "JSON"
        raise ModelError(f"is not {kind}: {error}") from None
    if not isinstance(values, dict):
        raise ModelError("is not a table of names and values")
    return _of_toml(values) if toml else _of_essentia(values)


def _of_essentia(values: Mapping[str, Any]) -> Metadata:
    inference = _field(values, "inference", dict, {})
    schema = _field(values, "schema", dict, {})
    about = {
        # As one line of bounded length: it is printed on a terminal and kept in the model file.
        name: " ".join(values[name].split())[:500]
        for name in ("version", "author", "link", "release_date", "citation")
        if isinstance(values.get(name), str)
    }
    return Metadata(
        name=_field(values, "name", str),
        classes=_names(values, "classes"),
        outputs=tuple(_output(each) for each in _field(schema, "outputs", list, [])),
        features=_front_end(inference, schema),
        licence=_licence(values),
        about=about,
    )


def _front_end(inference: Mapping[str, Any], schema: Mapping[str, Any]) -> FeatureSpec | None:
    algorithm = _field(inference, "algorithm", str)
    if algorithm == _OVER_EMBEDDINGS:
        return None
    spec = _FRONT_ENDS.get(algorithm)
    if spec is None:
        known = ", ".join((*_FRONT_ENDS, _OVER_EMBEDDINGS))
        raise ModelError(
            f"has the front end {algorithm}; Tonearm knows {known}. Describe another in a TOML file"
        )
    rate_hz = inference.get("sample_rate", spec.sample_rate_hz)
    # The front end of that name at another rate is another one, and would give wrong numbers in
    # silence.
    if rate_hz != spec.sample_rate_hz:
        raise ModelError(f"has {algorithm} at {rate_hz} Hz; here it has {spec.sample_rate_hz} Hz")
    for given in _field(schema, "inputs", list, []):
        shape = given.get("shape") if isinstance(given, dict) else None
        # A window is [frames, bands], whatever stands before it.
        if isinstance(shape, list) and shape[-2:] != [spec.window_frames, spec.mel_bands]:
            raise ModelError(
                f"has an input of shape {shape}; windows of {algorithm} are "
                f"{spec.window_frames} frames of {spec.mel_bands} bands"
            )
    return spec


def _of_toml(values: Mapping[str, Any]) -> Metadata:
    # A misspelt name would be ignored in silence: every one is known, or the file is refused.
    if odd := [name for name in values if name not in _TOML_NAMES]:
        near = difflib.get_close_matches(odd[0], _TOML_NAMES, 1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(_TOML_NAMES)}"
        raise ModelError(f"has {odd[0]}, which Tonearm does not know ({hint})")
    if {"licence", "license"} <= values.keys():
        raise ModelError("has licence and license: leave out one of them")
    outputs = [
        Output(_field(values, purpose, str), None, purpose)
        for purpose in PURPOSES
        if purpose in values
    ]
    features = _field(values, "features", dict, None) if "features" in values else None
    return Metadata(
        name=_field(values, "name", str),
        classes=_names(values, "classes"),
        outputs=tuple(outputs),
        features=_own_front_end(features) if features is not None else None,
        licence=_stated(values, "license" if "license" in values else "licence"),
        about={name: _stated(values, name) for name in ("author", "link") if name in values},
        by_person=True,
    )


def _own_front_end(values: dict[str, Any]) -> FeatureSpec:
    try:
        return FeatureSpec.from_dict(values)
    except ModelError as error:
        raise ModelError(f"has [features] that cannot be: {error}") from None


def _stated(values: Mapping[str, Any], name: str) -> str:
    """A text that is shown and kept, as one line of bounded length."""
    return " ".join(_field(values, name, str, "").split())[:2_000]


def _output(values: object) -> Output:
    if not isinstance(values, dict):
        raise ModelError("has an output that is not a table")
    shape = values.get("shape")
    last = shape[-1] if isinstance(shape, list) and shape else None
    return Output(
        _field(values, "name", str),
        last if isinstance(last, int) else None,
        str(values.get("output_purpose", "predictions")),
    )


def _licence(values: Mapping[str, Any]) -> str:
    # Essentia spells it the American way, people who write TOML either way.
    stated = values.get("license", values.get("licence", ""))
    return " ".join(stated.split())[:2_000] if isinstance(stated, str) else ""


def _names(values: Mapping[str, Any], name: str) -> tuple[str, ...]:
    names: Sequence[object] = _field(values, name, list, [])
    if not all(isinstance(each, str) and each.strip() for each in names):
        raise ModelError(f"has {name} that are not names")
    # Twice the same name would be two columns of one table.
    if len(names) > _MOST_CLASSES or len(set(names)) < len(names):
        raise ModelError(f"has {len(names)} {name}, too many or some of them twice")
    return tuple(map(str, names))


_NEEDED = object()
_KINDS: dict[type, str] = {str: "a text", dict: "a table", list: "a list"}


def _field(values: Mapping[str, Any], name: str, kind: type, otherwise: Any = _NEEDED) -> Any:  # noqa: ANN401
    value = values.get(name, otherwise)
    if value is _NEEDED:
        raise ModelError(f"lacks {name}")
    if not isinstance(value, kind):
        raise ModelError(f"has a {name} that is not {_KINDS[kind]}")
    return value
