"""Running the application on a socket until Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI

from tonearm.serve.service import Service


class _Server(uvicorn.Server):
    """Lets streams without an end come to theirs when the server is to stop."""

    service: Service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Before uvicorn waits for open requests, of which an event stream is one.
        self.service.stopping.set()
        super().handle_exit(sig, frame)


def run(app: FastAPI, listener: socket.socket, *, verbose: bool = False) -> None:
    """Serve; what clients still wait for gets three seconds at the end.

    Parameters
    ----------
    app : FastAPI
        The application.
    listener : socket
        Bound to its address already.
    verbose : bool
        Log every request to stderr.
    """
    config = uvicorn.Config(
        app,
        log_level="info" if verbose else "error",
        access_log=verbose,
        # Which server it is concerns nobody who asks.
        server_header=False,
        timeout_graceful_shutdown=3,
        timeout_keep_alive=15,
    )
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    server = _Server(config)
    server.service = app.state.service
    server.run(sockets=[listener])


def _is_news(record: logging.LogRecord) -> bool:
    """Requests that the end of the server cut off need no traceback of a hundred lines."""
    error = record.exc_info[1] if record.exc_info else None
    cut_off = isinstance(error, asyncio.CancelledError)
    return not cut_off and "shutdown exceeded" not in str(record.msg)
