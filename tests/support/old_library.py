"""Libraries as earlier versions wrote them."""

from __future__ import annotations

import sqlite3
from pathlib import Path


def as_version_2(library: Path) -> None:
    """Take back what version 3 added: why a genre is in doubt, and the parts of a mix."""
    with sqlite3.connect(library) as file:
        file.execute("ALTER TABLE embeddings DROP COLUMN silent")
        for column in ("note", "mix"):
            file.execute(f"ALTER TABLE sounds DROP COLUMN {column}")
        file.execute("PRAGMA user_version = 2")
    file.close()
