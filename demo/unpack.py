"""Unpack an .xz file sparsely: runs of zeros become holes. `python unpack.py SOURCE TARGET`."""

import lzma
import sys

PIECE = 1 << 16

source, target = sys.argv[1:]
with lzma.open(source) as packed, open(target, "wb") as image:  # noqa: PTH123
    while piece := packed.read(PIECE):
        if piece.count(0) == len(piece):
            image.seek(len(piece), 1)
        else:
            image.write(piece)
    image.truncate()
