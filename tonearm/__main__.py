"""``tonearm`` and ``python -m tonearm``."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C while it loads is not an error either."""
    try:
        from tonearm.cli import app, console
    except KeyboardInterrupt:
        sys.exit(130)
    console.usable_streams()
    app.main()


if __name__ == "__main__":
    main()
