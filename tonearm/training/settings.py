"""Settings of a network's training by name: its recipe, its sizes, its front end, and the run.

They come from ``--set NAME=VALUE`` and from TOML files, are checked against what the architecture
has, and are kept with the run as ``settings.toml``, which repeats it. Must not import torch.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from tonearm.errors import DatasetError, ModelError
from tonearm.features import GTZAN_SPEC, FeatureSpec
from tonearm.nets import Architecture, Recipe
from tonearm.training.run import Precision

Values = dict[str, Any]

# Of a recipe, but not to be set: --epochs is an option, and a closed form is the network's own.
_NOT_SET = ("epochs", "closed_form")
_RECIPE = tuple(field.name for field in fields(Recipe) if field.name not in _NOT_SET)
# What of the front end may be set: the scale is that of all prepared features.
FRONT_END = ("sample_rate_hz", "n_fft", "hop_samples", "mel_bands", "mel_low_hz", "mel_high_hz")
_LARGEST = 1_000_000_000
_LONGEST_WINDOW_S = 3_600
# Names that other libraries use.
_ALSO_CALLED = {
    "learning_rate": "lr",
    "batch_size": "batch",
    "decay": "weight_decay",
    "sample_rate": "sample_rate_hz",
    "sr": "sample_rate_hz",
    "hop_length": "hop_samples",
    "n_mels": "mel_bands",
    "fmin": "mel_low_hz",
    "fmax": "mel_high_hz",
    "window": "window_s",
    "early_stopping": "patience",
}


@dataclass(frozen=True)
class RunSettings:
    """Settings that are neither of the network nor of its recipe.

    Parameters
    ----------
    patience : int
        Epochs without a better validation loss before the end; 0 for no early end.
    precision : str
        ``bf16-mixed`` and ``16-mixed`` are for GPUs.
    tensorboard : bool
        Also write the history for TensorBoard.
    folds : int
        Cross-validation in so many folds, each a run; 0 for one run on one split.
    seeds : int
        How many seeds are trained, from ``--seed`` on.
    """

    patience: int = 0
    precision: Precision = "32-true"
    tensorboard: bool = False
    folds: int = 0
    seeds: int = 1

    def __post_init__(self) -> None:
        for name, least in (("patience", 0), ("folds", 0), ("seeds", 1)):
            if getattr(self, name) < least:
                raise DatasetError(f"{name}={getattr(self, name)}: {least} or more is needed")
        if self.folds == 1:
            raise DatasetError("folds=1 holds nothing out: 2 or more are needed")
        if self.folds and self.patience:
            raise DatasetError(
                "patience would choose the epoch by the tracks that folds measure: use only one "
                "of the two"
            )


# The words that a setting may be.
_WORDS = {
    name: get_args(hint)
    for of in (Recipe, RunSettings)
    for name, hint in get_type_hints(of).items()
    if get_origin(hint) is Literal
}


@dataclass(frozen=True)
class Settings:
    """Everything that was set, checked.

    Parameters
    ----------
    network : dict
        Of the recipe, the sizes and the window, by name.
    front_end : dict
        Of the `FeatureSpec`, by name.
    run : RunSettings
    """

    network: Values
    front_end: Values
    run: RunSettings

    def spec(self) -> FeatureSpec:
        """The front end of the prepared features; the highest band follows the sample rate."""
        values = {**GTZAN_SPEC.to_dict(), **self.front_end}
        if "mel_high_hz" not in self.front_end:
            # Above half the sample rate there is nothing; whoever lowers the rate need not know of
            # both.
            values["mel_high_hz"] = min(values["mel_high_hz"], values["sample_rate_hz"] / 2)
        try:
            return FeatureSpec.from_dict(values)
        except ModelError as error:
            raise DatasetError(f"{error}: change one of {', '.join(self.front_end)}") from None


def read(given: Iterable[str]) -> Values:
    """Values by name from ``NAME=VALUE`` and from the TOML files between them; the last one counts.

    A value is TOML (``[1, 2]``, ``true``, ``1e-3``); what is none is a text.

    Parameters
    ----------
    given : iterable of str
        As after ``--set``.

    Raises
    ------
    DatasetError
        When a file cannot be read, or an entry is neither.
    """
    values: Values = {}
    for text in given:
        name, equals, value = text.partition("=")
        if equals and name:
            values[name.strip()] = _value(value.strip())
        elif text.endswith(".toml"):
            # Later entries win, so a file can be followed by changes to it.
            values |= _read_file(Path(text))
        else:
            raise DatasetError(f"--set {text}: write NAME=VALUE, or name a .toml file")
    return values


def _value(text: str) -> object:
    try:
        # TOML's own types, so that a setting means the same on the command line and in a file.
        value: object = tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text  # a word needs no quotes on the command line
    return value


def _read_file(path: Path) -> Values:
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise DatasetError(f"--set {path} cannot be read: {error.strerror}") from None
    # Brackets within brackets end the parser's stack.
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise DatasetError(f"--set {path} is not TOML: {error}") from None
    values: Values = {}
    for name, value in found.items():
        # Tables are for people: [recipe] and [network] mean nothing to the names in them.
        own = value if isinstance(value, dict) else {name: value}
        if twice := sorted(values.keys() & own.keys()):
            raise DatasetError(f"--set {path} sets {twice[0]} twice: leave out one of the two")
        values |= own
    return values


def check(values: Mapping[str, Any], model: Architecture) -> Settings:
    """Sort values into what they are settings of, each of the right type.

    Parameters
    ----------
    values : mapping
        As `read` gives them.
    model : Architecture
        With its own defaults.

    Raises
    ------
    DatasetError
        When a name is unknown (with the nearest one), or a value impossible.
    """
    defaults = known(model)
    checked: Values = {}
    for name, value in values.items():
        if name not in defaults:
            raise DatasetError(_unknown(name, defaults, model.name))
        checked[name] = _like(defaults[name], value, name)
    # Sorted here once; whoever sets one need not know what it is a setting of.
    run_names = [field.name for field in fields(RunSettings)]
    network = {k: v for k, v in checked.items() if k not in (*run_names, *FRONT_END)}
    made = Settings(
        network,
        {k: v for k, v in checked.items() if k in FRONT_END},
        RunSettings(**{k: checked[k] for k in run_names if k in checked}),
    )
    if not 0 < (window_s := made.network.get("window_s", 1)) <= _LONGEST_WINDOW_S:
        needed = f"more than 0, and at most {_LONGEST_WINDOW_S}"
        raise DatasetError(f"window_s={window_s}: {needed} is needed")
    applied(model, made.network)
    # Built once, so that an impossible front end is named here and not after an hour of preparing.
    made.spec()
    return made


def known(model: Architecture) -> Values:
    """Every setting of an architecture with its default.

    Parameters
    ----------
    model : Architecture
        The architecture.
    """
    sizes = sizes_of(model)
    front_end = {name: getattr(GTZAN_SPEC, name) for name in FRONT_END}
    # A closed form has no steps that a rate or a schedule could mean something to.
    of_recipe = ("batch",) if model.recipe.closed_form else _RECIPE
    recipe = {name: getattr(model.recipe, name) for name in of_recipe}
    own = {"window_s": model.window_s, **recipe, **front_end, **asdict(RunSettings())}
    both = sorted(own.keys() & sizes.keys())
    if both:
        raise DatasetError(
            f"{model.name}: its Config has {', '.join(both)}, which is a setting of every network: "
            "choose another name"
        )
    return {**own, **sizes}


def sizes_of(model: Architecture) -> Values:
    """The fields of an architecture's Config; empty where it has none.

    Parameters
    ----------
    model : Architecture
        The architecture.
    """
    config = model.config
    return asdict(config) if is_dataclass(config) and not isinstance(config, type) else {}


def applied(model: Architecture, network: Mapping[str, Any]) -> Architecture:
    """The architecture with other values; lists become the tuples that a Config has.

    Parameters
    ----------
    model : Architecture
        The architecture.
    network : mapping
        Values by the names of its recipe's and its Config's fields, and ``window_s``.
    """
    recipe = {name: network[name] for name in _RECIPE if name in network}
    sizes = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in network.items()
        if name not in recipe and name != "window_s"
    }
    return replace(
        model,
        recipe=replace(model.recipe, **recipe),
        # A network of one's own may have no Config at all.
        config=replace(model.config, **sizes) if sizes else model.config,
        window_s=float(network.get("window_s", model.window_s)),
    )


def to_toml(values: Mapping[str, Any], *, comment: str) -> str:
    """Values as a TOML file, in the order given, below a comment.

    Parameters
    ----------
    values : mapping
        By name; bool, number, text, or a list of these.
    comment : str
        Lines without their ``#``.
    """
    lines = [f"# {line}" for line in comment.splitlines()]
    return "\n".join([*lines, *(f"{name} = {_toml(value)}" for name, value in values.items()), ""])


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    # The words that settings have need no escapes.
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _like(default: object, value: object, name: str) -> object:
    """The value in the type of the default; DatasetError says what is needed."""
    needed = None
    if name in _WORDS:
        needed = None if value in _WORDS[name] else f"one of {', '.join(_WORDS[name])}"
    elif isinstance(default, bool):
        needed = None if isinstance(value, bool) else "true or false"
    elif isinstance(default, int | float):
        needed = _lacks(value, whole=isinstance(default, int))
        if not needed and isinstance(value, int | float):
            value = type(default)(value)
    elif isinstance(default, tuple):
        if not isinstance(value, list):
            needed = "a list, as [1, 2]"
        elif default:
            # By the first default: a list has one type throughout.
            value = [_like(default[0], each, name) for each in value]
    elif not isinstance(value, str):
        needed = "a word"
    if needed:
        raise DatasetError(f"{name}={value}: {needed} is needed")
    return value


def _lacks(value: object, *, whole: bool) -> str | None:
    """What a value lacks to be a number, or a whole one; None if it is one."""
    # To Python True is an int: `lr=true` would be a rate of 1.
    if not isinstance(value, int | float) or isinstance(value, bool):
        return "a number"
    # Not a number, infinite, or an integer of hundreds of digits, which no float holds.
    if not abs(value) <= _LARGEST:
        return f"a number of at most {_LARGEST:,}"
    return "a whole number" if whole and not float(value).is_integer() else None


def _unknown(name: str, defaults: Mapping[str, Any], arch: str) -> str:
    also = _ALSO_CALLED.get(name.lower())
    # First the name that other programs use, then the most similar.
    close = [also] if also in defaults else difflib.get_close_matches(name, defaults, 1, 0.5)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"no setting {name!r} of {arch}: {hint}There are {', '.join(sorted(defaults))}"
