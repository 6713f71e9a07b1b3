"""Worker processes that analyse one file at a time; a crash costs only that file.

Decoders are C libraries: a damaged file can make one crash, hang, or ask for more memory than there
is. Every command therefore analyses files in worker processes. A worker is known to be busy with
one file, so its death names that file, and the next worker goes on with the others.

Must not import anything of Tonearm but its errors: what a worker does is passed in as a function.
"""

from __future__ import annotations

from tonearm.workers.messages import Done, Event, Failure, Limits, Progress, Question
from tonearm.workers.order import Outcome, in_order, run_one
from tonearm.workers.pool import Pool
from tonearm.workers.processes import can_fork, start_server
from tonearm.workers.worker import Caller, MakeWork, NoCaller, Work, attempt, failure_of

__all__ = [
    "Caller",
    "Done",
    "Event",
    "Failure",
    "Limits",
    "MakeWork",
    "NoCaller",
    "Outcome",
    "Pool",
    "Progress",
    "Question",
    "Work",
    "attempt",
    "can_fork",
    "failure_of",
    "in_order",
    "run_one",
    "start_server",
]
