"""``tonearm`` and ``python -m tonearm``."""

import signal
import sys


def main() -> None:
    """Run the command line; Ctrl-C while it loads is not an error either."""
    # `systemctl stop`, `docker stop` and `timeout` ask so: what was done is kept as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        from tonearm.cli import app, console
    except KeyboardInterrupt:
        sys.exit(130)
    console.usable_streams()
    app.main()


if __name__ == "__main__":
    main()
