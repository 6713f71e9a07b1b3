"""beets plugin: genres by sound where none is known, on import and by ``beet tonearm``.

What is decided, and how, is Tonearm's own (``tonearm.plugins.albums``); beets keeps the fields and
writes the files, as its own settings say. docs/beets.md says how to set it up.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from beets import plugins, ui
from beets.dbcore import types
from beets.importer import ImportSession, ImportTask
from beets.library import Album, Item, Library

from tonearm.errors import DecodeError, TonearmError
from tonearm.genres import id3_name
from tonearm.model.classifier import Classifier
from tonearm.plugins.albums import AlbumTrack, Named, name_albums
from tonearm.tagging.plan import Action, Policy, Rules, read_names

# Items with their album, where they have one.
Group = tuple[Album | None, list[Item]]
# Why nothing is written, in the words of beets' log.
_REASONS = {
    Action.kept: "keeps its genre ({genres})",
    Action.unknown: "sounds like no genre that the model knows",
    Action.low_confidence: "has too low a confidence",
    Action.excluded: "has a genre that is not to be written",
}


class TonearmPlugin(plugins.BeetsPlugin):
    """Fields ``tonearm_genre``, ``_styles`` and ``_confidence``; genres in beets' own list."""

    # Names of tonearm_genres are those that this plugin wrote: they give way to better ones.
    item_types: ClassVar[dict[str, types.Type]] = {
        "tonearm_genre": types.STRING,
        "tonearm_genres": types.MULTI_VALUE_DSV,
        "tonearm_styles": types.MULTI_VALUE_DSV,
        "tonearm_confidence": types.Float(2),
    }

    def __init__(self) -> None:
        super().__init__()
        self.config.add(
            {
                "auto": True,
                "force": False,
                "pretend": False,
                "min_confidence": None,
                "max_genres": 1,
                "styles": False,
                "map": None,
                "model": None,
                "jobs": None,
            }
        )
        if self.config["auto"].get(bool):
            self.import_stages = [self.imported]

    @cached_property
    def _classifier(self) -> Classifier:
        model = self.config["model"].get()
        return Classifier.load(self.config["model"].as_filename() if model else None)

    def _rules(self) -> Rules:
        least, names = self.config["min_confidence"].get(), self.config["map"].get()
        return Rules(
            policy=Policy.replace if self.config["force"].get(bool) else Policy.missing,
            min_confidence=None if least is None else float(least),
            max_genres=self.config["max_genres"].get(int),
            styles=self.config["styles"].get(bool),
            names=read_names(Path(self.config["map"].as_filename())) if names else {},
        )

    def imported(self, _session: ImportSession, task: ImportTask) -> None:
        """Name what was just imported; beets itself writes the files afterwards."""
        album = task.album if task.is_album else None
        items = list(album.items()) if album else list(task.imported_items())
        try:
            self._name([(album, items)], write=False)
        except TonearmError as error:
            # An import of a thousand albums must not end for a model file.
            self._log.error("{}", error)

    def commands(self) -> Sequence[ui.Subcommand]:
        """``beet tonearm [QUERY]``."""
        command = ui.Subcommand("tonearm", help="name genres by sound")
        add = command.parser.add_option
        add("-p", "--pretend", action="store_true", help="show what would change, change nothing")
        add("-f", "--force", action="store_true", help="replace genres that are there")
        add("-W", "--nowrite", action="store_false", dest="write", help="write no files")
        add("-w", "--write", action="store_true", dest="write", help="write the files' tags")

        def run(library: Library, options: Any, arguments: list[str]) -> None:  # noqa: ANN401
            self.config.set_args({"pretend": options.pretend, "force": options.force})
            groups = _groups(list(library.items(arguments)))
            try:
                self._name(groups, write=ui.should_write(options.write))
            except TonearmError as error:
                raise ui.UserError(str(error)) from None

        command.func = run
        return [command]

    def _name(self, groups: Sequence[Group], *, write: bool) -> None:
        """Decide on each group, keep the fields, and write files if asked."""
        albums = [[_track(item) for item in items] for _, items in groups]
        jobs = self.config["jobs"].get()
        named = name_albums(self._classifier, albums, self._rules(), jobs=jobs)
        for (album, items), results in zip(groups, named, strict=True):
            for item, result in zip(items, results, strict=True):
                self._keep(item, result, write=write)
            self._keep_album(album, results)

    def _keep(self, item: Item, result: Named, *, write: bool) -> None:
        if isinstance(result.prediction, DecodeError):
            self._log.warning("{}: {}", item.filepath, result.prediction.reason)
        decided, proposal = result.decided, result.proposal
        if decided is None:
            return
        item.tonearm_genre = id3_name(decided.genre) if decided.genre else "unknown"
        item.tonearm_confidence = decided.confidence
        item.tonearm_styles = list(decided.styles)
        if proposal.action is Action.write:
            item.genres = list(proposal.genres)
            item.tonearm_genres = list(proposal.guesses)
        elif reason := _REASONS.get(proposal.action):
            kept = reason.format(genres="; ".join(proposal.genres))
            self._log.info("{} {}; by sound: {}", item, kept, item.tonearm_genre)
        ui.show_model_changes(item, fields=["genres"])
        if not self.config["pretend"].get(bool):
            item.try_sync(write=write and proposal.action is Action.write, move=False)

    def _keep_album(self, album: Album | None, results: Sequence[Named]) -> None:
        """The album gets the genres that all of its written tracks share."""
        genres = {tuple(r.proposal.genres) for r in results if r.decided is not None}
        if album is None or len(genres) != 1 or self.config["pretend"].get(bool):
            return
        album.genres = list(genres.pop())
        album.store(inherit=False)  # each item has its own already


def _track(item: Item) -> AlbumTrack:
    # Without the album's: beets gives an item those of its album where it has none.
    genres = item.get("genres", with_album=False) or []
    guesses = item.get("tonearm_genres", with_album=False) or []
    return AlbumTrack(item.filepath, tuple(genres), frozenset(guesses))


def _groups(items: Sequence[Item]) -> list[Group]:
    """Items by album, in the order of their first; one without an album stands for itself."""
    groups: dict[object, Group] = {}
    for item in items:
        album = item.get_album()
        key = ("album", album.id) if album else ("item", item.id)
        groups.setdefault(key, (album, []))[1].append(item)
    return list(groups.values())
