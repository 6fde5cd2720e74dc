"""The engine's worker process: orders and answers through a socket that it inherits, over at end of file.

Run as `python -m tsunagi_documents.word.worker <memory limit in bytes> <socket>`; only `tsunagi_documents.engine` starts it.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import sys
from collections import OrderedDict
from typing import BinaryIO

import msgspec

from tsunagi_documents.engine import RenderFailed
from tsunagi_documents.word.frames import HEADER_BYTES, TEMPLATE_WANTED, Answer, Order, frame, size_of
from tsunagi_documents.word.render import Sheet

KEPT_SHEETS = 64
KEPT_BYTES = 64 << 20  # of templates; what is compiled of them comes on top, some 300 kB each
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


class Sheets:
    """The templates last used, by their sha256."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, Sheet] = OrderedDict()
        self._bytes = 0

    def of(self, order: Order) -> Sheet | None:
        """The template of this order, None when it is not kept and does not come along."""
        if order.digest in self._kept:
            self._kept.move_to_end(order.digest)
            return self._kept[order.digest]
        if not order.template:
            return None
        self._kept[order.digest] = Sheet(order.template)
        self._bytes += len(order.template)
        while len(self._kept) > 1 and (len(self._kept) > KEPT_SHEETS or self._bytes > KEPT_BYTES):
            self._bytes -= len(self._kept.popitem(last=False)[1].template)
        return self._kept[order.digest]


def serve(orders: BinaryIO, answers: socket.socket) -> None:
    """Answer orders one by one until end of file. Blocks in read while idle."""
    sheets = Sheets()
    answers.sendall(frame(Answer()))
    while header := orders.read(HEADER_BYTES):
        order = msgspec.msgpack.decode(orders.read(size_of(header)), type=Order)
        answers.sendall(frame(_answer(sheets.of(order), order)))


def _answer(sheet: Sheet | None, order: Order) -> Answer:
    if sheet is None:
        return Answer(code=TEMPLATE_WANTED)
    context = msgspec.json.decode(order.context, type=dict[str, object])
    try:
        return Answer(word=sheet.render(context, marks=order.marks, title=order.title))
    except RenderFailed as failure:
        return Answer(code=failure.code)


def main() -> None:
    """Limit this process, tie it to its parent and serve."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return  # the parent died before the line above took hold
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business: it closes our input
    memory_bytes = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold the form
    with socket.socket(fileno=int(sys.argv[2])) as channel, channel.makefile("rb") as orders:
        serve(orders, channel)


if __name__ == "__main__":
    try:
        main()
    except MemoryError:
        os._exit(1)
