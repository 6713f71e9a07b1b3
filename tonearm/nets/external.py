"""A network from a file outside the package: ``--arch my_net.py:Net``.

The file keeps the contract of the package's own architectures (see `tonearm.nets`): the class takes
``(config, *, bands, frames, labels)`` and turns levels [batch, frames, bands] into logits
[batch, labels]. ``Config``, ``RECIPE``, ``WINDOW_S`` and ``augment`` may be next to it. A file is
run only where its path is written with its class, so that nothing runs by accident, and only to
train: a model file holds the network as ONNX.
"""

from __future__ import annotations

import hashlib
import sys
import traceback
from dataclasses import is_dataclass
from pathlib import Path
from types import ModuleType

from tonearm.errors import DatasetError
from tonearm.nets import Architecture, Recipe

_SUFFIX = ".py:"
# What a file that says nothing of its own gets: the original's recipe and windows.
_RECIPE = Recipe(epochs=50, batch=32, lr=1e-3)
_WINDOW_S = 3.0


def is_file(name: str) -> bool:
    """Whether ``--arch`` names a file and a class, not an architecture of the package.

    Parameters
    ----------
    name : str
        What ``--arch`` was given.

    Examples
    --------
    >>> is_file("my_net.py:Net"), is_file("cnn"), is_file("my_net.py")
    (True, False, False)
    """
    return _SUFFIX in name


def source(name: str) -> tuple[Path, bytes]:
    """The file of ``my_net.py:Net`` and its content.

    Parameters
    ----------
    name : str
        Path and class, as in ``my_net.py:Net``.

    Raises
    ------
    DatasetError
        When there is no such file.
    """
    stem, _, _ = name.rpartition(_SUFFIX)
    path = Path(f"{stem}.py")
    try:
        return path, path.read_bytes()
    except OSError as error:
        raise DatasetError(
            f"--arch {name}: the file {path} cannot be read: {error.strerror}"
        ) from None


def short_name(name: str) -> str:
    """``folder/my_net.py:Net`` without the folder, which says nothing elsewhere.

    Parameters
    ----------
    name : str
        Path and class, as in ``my_net.py:Net``.

    Examples
    --------
    >>> short_name("nets/my_net.py:Net")
    'my_net.py:Net'
    """
    stem, suffix, network = name.rpartition(_SUFFIX)
    return f"{Path(stem).name}{suffix}{network}" if suffix else name


def sha256(code: bytes) -> str:
    """Identity of a file's content, which a run keeps.

    Parameters
    ----------
    code : bytes
        The whole file.
    """
    return hashlib.sha256(code).hexdigest()


def load(name: str, code: bytes, *, path: Path) -> Architecture:
    """Run the file and read the architecture of that name from it.

    Parameters
    ----------
    name : str
        ``FILE.py:CLASS``.
    code : bytes
        The content of the file.
    path : Path
        Where it came from, for messages and tracebacks.

    Raises
    ------
    DatasetError
        When the file cannot be run, or does not keep the contract.
    """
    wanted = name.rpartition(_SUFFIX)[2]
    module = ModuleType(f"tonearm_network_{sha256(code)[:16]}")
    module.__file__ = str(path)
    # Dataclasses look their module up; by the hash, so that no other module is hidden.
    sys.modules[module.__name__] = module
    try:
        exec(compile(code, str(path), "exec"), module.__dict__)  # noqa: S102  # asked for by its path
    except Exception as error:  # whatever somebody's file raises
        raise DatasetError(f"{path} cannot be run: {where(error, path)}") from error
    build = getattr(module, wanted, None)
    if not callable(build):
        classes = [k for k, v in vars(module).items() if isinstance(v, type) and k[0].isupper()]
        has = f"it has {', '.join(classes)}" if classes else "it has no class"
        raise DatasetError(f"{path} has no network {wanted!r}: {has}. Write --arch {path}:CLASS")
    recipe = getattr(module, "RECIPE", _RECIPE)
    window_s = getattr(module, "WINDOW_S", _WINDOW_S)
    if not isinstance(recipe, Recipe):
        raise DatasetError(f"{path}: RECIPE is {recipe!r}: make it a tonearm.nets.Recipe")
    if not isinstance(window_s, int | float) or not window_s > 0:
        raise DatasetError(f"{path}: WINDOW_S is {window_s!r}: a number of seconds is needed")
    config = getattr(module, "Config", None)
    if config is not None and not (isinstance(config, type) and is_dataclass(config)):
        raise DatasetError(
            f"{path}: Config is not a dataclass: put @dataclass(frozen=True) above it"
        )
    augment = getattr(module, "augment", None)
    return Architecture(
        short_name(name), config() if config else None, build, recipe, float(window_s), augment
    )


def where(error: Exception, path: Path) -> str:
    """What somebody's file raised and in which of its lines, in one sentence.

    Parameters
    ----------
    error : Exception
        With its traceback.
    path : Path
        The file whose line is wanted.
    """
    line = line_of(error, path)
    at = f"line {line}: " if line else ""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{at}{type(error).__name__}: {text}"


def line_of(error: Exception, path: Path) -> int | None:
    """The last line of a file on the way to an error; None where it has no part in it.

    Parameters
    ----------
    error : Exception
        With its traceback.
    path : Path
        The file whose line is wanted.
    """
    if isinstance(error, SyntaxError):  # it has a line, but no frame
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    return next((f.lineno for f in reversed(frames) if f.filename == str(path)), None)
