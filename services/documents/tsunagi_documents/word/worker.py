"""The engine's worker process: orders on its standard input, answers on its standard output, over at end of file.

Run as `python -m tsunagi_documents.word.worker <memory limit in bytes>`; only `tsunagi_documents.engine` starts it.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from typing import BinaryIO

import msgspec

from tsunagi_documents.engine import RenderFailed
from tsunagi_documents.word.frames import HEADER_BYTES, Answer, Order, frame, size_of
from tsunagi_documents.word.render import render_word

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def serve(orders: BinaryIO, answers: BinaryIO) -> None:
    """Answer orders one by one until end of file. Blocks in read while idle."""
    _send(answers, Answer())
    while header := orders.read(HEADER_BYTES):
        order = msgspec.msgpack.decode(orders.read(size_of(header)), type=Order)
        context = msgspec.json.decode(order.context, type=dict[str, object])
        try:
            word = render_word(order.template, context, marks=order.marks, title=order.title)
            answer = Answer(word=word)
        except RenderFailed as failure:
            answer = Answer(code=failure.code)
        _send(answers, answer)


def _send(answers: BinaryIO, answer: Answer) -> None:
    answers.write(frame(answer))
    answers.flush()


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
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a stray print must not be read as an answer
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    try:
        main()
    except MemoryError:
        os._exit(1)
