"""A zip file put together from members that are already deflated and members that change, all with the same fixed date.

Source: APPNOTE.TXT 6.3.10, §4.3.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_VERSION = 20
_UTF8 = 0x800
_DEFLATED = 8
_DATE, _TIME = (1 << 5) | 1, 0  # 1980-01-01 00:00
_MODE = 0o600 << 16
MOST_BYTES = 0xFFFFFFFF  # beyond that a zip needs other headers
FAST = 1  # a third larger than level 6, in a third of the time


@dataclass(frozen=True)
class Member:
    """One member, ready to be written: everything but where it will stand."""

    local: bytes
    central: bytes
    size: int


def member(name: str, pieces: Iterable[bytes], level: int = 6) -> Member:
    """Deflate a member, piece by piece. ValueError when it is too large for a plain zip."""
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
    size = checksum = 0
    packed = []
    for piece in pieces:
        size += len(piece)
        checksum = zlib.crc32(piece, checksum)
        packed.append(packer.compress(piece))
    packed.append(packer.flush())
    packed_size = sum(map(len, packed))
    if max(size, packed_size) > MOST_BYTES:
        raise ValueError("member too large")
    path = name.encode()
    common = (_VERSION, _UTF8, _DEFLATED, _TIME, _DATE, checksum, packed_size, size, len(path), 0)
    local = b"".join((_LOCAL.pack(b"PK\x03\x04", *common), path, *packed))
    # Made on Unix (3), so that the mode is read; the offset follows when it is known.
    central = _CENTRAL.pack(b"PK\x01\x02", 3 << 8 | _VERSION, *common, 0, 0, 0, _MODE, 0)[:-4]
    return Member(local, central, len(local))


def archive(members: Iterable[tuple[str, Member]]) -> bytes:
    """The zip file of these members, in this order. ValueError when it is too large for a plain zip."""
    pieces: list[bytes] = []
    directory: list[bytes] = []
    offset = 0
    for name, each in members:
        if offset > MOST_BYTES:
            raise ValueError("archive too large")
        pieces.append(each.local)
        directory.append(each.central + offset.to_bytes(4, "little") + name.encode())
        offset += each.size
    listing = b"".join(directory)
    end = _END.pack(b"PK\x05\x06", 0, 0, len(directory), len(directory), len(listing), offset, 0)
    return b"".join((*pieces, listing, end))


def contents(packed: bytes) -> Iterable[tuple[str, bytes]]:
    """The members of a zip file, in its order."""
    with zipfile.ZipFile(io.BytesIO(packed)) as source:
        for entry in source.infolist():
            yield entry.filename, source.read(entry)
