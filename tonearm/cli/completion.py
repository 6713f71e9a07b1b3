"""Shell completion: commands, options, their values, genre names, model files, paths.

``tonearm --show-completion SHELL`` prints a script, which asks ``tonearm __complete WORDS`` at each
tab. An answer is a line a candidate, ``value`` or ``value<TAB>help``; the line ``:files GLOB`` asks
the shell for file names. (typer's own completion offers no file names in zsh and fish.)
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from typer import Typer

from tonearm.cli.reference import Entry, Page, pages
from tonearm.genres import BUILTIN_GENRES, MIX, UNKNOWN

ASK = "__complete"
_GENRE_OPTIONS = ("--genre", "--second")
_MODEL_OPTIONS = ("--model",)

# Each shell only asks: what to offer is decided in Python, once for all three.
_BASH = r"""
_tonearm() {
  local line current="${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  while IFS= read -r line; do
    case "$line" in
      ":files "*)
        compopt -o filenames
        while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$current") ;;
      *) COMPREPLY+=("${line%%$'\t'*}") ;;
    esac
  done < <(tonearm __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o nosort -F _tonearm tonearm
"""

_ZSH = r"""
#compdef tonearm
_tonearm() {
  local line value files
  local -a candidates
  for line in "${(@f)$(tonearm __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
    case "$line" in
      "") ;;
      ":files "*) files="${line#:files }" ;;
      *) value="${line%%$'\t'*}"
         candidates+=("${value//:/\\:}${${line#$value}/$'\t'/:}") ;;
    esac
  done
  (( $#candidates )) && _describe -o tonearm candidates
  [[ -n "$files" ]] && _files -g "$files"
}
if [[ "${funcstack[1]}" = _tonearm ]]; then _tonearm "$@"; else compdef _tonearm tonearm; fi
"""

_FISH = r"""
function __tonearm_complete
  set -l words (commandline -opc) (commandline -ct)
  for line in (tonearm __complete $words[2..] 2>/dev/null)
    if string match -q ':files *' -- $line
      __fish_complete_path (commandline -ct)
    else
      echo $line
    end
  end
end
complete -c tonearm -f -a '(__tonearm_complete)'
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def script(shell: str) -> str:
    """The text that a shell reads at its start.

    Parameters
    ----------
    shell : str
        ``bash``, ``zsh`` or ``fish``.
    """
    return SCRIPTS[shell].lstrip("\n")


def candidates(app: Typer, words: Sequence[str]) -> list[str]:
    r"""Answer for the words after ``tonearm``; the last one is being typed.

    Parameters
    ----------
    app : Typer
        The program.
    words : sequence of str
        What was typed after ``tonearm``; the last one may be empty.

    Examples
    --------
    >>> from tonearm.cli.app import app
    >>> [line.split("\t")[0] for line in candidates(app, ["pre"])]
    ['predict', 'prepare']
    >>> candidates(app, ["predict", "song.mp3", "--format", "js"])
    ['json', 'jsonl']
    """
    *before, current = words or [""]
    before = [word for word in before if word != "="]  # bash splits --format=json into three
    current = "" if current == "=" else current
    # From the program's own help, so that no option is ever missing here.
    program, *commands = pages(app)
    # The command is the first word that is no option.
    chosen = next((word for word in before if not word.startswith("-")), None)
    if chosen is None:
        offers = [f"{page.name}\t{page.summary}" for page in commands if " " not in page.name]
        offers += _options(program, before) if current.startswith("-") else []
    else:
        # A name may have two words, of which the second is offered next to the arguments.
        own = {page.name: page for page in commands if page.name.split()[0] == chosen}
        page = own.get(" ".join(before[:2])) or own.get(chosen)
        offers = list(_of_command(page, before, current)) if page else []
        if before == [chosen]:
            offers += [f"{name.split()[1]}\t{own[name].summary}" for name in own if " " in name]
    return [offer for offer in offers if offer.startswith((current, ":files "))]


def _of_command(page: Page, before: Sequence[str], current: str) -> Iterator[str]:
    asked = next((entry for entry in page.options if before[-1] in entry.names), None)
    name, equals, _ = current.partition("=")
    if asked and asked.takes_value:
        yield from _values(asked)
    elif equals and name.startswith("--"):
        entry = next((entry for entry in page.options if name in entry.names), None)
        values = _values(entry) if entry else ()
        # `:files` is left out: the shell would complete the whole word, --name= included.
        yield from (f"{name}={value}" for value in values if not value.startswith(":"))
    elif current.startswith("-"):
        yield from _options(page, before)
    else:
        for entry in page.arguments:
            yield from _values(entry)


def _options(page: Page, before: Sequence[str]) -> Iterator[str]:
    """Long names that were not given yet, each with its help."""
    for entry in page.options:
        # An option that may be repeated is offered once as well, which is right more often than
        # wrong.
        if not set(entry.names) & set(before):
            yield from (f"{name}\t{entry.help}" for name in entry.names if name.startswith("--"))


def _values(entry: Entry) -> Iterator[str]:
    if set(entry.names) & set(_GENRE_OPTIONS):
        yield from _genres()
    elif set(entry.names) & set(_MODEL_OPTIONS):
        yield from ("built-in", ":files *.tonearm")
    elif entry.choices:
        yield from entry.choices
    elif entry.is_path:
        yield ":files *"


def _genres() -> list[str]:
    """Those of the built-in model, and those of the library where it has others."""
    labels = set(BUILTIN_GENRES)
    with contextlib.suppress(Exception):  # no library, or a broken one: not a thing to say at a tab
        from tonearm.cli.library_options import location
        from tonearm.library.store import Library

        place: Path = location(None)
        if place.exists():
            with Library(place) as library:
                model = library.model()
                labels |= set(model.labels if model else ())
    return [*sorted(labels), MIX, UNKNOWN]


def answer(app: Typer, words: Sequence[str]) -> None:
    """Print what ``tonearm __complete WORDS`` is to give.

    Parameters
    ----------
    app : Typer
        The program.
    words : sequence of str
        What was typed after ``tonearm``; the last one may be empty.
    """
    print(*candidates(app, words), sep="\n")
