"""A server on a thread, libraries made by code, and a browser, for the tests of the page."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import uvicorn
from fastapi import FastAPI

from tonearm.library.scan import model_of
from tonearm.library.store import FileStatus, FileTags, Library
from tonearm.model import file as model_file
from tonearm.model.prediction import Prediction
from tonearm.serve.app import create_app

from .small_files import wav
from .waiting import wait_until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]


@contextmanager
def served(library: Path, *, app: FastAPI | None = None, port: int = 0, **options) -> Iterator[str]:
    """The address of a server that runs for the block."""
    app = app or create_app(library, **options)
    with socket.create_server(("127.0.0.1", port)) as listener:
        config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        wait_until(lambda: server.started or not thread.is_alive())
        assert server.started
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            app.state.service.stopping.set()  # as Ctrl-C does: streams end
            server.should_exit = True
            thread.join(20)


def fill_library(path: Path, count: int, *, seed: int = 0) -> None:
    """Rows of tracks whose files do not exist."""
    rng = np.random.default_rng(seed)
    model = model_of(model_file.load(None))
    first = "Blue Late Quiet Golden Paper Northern Slow Electric Broken Velvet Empty Wild".split()
    last = "River Morning Avenue Machine Letter Garden Station Harbour Mirror Weather".split()
    bands = "The Lanterns;Mara Quist;Old Ferry;Tin Choir;Saltmarsh;June & Iver;Kite Club".split(";")
    k = len(model.labels)
    with Library(path, write=True) as library, library.transaction():
        number = library.model_id(model)
        for i in range(count):
            probabilities = rng.dirichlet(np.full(k, 0.25)).astype(np.float32)
            nearest = model.labels[int(probabilities.argmax())]
            known = rng.random() > 0.06
            windows = rng.beta(0.4, 3, (6, 50)).astype(np.float16)
            key = f"made-{i:06}"
            sound = library.put_sound(
                key,
                model=number,
                windows=windows,
                duration_s=float(rng.uniform(90, 400)),
                warning=None,
                prediction=Prediction.of(model.labels, probabilities, known=bool(known)),
            )
            wrong = str(rng.choice(model.labels))
            genres = ((), (nearest.title(),), (wrong.title(),))[
                int(rng.choice(3, p=(0.4, 0.4, 0.2)))
            ]
            tags = FileTags(
                title=f"{rng.choice(first)} {rng.choice(last)} {i}",
                artist=str(rng.choice(bands)),
                genres=genres,
                by_tonearm=bool(rng.random() < 0.1),
            )
            file = os.fsencode(f"/music/{i // 100:03}/{i:06}.mp3")
            library.put_track(file, FileStatus(1, i, i, 1, i), tags, sound=sound)


def fill_with_files(path: Path, folder: Path, count: int) -> None:
    """The same, but the files are there: short, silent, and without a genre."""
    fill_library(path, count)
    folder.mkdir()
    first = wav(folder / "0.wav", np.zeros((800, 1), dtype=np.float32))
    with Library(path, write=True) as library:
        for number in range(1, count + 1):
            file = folder / f"{number}.wav"
            shutil.copy(first, file)
            stored = os.fsencode(file)
            sound = library.rows("SELECT sound FROM tracks WHERE id = ?", [number])[0][0]
            library.write("UPDATE tracks SET path = ? WHERE id = ?", [(stored, number)])
            library.put_track(stored, FileStatus.of(file.stat()), FileTags(), sound=sound)
    first.unlink()
