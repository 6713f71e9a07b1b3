"""Very long files: a mix of two hours, and ten hours."""

from __future__ import annotations

import statistics

from benchmarks import measure
from benchmarks.bench import TONEARM, Bench, say
from benchmarks.table import Section, amount

MIX_HOURS = 2.0


def long(bench: Bench, section: Section) -> None:
    """A mix as often as other rows, the longest once."""
    _timeline(bench, section, hours=MIX_HOURS, runs=bench.runs, one_core=True)
    if bench.long_hours:
        _timeline(bench, section, hours=bench.long_hours, runs=1, one_core=False)


def _timeline(bench: Bench, section: Section, *, hours: float, runs: int, one_core: bool) -> None:
    """How many times as fast as it plays, and in how much memory."""
    say(f"  {hours:g} hours")
    path = bench.material.mix(hours)
    command = [*TONEARM, "predict", "--timeline", str(path)]
    costs = [measure.run(command, one_core=one_core) for _ in range(runs)]
    path.unlink()
    what = f"{hours:g} h, {'one core' if one_core else 'all cores'}"
    section.add(what, "playing it", [(cost.wall_s, hours * 3600) for cost in costs], "s")
    peak_mib = statistics.median(cost.peak_mib for cost in costs)
    section.say(f"peak memory, {what}", "", ours=amount(peak_mib, "MiB"))
