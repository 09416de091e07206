"""``python -m toccata``: the command line."""

import sys

from toccata.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
