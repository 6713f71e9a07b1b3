"""From the tags in a file to those a library keeps. Imports late: the command line loads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tonearm.library.store import FileTags


def file_tags(path: str) -> FileTags:
    """The tags of a file as the library keeps them; a file that has none it can read has none.

    Parameters
    ----------
    path : str
        The file.
    """
    from tonearm.errors import TagError
    from tonearm.library.store import FileTags
    from tonearm.tagging.read import read_tags

    try:
        tags = read_tags(path)
    except (TagError, OSError) as error:
        return FileTags(error=str(error).removeprefix(f"{path}: "))
    return FileTags(
        title=tags.title,
        artist=tags.artist,
        album=tags.album,
        album_artist=tags.album_artist,
        genres=tags.genres,
        by_tonearm=tags.by_tonearm,
    )
