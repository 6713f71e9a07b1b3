"""``library/files``: a file that was dropped on the page becomes a file of the library.

It is copied into a folder of the server's own choosing below one that is scanned, under its own
name, and never over another file. A sound that the library has already is not kept twice.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tonearm.audio import AUDIO_SUFFIXES
from tonearm.containers.sound_key import sound_key
from tonearm.errors import DecodeError
from tonearm.library import browse
from tonearm.serve import scan, schema
from tonearm.serve.problems import Json
from tonearm.serve.service import Service, service_of
from tonearm.serve.uploads import FILE_BODY, Upload

PATH = f"{schema.PREFIX}/library/files"
router = APIRouter(tags=["library"])
# Apart from a person's own folders, which are theirs to arrange.
_FOLDER = "Tonearm"
# What no file may be called on Windows, or that hides it elsewhere.
_ODD = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]|^[. ]+|[. ]+$')


@router.post(
    PATH,
    openapi_extra=FILE_BODY,
    summary="Keep a file in the library",
    status_code=201,
    response_model=schema.KeptAnswer,
    responses={200: {"model": schema.KeptAnswer, "description": "Its sound is there already"}},
)
async def keep(
    request: Request,
    name: Annotated[
        str | None, Query(max_length=255, description="The file's name, if the body is the file")
    ] = None,
    folder: Annotated[
        int, Query(ge=0, le=10_000, description="Which of the folders that `scan` names")
    ] = 0,
) -> Response:
    """Copies it into a folder named Tonearm; a scan then adds it."""
    service = service_of(request)
    upload = await service.uploads.receive(request, name)
    try:
        return await run_in_threadpool(_kept, service, upload, folder)
    finally:
        upload.remove()


def _kept(service: Service, upload: Upload, number: int) -> Response:
    folders = scan.folders(service)
    if number >= len(folders):
        words = "there is no folder to keep files in: start the page with `tonearm serve FOLDER`"
        raise HTTPException(409, words)
    if Path(upload.name).suffix.lower() not in AUDIO_SUFFIXES:
        raise HTTPException(
            422,
            f"{upload.name}: its name does not have the ending of a "
            "music file, so no scan would find it",
        )
    try:
        key = sound_key(upload.path)
    except DecodeError:
        key = None  # the scan will say what is wrong with it
    # One at a time: the same song may arrive twice at once.
    with service.keeping:
        # By sound, whatever it is called: a second copy would be nobody's wish.
        known = _known(service, key) if key else None
        if known is not None:
            return Json({"schema": schema.SCHEMA, "path": known, "kept": False})
        path = _copied(upload, Path(folders[number]) / _FOLDER)
        if key:
            service.kept[key] = str(path)
    return Json({"schema": schema.SCHEMA, "path": str(path), "kept": True}, status_code=201)


def _known(service: Service, key: str) -> str | None:
    """The file that holds this sound: one of the library, or one that no scan has seen yet."""
    kept = service.kept.get(key)
    if kept is not None and Path(kept).is_file():
        return kept
    if not service.library_path.exists():
        return None
    with service.library() as library:
        found = browse.of_sound(library, key)
    return found.path if found else None


def _copied(upload: Upload, folder: Path) -> Path:
    # Hidden, and with an ending that no scan looks at, as long as it is not whole.
    part = folder / f".{secrets.token_hex(6)}.part"
    try:
        folder.mkdir(exist_ok=True)
        shutil.copyfile(upload.path, part)
        # Reserved first: of two that arrive at once, neither replaces the other.
        path = _reserved(folder, _ODD.sub("_", upload.name))
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise HTTPException(507, f"{folder} cannot be written: {error.strerror}") from None
    return path


def _reserved(folder: Path, name: str) -> Path:
    """A new, empty file of that name, or of the next like ``name (2).mp3``."""
    stem, suffix = os.path.splitext(name)
    number = 1
    while True:
        path = folder / (name if number == 1 else f"{stem} ({number}){suffix}")
        try:
            # The file system decides who is first; a look before would be a race.
            path.touch(exist_ok=False)
        except FileExistsError:
            number += 1
        else:
            return path
