"""What all rows use: the options, the material, and the programs that are installed."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks import material
from benchmarks.environments import Peer
from benchmarks.material import Material
from benchmarks.measure import Cost

TONEARM: tuple[str, ...] = (sys.executable, "-m", "tonearm")
OURS = Path(__file__).with_name("peers") / "ours.py"


@dataclass(frozen=True)
class Bench:
    """One run of the benchmark.

    Parameters
    ----------
    music, work : Path
        Where the material comes from, and where it goes.
    runs : int
        Pairs of each comparison.
    tracks, peer_tracks : int
        Tracks of four minutes for Tonearm, and for each peer.
    growth : int
        Files of the larger scan; the smaller has a tenth.
    long_hours : float
        Length of the long file; 0 leaves it out.
    peers : tuple of Peer
        The programs that could be installed.
    """

    music: Path
    work: Path
    runs: int
    tracks: int
    peer_tracks: int
    growth: int
    long_hours: float
    peers: tuple[Peer, ...]

    @cached_property
    def material(self) -> Material:
        """Tracks, encoded when the first row needs them."""
        say(f"making {self.tracks} tracks of four minutes")
        return material.make(self.music, self.work, self.tracks)

    def peer(self, name: str) -> Peer | None:
        """The peer of that name, if it is installed."""
        return next((peer for peer in self.peers if peer.name == name), None)


def say(words: str) -> None:
    """Progress."""
    print(words, file=sys.stderr, flush=True)


def printed_seconds(cost: Cost) -> list[float]:
    """The seconds that a script of ``peers/`` printed as its last line."""
    found: list[float] = json.loads(cost.printed.splitlines()[-1])
    return found
