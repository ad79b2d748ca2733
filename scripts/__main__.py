"""Run one of the commands in this folder: python -m scripts NAME, or ./checkpoints NAME."""

import sys

from scripts.console import dispatch

if __name__ == "__main__":
    sys.exit(dispatch.main())
