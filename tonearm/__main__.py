"""``python -m tonearm``."""

from tonearm.cli.app import main

if __name__ == "__main__":
    main()
