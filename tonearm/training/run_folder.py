"""Whose a folder is: a command replaces only what the same command made.

A model may be the work of a night, and a split or a ``settings.toml`` that of a person. Must not
import torch: the command line asks here before anything is analysed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from tonearm.errors import DatasetError, would_lose
from tonearm.training.run import (
    BUNDLE,
    CHECKPOINT,
    CODE,
    CURVES,
    HISTORY,
    METRICS,
    PREDICTIONS,
    RUN,
    SETTINGS,
    SPLIT,
    SPLIT_TABLE,
    TRIALS,
    read,
    refuse_begun,
)

# Commands that save a head, by the field of ``metrics.json`` that only they write.
HeadCommand = Literal["train", "extend", "learn"]
_FIELDS: dict[str, HeadCommand] = {"gain": "extend", "corrections": "learn"}

_OF_HEAD = (BUNDLE, METRICS, SPLIT, SPLIT_TABLE)
_BEGUN = (CHECKPOINT, TRIALS, RUN)
# What a run leaves that is refused before its first epoch: whoever starts again means the same.
_OF_BEGINNING = (RUN, SPLIT, SPLIT_TABLE, SETTINGS, CODE)
_OF_NETWORK = (*_OF_BEGINNING, BUNDLE, METRICS, PREDICTIONS, HISTORY, CURVES, "fold-0", "fold-1")


def refuse_for_head(out: Path, command: HeadCommand) -> None:
    """DatasetError where a head would replace what another command or a person made.

    Parameters
    ----------
    out : Path
        The folder to save in; it need not exist.
    command : 'train', 'extend' or 'learn'
        Which command saves the head.
    """
    if begun := _there(out, _BEGUN):
        raise would_lose(out, f"a network's run ({begun[0]})")
    there = _there(out, _OF_HEAD)
    if not there:
        return
    made_by = _head_command(out)
    if made_by is None:
        raise would_lose(out, f"another {there[0]}")
    if made_by != command:
        raise would_lose(out, f"a model that `tonearm {made_by}` made")


def refuse_for_network(out: Path) -> None:
    """DatasetError where a network's run would replace what was made before.

    Parameters
    ----------
    out : Path
        The folder of a new run; it need not exist.
    """
    refuse_begun(out)
    there = _there(out, _OF_NETWORK)
    if _is_begun(out):
        there = [name for name in there if name not in _OF_BEGINNING]
    if there:
        raise would_lose(out, f"another {there[0]}")


def _is_begun(out: Path) -> bool:
    try:
        read(out)
    except DatasetError:  # none, or a file of that name by another program
        return False
    return True


def _there(out: Path, names: Sequence[str]) -> list[str]:
    return [name for name in names if (out / name).exists()]


def _head_command(out: Path) -> HeadCommand | None:
    """The command that saved the head in a folder; None where none did."""
    try:
        values = json.loads((out / METRICS).read_text("utf-8"))
        training = values["training"]
        if "model" not in training or "recipe" in training:  # a network's has the recipe
            return None
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return next((command for field, command in _FIELDS.items() if field in values), "train")
