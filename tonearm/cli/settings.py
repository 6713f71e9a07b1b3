"""``tonearm settings``: the defaults of every command, and where each comes from.

The settings file is TOML. Its keys are the long names of options, without their dashes; a table
holds those of one command, and what stands before the tables is for all commands that have it::

    library = "/music/library.sqlite"

    [tag]
    min-confidence = 0.7
    placeholder = ["Other", "Unknown", "Misc"]
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from tonearm.cli import console
from tonearm.cli.library_options import Form, FormOption, location, print_object
from tonearm.errors import SettingsError

VARIABLE = "TONEARM_SETTINGS"
# What a person says each time: as a setting, a look at the plan would write.
_ASKED_EACH_TIME = frozenset({"write", "accept-licence"})
# Values of path options that are not paths.
_NO_PATHS = frozenset({"built-in", "-"})


def settings_path() -> Path:
    """The settings file, which need not be there."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_config_dir("tonearm", appauthor=False)) / "settings.toml"


def is_there() -> bool:
    """Whether there is a settings file; raises SettingsError where one is named that is not."""
    path = settings_path()
    if os.environ.get(VARIABLE) and not path.exists():
        raise SettingsError(f"{path}, which {VARIABLE} names, is not there")
    return path.exists()


def defaults(commands: Mapping[str, Any]) -> dict[str, Any]:
    """What the settings file says, as the defaults of each command's parameters.

    Parameters
    ----------
    commands : mapping of str to click command
        All commands.

    Raises
    ------
    SettingsError
        When the file cannot be read, or names a command or an option that does not exist.
    """
    path = settings_path()
    table = _read(path)
    common = {name: value for name, value in table.items() if not isinstance(value, dict)}
    found: dict[str, Any] = {}
    known = {name for command in commands.values() for name in _options(command)}
    # A mistyped name would be ignored in silence, and its owner would wonder for long.
    _require_known(path, "", common, known)
    for name, command in commands.items():
        own = table.get(name, {})
        # `tag` is also an option, which is for all commands that have it.
        own = own if isinstance(own, dict) else {}
        options = _options(command)
        _require_known(path, f"[{name}] ", own, set(options))
        # A command's own table wins over what is said for all.
        merged = {**{k: v for k, v in common.items() if k in options}, **own}
        if merged:
            for key, value in merged.items():
                _require_kind(f"{path}: {key}", value, options[key])
            found[name] = {
                options[key].name: _placed(value, options[key], path.parent)
                for key, value in merged.items()
            }
    tables = {name for name, value in table.items() if isinstance(value, dict)}
    _require_known(path, "", tables - set(commands), set())
    return found


def _require_kind(where: str, value: object, parameter: Any) -> None:  # noqa: ANN401 - as below
    """Refuse a kind of value that no option has; ranges and choices are the option's own."""
    wanted: tuple[type, ...] = (str, int, float)
    needed = "a text or a number"
    if getattr(parameter, "is_flag", False):
        # Words such as "yes" are for click to understand.
        wanted, needed = (bool, str), "true or false"
    elif parameter.type.name == "path":
        wanted, needed = (str,), "a path in quotes"
    many = getattr(parameter, "multiple", False)
    for each in value if many and isinstance(value, list) else [value]:
        # To Python True is a number.
        if not isinstance(each, wanted) or (isinstance(each, bool) and bool not in wanted):
            raise SettingsError(f"{where} = {value!r}: {needed} is needed")


def _placed(value: object, parameter: Any, folder: Path) -> object:  # noqa: ANN401 - as above
    """A value of the file as the command takes it: paths begin at the file's own folder."""
    if getattr(parameter, "multiple", False) and not isinstance(value, list):
        return [value]
    is_path = parameter.type.name == "path" and isinstance(value, str) and value not in _NO_PATHS
    # Not where somebody stands: the same command would find another library elsewhere.
    return str(folder.absolute() / Path(str(value)).expanduser()) if is_path else value


def settings(
    context: typer.Context,
    changed: Annotated[
        bool, typer.Option("--changed", help="Show only the values that you changed.")
    ] = False,
    output_format: FormOption = Form.table,
    verbose: console.Verbose = False,
) -> None:
    """Show all settings and where they come from.

    The settings file is TOML: `[tag]`, then lines such as `min-confidence = 0.7`.
    """
    group: Any = context.find_root().command
    path = settings_path()
    rows = list(_rows(group.commands, defaults(group.commands)))
    rows = [row for row in rows if not changed or row["source"] != "program"]
    if output_format is Form.json:
        print_object({"file": str(path), "exists": path.is_file(), "settings": rows})
        return
    state = "" if path.is_file() else " (not there yet)"
    print(f"{console.printable(path)}{state}")
    shown = ""
    for row in rows:
        if row["command"] != shown:
            shown = row["command"]
            print(f"\n[{json.dumps(shown) if ' ' in shown else shown}]")
        print(console.printable(_line(row)))


def _line(row: Mapping[str, Any]) -> str:
    """As the settings file has it, so that it can be copied there: JSON's values are TOML too."""
    if row["value"] is None:
        return f"# {row['option']}: {row['default'] or 'not set'}"
    return f"{row['option']} = {json.dumps(row['value'], ensure_ascii=False)}  # {row['source']}"


def _rows(commands: Mapping[str, Any], file: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, command in commands.items():
        for option, parameter in _options(command).items():
            variable = parameter.envvar
            value, source = parameter.default, "program"
            # A default that is made when it is asked for has no value to show.
            if callable(value):
                value = None
            # Where one's library lies is what people look for.
            if option == "library" and value is None:
                value = location(None)
            if parameter.name in file.get(name, {}):
                value, source = file[name][parameter.name], "settings file"
            # The environment wins over the file, as it does when a command runs.
            if isinstance(variable, str) and variable in os.environ:
                value, source = os.environ[variable], f"${variable}"
            # Choices are enumerations; people write their words.
            value = getattr(value, "value", value)
            # Words for what has no fixed value, such as the number of cores.
            words = parameter.show_default if isinstance(parameter.show_default, str) else None
            row = {"command": name, "option": option, "value": _plain(value)}
            yield {**row, "default": words, "source": source}


def _plain(value: object) -> object:
    """As JSON has it."""
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _options(command: Any) -> dict[str, Any]:  # noqa: ANN401 - typer brings its own click
    """The parameters of a command by the long names of their options."""
    found = {}
    for parameter in command.params:
        longest = max(
            (text for text in parameter.opts if text.startswith("--")), default=None, key=len
        )
        if longest and longest[2:] not in _ASKED_EACH_TIME | {"verbose", "help"}:
            found[longest[2:]] = parameter
    return found


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    import tomllib

    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path} cannot be read as settings: {error}") from None


def _require_known(path: Path, place: str, names: Any, known: set[str]) -> None:  # noqa: ANN401
    for wrong in sorted(set(names) - known):
        if wrong in _ASKED_EACH_TIME:
            raise SettingsError(f"{path}: {place}{wrong} works on the command line only")
        import difflib

        near = difflib.get_close_matches(wrong, known, 1)
        hint = f"did you mean {near[0]}?" if near else "`tonearm settings` lists all"
        raise SettingsError(f"{path}: {place}{wrong}: no such option ({hint})")
