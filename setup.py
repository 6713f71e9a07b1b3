"""Man pages and tab completion, made from the program as the wheel is built.

Everything else is in pyproject.toml. What is installed below share/ is found by man, bash, zsh and
fish where Python's prefix is one they look in (/usr, /usr/local, an active Conda environment).
"""

import sys
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent
MADE = Path("build") / "share"


def shared_files() -> list[tuple[str, list[str]]]:
    """Folders below the prefix with their files; none where typer is not installed."""
    sys.path.insert(0, str(ROOT))
    try:
        from tonearm.cli import completion, manual
        from tonearm.cli.app import app
        from tonearm.cli.reference import pages
    except ImportError as error:
        print(f"no man pages: {error}", file=sys.stderr)
        return []
    finally:
        sys.path.remove(str(ROOT))
    found = [("share/man/man1", manual.write_man(pages(app), MADE / "man"))]
    for shell, folder, name in (
        ("bash", "share/bash-completion/completions", "tonearm"),
        ("zsh", "share/zsh/site-functions", "_tonearm"),
        ("fish", "share/fish/vendor_completions.d", "tonearm.fish"),
    ):
        path = MADE / shell / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(completion.script(shell), encoding="utf-8", newline="\n")
        found.append((folder, [path]))
    return [(folder, [path.as_posix() for path in paths]) for folder, paths in found]


setup(data_files=shared_files())
