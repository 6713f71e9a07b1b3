"""How long an archive takes on so many nodes, and what it costs: the scheduler, simulated.

    python -m runs.simulate_cluster [--tracks 1000000 ...] [--json OUT]

What was measured (see docs/scale.md): CPU seconds, requests and bytes of an object, seconds until a
lost node is noticed. What is assumed: how much objects differ, price and start of a node, losses of
spot nodes, the rate at which a store refuses, milliseconds of the driver for a part. Parts are
handed out in order to whichever core is free, as Ray's pool does; a core on a lost node loses its
part.
"""

from __future__ import annotations

import argparse
import heapq
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tonearm.distributed.scan import part_rows


@dataclass(frozen=True)
class Measured:
    """Figures of this program on one core; seconds, bytes and counts for each object."""

    cpu_s: float = 0.052
    requests: float = 20.3
    bytes_read: float = 700_000.0
    row_bytes: float = 800.0
    notice_s: float = 12.0


@dataclass(frozen=True)
class Assumed:
    """What depends on where it runs."""

    spread: float = 0.6  # sigma of the logarithm of an object's seconds
    long_share: float = 5e-4  # one in 2,000 is a mix of hours
    long_s: float = 12.0
    cores: int = 16
    price_per_core_hour: float = 0.02  # spot, USD
    request_price: float = 0.4e-6  # a GET of an object store, USD
    node_start_s: float = 120.0
    worker_start_s: float = 10.0
    losses_per_hour: float = 0.05  # of each spot node
    requests_per_s: float = 5_500.0  # that one prefix answers before it says "slow down"
    prefixes: int = 8
    driver_part_s: float = 0.01  # a million rows in 3,907 parts took 683 s in all: 0.17 at most


def simulate(
    tracks: int, nodes: int, measured: Measured, assumed: Assumed, *, seed: int = 0
) -> dict[str, Any]:
    """Hours, dollars and losses of one scan."""
    chance = np.random.default_rng(seed)
    rows = part_rows(tracks)
    parts = -(-tracks // rows)
    seconds = part_seconds(parts, rows, measured, assumed, chance)
    cores = nodes * assumed.cores
    # All cores together must not ask more often than the store answers: then each waits its turn.
    rate = cores * measured.requests / measured.cpu_s
    throttled = max(1.0, rate / (assumed.requests_per_s * assumed.prefixes))
    seconds *= throttled
    lost_at = chance.exponential(3_600 / assumed.losses_per_hour, nodes)
    ready = assumed.node_start_s + assumed.worker_start_s
    free = [(ready, core) for core in range(cores)]
    heapq.heapify(free)
    waiting = list(range(parts))[::-1]
    driver_free, lost, again, end = ready, 0, 0, ready
    while waiting:
        at, core = heapq.heappop(free)
        # One process hands out all parts.
        driver_free = max(driver_free, at) + assumed.driver_part_s
        begin, node = driver_free, core // assumed.cores
        part = waiting.pop()
        done = begin + seconds[part]
        if done > lost_at[node]:
            again += 1
            waiting.append(part)
            back = max(lost_at[node], begin) + measured.notice_s + ready
            if core % assumed.cores == 0:
                lost += 1
                lost_at[node] = back + chance.exponential(3_600 / assumed.losses_per_hour)
            heapq.heappush(free, (back, core))
            continue
        end = max(end, done)
        heapq.heappush(free, (done, core))
    ideal = tracks * measured.cpu_s / cores
    core_hours = cores * end / 3_600
    return {
        "tracks": tracks,
        "nodes": nodes,
        "hours": round(end / 3_600, 2),
        "core hours": round(core_hours),
        "efficiency": round(ideal / end, 3),
        "USD, cores": round(core_hours * assumed.price_per_core_hour, 2),
        "USD, requests": round(tracks * measured.requests * assumed.request_price, 2),
        "TB read": round(tracks * measured.bytes_read / 1e12, 2),
        "GB written": round(tracks * measured.row_bytes / 1e9, 1),
        "nodes lost": lost,
        "parts again": again,
        "bottleneck": bottleneck(cores, rows, measured, assumed, ideal, end),
    }


def part_seconds(
    parts: int, rows: int, measured: Measured, assumed: Assumed, chance: np.random.Generator
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Seconds of each part on one core: a sum of many objects, some of them very long."""
    # The mean of a log-normal is exp(mu + sigma^2 / 2).
    variance = rows * measured.cpu_s**2 * np.expm1(assumed.spread**2)
    usual = chance.normal(rows * measured.cpu_s, np.sqrt(variance), parts)
    return np.maximum(usual, 0) + chance.poisson(rows * assumed.long_share, parts) * assumed.long_s


def bottleneck(
    cores: int, rows: int, measured: Measured, assumed: Assumed, ideal: float, end: float
) -> str:
    """What would have to be faster first."""
    if cores * assumed.driver_part_s > rows * measured.cpu_s:
        return "the driver"
    if cores * measured.requests / measured.cpu_s > assumed.requests_per_s * assumed.prefixes:
        return "the store's rate of requests"
    if ideal < 0.8 * end:
        return "starts and the last parts"
    return "cores"


def main() -> None:
    """Print a table for each size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tracks", type=int, nargs="+", default=[10**6, 10**7, 10**8])
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 4, 16, 64, 256, 1_024])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    measured, assumed = Measured(), Assumed()
    found = []
    for tracks in given.tracks:
        print(f"\n{tracks:,} tracks")
        print("nodes    hours   core h   used       USD  lost  first limit")
        for nodes in given.nodes:
            row = simulate(tracks, nodes, measured, assumed)
            found.append(row)
            dollars = row["USD, cores"] + row["USD, requests"]
            print(
                f"{nodes:>5} {row['hours']:>8} {row['core hours']:>8} {row['efficiency']:>6.0%}"
                f" {dollars:>9.0f} {row['nodes lost']:>5}  {row['bottleneck']}"
            )
        print(f"{row['TB read']} TB read, {row['GB written']} GB written")
    if given.json:
        values = {"measured": asdict(measured), "assumed": asdict(assumed), "scans": found}
        given.json.write_text(json.dumps(values, indent=1))


if __name__ == "__main__":
    main()
