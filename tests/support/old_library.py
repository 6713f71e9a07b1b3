"""Libraries as earlier versions wrote them."""

from __future__ import annotations

import sqlite3
from pathlib import Path


def as_version_2(library: Path) -> None:
    """Take back what was added since: why a genre is in doubt, and the parts of a mix."""
    with sqlite3.connect(library) as file:
        for column in ("silent", "low_rate"):
            file.execute(f"ALTER TABLE embeddings DROP COLUMN {column}")
        for column in ("note", "mix"):
            file.execute(f"ALTER TABLE sounds DROP COLUMN {column}")
        file.execute("PRAGMA user_version = 2")
    file.close()


def as_version_3(library: Path) -> None:
    """Take back what version 4 added: that a sound was sampled at a low rate."""
    with sqlite3.connect(library) as file:
        file.execute("ALTER TABLE embeddings DROP COLUMN low_rate")
        file.execute("PRAGMA user_version = 3")
    file.close()
