"""The command `tsunagi-notify`: see `tsunagi-notify --help`."""

from __future__ import annotations

import sys

from tsunagi_notify.app import SERVICE
from tsunagi_shared import commands


def main() -> int:
    """Run one command; 0 when it did what was asked."""
    return commands.main(SERVICE)


if __name__ == "__main__":
    sys.exit(main())
