"""Compression of JSON and of the page's files; sound and streams go as they are."""

from __future__ import annotations

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_LEAST_BYTES = 1_000  # less fits into one packet anyway
_LEVEL = 5  # 9 takes five times as long for 2 % less
# Compressed already, or streamed: gzip would hold lines back until it has a block of them.
_AS_IT_IS = ("/audio", "/cover", "/events", "/predict")


class Compress:
    """Middleware that lets gzip work where it helps: ranges of bytes have to stay what they are.

    Parameters
    ----------
    app : ASGI application
        What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        self._gzip = GZipMiddleware(app, minimum_size=_LEAST_BYTES, compresslevel=_LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Compress, or pass on."""
        path = scope.get("path", "")
        as_it_is = path.endswith(_AS_IT_IS) or "/examples/" in path
        await (self._plain if as_it_is else self._gzip)(scope, receive, send)
