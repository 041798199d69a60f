"""The process in which a back-test runs: one task after the other from its standard input, until that ends.

It is low in priority, computes on one core, and touches nothing but the files it was given. Standard input is its life
line: when that ends, because it is to stop or because its parent is gone, however that came, the process ends too.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
from queue import SimpleQueue
from typing import BinaryIO

import orjson

from app.backtest.work import Progress, Task
from facility.errors import WatchkeeperError


def main() -> None:
    """Take tasks and answer each with lines: a word (``share``, then ``result`` or ``refused``) and its JSON."""
    os.nice(int(sys.argv[1]))
    answers = sys.stdout.buffer
    tasks: SimpleQueue[Task] = SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, tasks), daemon=True).start()
    while True:
        try:
            for said in tasks.get().run():
                if isinstance(said, Progress):
                    _say(answers, b"share", orjson.dumps(said.share))
                else:
                    _say(answers, b"result", said.model_dump_json().encode())
        except WatchkeeperError as error:
            _say(answers, b"refused", orjson.dumps(str(error)))


def _listen(source: BinaryIO, tasks: SimpleQueue[Task]) -> None:
    try:
        while True:
            tasks.put(pickle.load(source))  # noqa: S301  # only the parent writes here
    except EOFError:
        os._exit(0)  # wherever the other thread is: nobody waits for its answer, and it leaves nothing half-done


def _say(answers: BinaryIO, what: bytes, content: bytes) -> None:
    answers.write(what + b" " + content + b"\n")
    answers.flush()


if __name__ == "__main__":
    main()
