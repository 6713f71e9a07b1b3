"""Very long files: ten hours, and a mix of two."""

from __future__ import annotations

import statistics
from pathlib import Path

from benchmarks import measure
from benchmarks.bench import TONEARM, Bench, say
from benchmarks.table import Section

MIX_HOURS = 2.0


def long(bench: Bench, section: Section) -> None:
    """Memory, and how many times as fast as it plays."""
    say("  a mix of two hours")
    mix = bench.material.mix(MIX_HOURS)
    seconds = [measure.run(_timeline(mix), one_core=True).wall_s for _ in range(bench.runs)]
    speed = MIX_HOURS * 3600 / statistics.median(seconds)
    section.say(
        f"`predict --timeline`, {MIX_HOURS:g} h, one core",
        "playing it",
        ours=f"{statistics.median(seconds):.1f} s",
        other=f"{speed:,.0f} times as fast ({bench.runs} runs)",
    )
    mix.unlink()
    if not bench.long_hours:
        return
    say(f"  {bench.long_hours:g} hours")
    path = bench.material.mix(bench.long_hours)
    cost = measure.run(_timeline(path))
    section.say(
        f"`predict --timeline`, {bench.long_hours:g} h, all cores",
        "playing it",
        ours=f"{cost.wall_s:.1f} s, {cost.peak_mib:.0f} MiB at the most",
        other=f"{bench.long_hours * 3600 / cost.wall_s:,.0f} times as fast (one run)",
    )
    path.unlink()


def _timeline(path: Path) -> list[str]:
    return [*TONEARM, "predict", "--timeline", str(path)]
