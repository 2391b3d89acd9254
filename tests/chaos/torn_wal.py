"""The write-ahead log of SQLite as a kill in the middle of a commit leaves it.

The format: https://sqlite.org/fileformat2.html#the_write_ahead_log
"""

import random
import struct
from pathlib import Path

HEAD, FRAME_HEAD = 32, 24


def tear(database: Path, dice: random.Random) -> None:
    """Put the beginning of a transaction behind the last one that was committed.

    Its frames bear the right salts, as far as they got: one is whole, one is cut off.
    """
    log = database.with_name(database.name + "-wal")
    content = log.read_bytes()
    size = FRAME_HEAD + struct.unpack_from(">I", content, 8)[0]
    salts = content[16:24]
    end = at = HEAD
    while content[at + 8 : at + 16] == salts and at + size <= len(content):
        at += size
        (pages,) = struct.unpack_from(">I", content, at - size + 4)
        end = at if pages else end
    assert end > HEAD, "nothing was committed: there is nothing to tear"
    frame = struct.pack(">II", 1, 0) + salts + dice.randbytes(size - 16)
    with log.open("r+b") as file:
        file.seek(end)
        file.write(frame + frame[: dice.randrange(1, size)])
