"""Running the application on a socket until Ctrl-C."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI


def run(app: FastAPI, listener: socket.socket, *, verbose: bool = False) -> None:
    """Serve; what clients still wait for gets three seconds at the end."""
    config = uvicorn.Config(
        app,
        log_level="info" if verbose else "error",
        access_log=verbose,
        server_header=False,
        timeout_graceful_shutdown=3,
        timeout_keep_alive=15,
    )
    uvicorn.Server(config).run(sockets=[listener])
