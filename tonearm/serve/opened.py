"""A file as an answer that stays one file, whatever replaces it while it is sent."""

from __future__ import annotations

import os
from pathlib import Path

from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send


class OpenedFile(FileResponse):
    """A file that is open before its length is said; ranges of bytes are served.

    Starlette asks for the length by the path, and opens the path later: a genre that is written in
    between makes the file longer than was said, and the answer breaks off.

    Parameters
    ----------
    path : Path
        The file.
    media_type : str
        Of its content.
    headers : dict[str, str]
        More headers.
    """

    def __init__(self, path: Path, *, media_type: str, headers: dict[str, str]) -> None:
        self._file = path.open("rb")
        number = self._file.fileno()
        # What is open by its number stays that file under another name, or under none. Windows has
        # no such names, and replaces no file that is open.
        again = f"/dev/fd/{number}"
        super().__init__(
            again if os.path.exists(again) else path,
            media_type=media_type,
            headers=headers,
            stat_result=os.fstat(number),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self._file:
            await super().__call__(scope, receive, send)
