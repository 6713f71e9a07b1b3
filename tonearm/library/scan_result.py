"""What a scan found and did, as it goes."""

from __future__ import annotations

from dataclasses import dataclass, field

from tonearm.faults import Faults


@dataclass
class Scan:
    """What a scan did so far.

    Parameters
    ----------
    looking : bool
        Whether folders are still being walked: ``found`` and ``to_do`` grow until then.
    found : int
        Audio files below the folders.
    unchanged : int
        Of these, as they were at the last scan; ``failed_before`` of them could not be read
        then.
    to_do : int
        New or changed.
    done : int
        Of ``to_do``; ``analysed`` of them were analysed, ``recognised`` hold a sound known already,
        ``moved`` of those were elsewhere before.
    missing : int
        Files of earlier scans that are not there any more; ``missing_before`` were not there at the
        last scan either.
    offline : int
        Files in folders that are not there now, such as on a disk that is not mounted.
    reclassified : int
        Sounds that another model classified again, from the embeddings that are kept.
    new : list of str
        Files that came or changed, and could be analysed; not those that only moved.
    failures, damaged : Faults
        Files that could not be read; files classified by a part of them.
    emptied : Faults
        Folders of earlier scans in which nothing is left.
    """

    looking: bool = True
    found: int = 0
    unchanged: int = 0
    failed_before: int = 0
    to_do: int = 0
    done: int = 0
    analysed: int = 0
    recognised: int = 0
    moved: int = 0
    missing: int = 0
    missing_before: int = 0
    offline: int = 0
    reclassified: int = 0
    new: list[str] = field(default_factory=list)
    failures: Faults = field(default_factory=Faults)
    damaged: Faults = field(default_factory=Faults)
    emptied: Faults = field(default_factory=Faults)
