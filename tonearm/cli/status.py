"""``tonearm status``: show what is in the library, in numbers."""

from __future__ import annotations

from typing import Annotated

import typer

from tonearm.cli import console
from tonearm.cli.library_options import Form, FormOption, Location, location


def status(
    library: Location = None,
    errors: Annotated[
        bool, typer.Option("--errors", help="List the files that could not be read.")
    ] = False,
    copies: Annotated[
        bool, typer.Option("--copies", help="List the files that hold the same sound.")
    ] = False,
    output_format: FormOption = Form.table,
    verbose: console.Verbose = False,
) -> None:
    """Show what is in the library.

    Shows genres, confidence, missing tags, errors and copies in numbers.
    """
    from tonearm.library import overview
    from tonearm.library.store import Library

    with Library(location(library)) as opened:
        seen = overview.overview(opened)
        failed = overview.errors(opened) if errors else []
        groups = overview.copies(opened) if copies else []
        if output_format is Form.json:
            from tonearm.cli.formats import to_json

            values = {"schema": 1, "library": str(opened.path), **seen.to_dict()}
            if errors:
                values["failed_files"] = [
                    {"path": path, "message": message} for path, message in failed
                ]
            if copies:
                values["copied_files"] = groups
            print(to_json(values))
            return
        from tonearm.cli.library_views import show_overview

        show_overview(seen, opened.path)
    for path, message in failed:
        print(console.sentence(path, message))
    for group in groups:
        print("\n= ".join(map(console.printable, group)))
