"""A folder that is scanned with an encoder that only notes what it was asked to analyse."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from support import embedders
from tonearm.library.scan import scan
from tonearm.library.scan_result import Scan
from tonearm.library.store import Library


class Case:
    """A music folder, a library, and the names that were analysed."""

    def __init__(self, folder: Path, model) -> None:
        self.root, self.path = folder / "music", folder / "library.sqlite"
        self.root.mkdir()
        self._log, self._bundle = folder / "analysed.txt", model

    def add(self, name: str, content: str | None = None) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if content is not None else f"{name} as it sounds")
        return path

    def scan(self, *paths: Path, model=None, jobs: int = 2, **options) -> Scan:
        """Of the whole folder, unless paths are named or all is to be looked at again."""
        self._log.write_text("")
        with Library(self.path, write=True) as library:
            return scan(
                library,
                paths or ([] if options.get("again") else [self.root]),
                model=model or self._bundle,
                make_embed=partial(embedders.make_embed, str(self._log)),
                read_tags=embedders.no_tags,
                jobs=jobs,
                **options,
            )

    def analysed(self) -> list[str]:
        return sorted(self._log.read_text().split())

    def tracks(self, *, missing: bool = False) -> dict:
        with Library(self.path) as library:
            tracks = library.tracks(missing=missing)
            return {os.path.relpath(track.path, self.root): track for track in tracks}
