"""``tonearm status``: show what is in the library, in numbers."""

from __future__ import annotations

from tonearm.cli import console
from tonearm.cli.library_options import (
    Form,
    FormOption,
    Location,
    location,
    print_object,
    say_if_empty,
)


def status(
    library: Location = None,
    output_format: FormOption = Form.table,
    verbose: console.Verbose = False,
) -> None:
    """Show what is in the library.

    Counts genres, missing tags, errors and copies, and shows how confident the genres are.
    `tonearm list` names the files.
    """
    from tonearm.library import overview
    from tonearm.library.store import Library

    with Library(location(library)) as opened:
        seen = overview.overview(opened)
        if output_format is Form.json:
            print_object({"library": str(opened.path), **seen.to_dict()})
            return
        from tonearm.cli.library_views import show_overview

        show_overview(seen, opened.path)
        say_if_empty(opened)
