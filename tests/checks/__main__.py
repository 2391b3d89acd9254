"""The checks of names, as `make check` runs them: `python -m tests.checks`."""

import sys

from tests.checks.names import find_faults

if __name__ == "__main__":
    faults = [str(fault) for fault in find_faults()]
    for fault in faults:
        print(fault)  # noqa: T201 - a command's output
    sys.exit(bool(faults))
