"""Songs of one tone each, which the fake encoder of ``fakes`` distinguishes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .fakes import LOW_HZ
from .sounds import tone, write_sndfile

if TYPE_CHECKING:
    from conftest import Run

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX names, signals and pipes")
RATE = 16_000


def song(path: Path, hz: float = LOW_HZ, seconds: float = 4.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = write_sndfile(path.parent / ".made", tone(hz, seconds, RATE), RATE, form="WAV")
    return made.rename(path)  # libsndfile cannot write to every name


def rows(run: Run) -> list[dict]:
    return [json.loads(line) for line in run.out.splitlines()]
