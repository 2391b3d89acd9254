"""Lets the clock of a process jump: `time.time` is off by the seconds that a file holds.

Python imports this at its start when the folder is on `PYTHONPATH`; `CLOCK_OFF_BY` names the
file, which holds a double.
"""

import mmap
import os
import struct
import time

_right = time.time
with open(os.environ["CLOCK_OFF_BY"], "rb") as _file:  # noqa: PTH123 - before anything else is imported
    _off_by = mmap.mmap(_file.fileno(), 8, access=mmap.ACCESS_READ)


def _wrong() -> float:
    (seconds,) = struct.unpack_from("d", _off_by)
    return _right() + float(seconds)


time.time = _wrong
