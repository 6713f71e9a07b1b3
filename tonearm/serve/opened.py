"""A file as an answer that stays one file, whatever replaces it while it is sent."""

from __future__ import annotations

import os
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from tonearm.serve.problems import kind_of, problem

_WRONG_RANGES = {
    400: "the header Range cannot be understood: it is of the form bytes=0-1023",
    416: "the file has no such range of bytes",
}


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
        """Send it, or what is wrong with the range that was asked for."""
        refused: list[Message] = []

        async def send_unless_refused(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in _WRONG_RANGES:
                refused.append(message)
            if not refused:
                await send(message)

        with self._file:
            await super().__call__(scope, receive, send_unless_refused)
        # Starlette answers in plain text, while every error here is a problem.
        for message in refused:
            status, given = message["status"], MutableHeaders(raw=message["headers"])
            headers = {name: given[name] for name in ("content-range",) if name in given}
            answer = problem(status, kind_of(status), _WRONG_RANGES[status], headers=headers)
            await answer(scope, receive, send)
