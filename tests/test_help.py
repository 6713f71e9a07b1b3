"""The help: every command in a group, short sentences, one meaning for each option."""

from __future__ import annotations

import re

import pytest
import typer

from tonearm.cli.app import app

ROOT = typer.main.get_command(app)
COMMANDS = dict(sorted(ROOT.commands.items()))
SHARED = {"--format": "-f", "--output": "-o", "--jobs": "-j", "--genre": "-g"}


def options(name: str) -> list:
    return [given for given in COMMANDS[name].params if given.param_type_name == "option"]


def first_sentence(text: str) -> str:
    return re.split(r"(?<=\.)\s", text.strip(), maxsplit=1)[0]


def test_every_command_is_in_a_group(tonearm) -> None:
    shown = tonearm("--help").out
    assert "Other:" not in shown
    for name in COMMANDS:
        assert re.search(rf"^  {name} ", shown, re.M), f"{name} is not listed"
    assert "..." not in shown.partition("Analyse:")[2], "a sentence is cut"


@pytest.mark.parametrize("name", COMMANDS)
def test_first_sentences_fit_a_list(name: str) -> None:
    sentence = first_sentence(COMMANDS[name].help or "")
    assert sentence.endswith("."), sentence
    assert len(sentence) <= 45, sentence
    for option in options(name):
        if option.name not in ("format", "output_format"):  # its choices say it
            assert option.help, f"{name} {option.opts[0]} has no help"
        sentence = first_sentence(re.sub(r"\s*\[default: .*", "", option.help or ""))
        assert len(sentence) <= 50, f"{name} {option.opts[0]}: {sentence}"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_at_most_a_dozen_options(name: str) -> None:
    own = {option.opts[0] for option in options(name) if not option.hidden}
    own -= {"--verbose", "-h", "--help"}
    assert len(own) <= 12, own


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_has_one_short_form(name: str) -> None:
    for option in options(name):
        short = [word for word in option.opts if re.fullmatch(r"-\w", word)]
        long = [word for word in option.opts if word.startswith("--")]
        for word in long:
            if word in SHARED:
                assert short == [SHARED[word]], f"{name} {word}"
        for word in short:
            if word in SHARED.values():
                assert long[0] in SHARED, f"{name} {word} is {long[0]}"
