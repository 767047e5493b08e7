"""A model adapted to the corrections: `earmark adapt` in a process of its own, which a thread looks after.

``python -m earmark.server.adapting MODEL TIMELINES.csv ADAPTED.onnx JOBS`` writes what it does to standard
output, a line of JSON each, and ends with all of its own processes as soon as its standard input is closed.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

from earmark.errors import EarmarkError
from earmark.pool import Limits, resident_mb
from earmark.server.crew import Cancelled, Order, orders_of
from earmark.server.tasks import Adapt, Outcome

_LOOK_S = 0.1
_log = logging.getLogger("earmark.server")


class Learner:
    """A thread that has models adapted, one after the other; close it after use.

    Parameters
    ----------
    limits : Limits
        Of each; that of memory is of the process that learns, not of those that listen for it.
    jobs : int
        Recordings heard at a time.
    take : callable
        As in `Crew`.
    say : callable
        Called with a task and what is being done.
    """

    def __init__(
        self,
        limits: Limits,
        jobs: int,
        take: Callable[[float | None], Order | None],
        say: Callable[[Adapt, str], None],
    ) -> None:
        self._limits, self._jobs, self._take, self._say = limits, jobs, take, say
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End what is at work; `take` must return None by now."""
        self._ends.set()
        self._thread.join(10)

    def _serve(self) -> None:
        for order in orders_of(self._take, self._ends):
            try:
                assert isinstance(order.task, Adapt)
                order.result.set_result(self._run(order, order.task))
            except Cancelled as err:
                order.result.set_exception(err)
            except OSError as err:
                order.result.set_result(Outcome(error=f"it cannot be begun ({err.strerror or err})"))
            except Exception as err:  # the orders to come must not suffer from it
                _log.exception("a model cannot be made")
                order.result.set_result(Outcome(error=str(err)))

    def _run(self, order: Order, task: Adapt) -> Outcome:
        places = [task.model, str(task.timelines), str(task.target)]
        command = [sys.executable, "-m", __name__, *places, str(self._jobs)]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        since, last = time.monotonic(), Outcome(error="it ended without a word; see the server's log")
        with subprocess.Popen(command, text=True, start_new_session=True, **pipes) as process:
            try:
                lines: SimpleQueue[str | None] = SimpleQueue()
                threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
                while True:
                    if self._ends.is_set() or order.cancelled.is_set():
                        raise Cancelled
                    if (why := self._exceeded(process.pid, time.monotonic() - since)) is not None:
                        return Outcome(error=why)
                    try:
                        line = lines.get(timeout=_LOOK_S)
                    except Empty:
                        continue
                    if line is None:
                        return last
                    try:
                        said = json.loads(line)
                    except ValueError:
                        continue  # words of a library's
                    if "stage" in said:
                        self._say(task, said["stage"])
                    else:
                        last = Outcome(said.get("result"), said.get("error"))
            finally:
                _end(process)

    def _exceeded(self, pid: int, seconds: float) -> str | None:
        limits = self._limits
        if limits.seconds is not None and seconds > limits.seconds:
            return f"it took longer than {limits.seconds:g} s, the limit of time"
        if limits.memory_mb is not None and (resident_mb(pid) or 0.0) > limits.memory_mb:
            return f"it took more than {limits.memory_mb:g} MB, the limit of memory"
        return None


def _read(pipe: IO[str], lines: SimpleQueue[str | None]) -> None:
    for line in pipe:
        lines.put(line)
    lines.put(None)


def _end(process: subprocess.Popen[str]) -> None:
    """End a process and those it has begun."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(2)
    except subprocess.TimeoutExpired:
        process.kill()


def main(model: str, timelines: str, target: str, jobs: str) -> None:
    """Adapt a model to corrected timelines, and write it if anything is gained."""
    out = sys.stdout
    sys.stdout = sys.stderr  # nobody else's words come between

    def write(**said: Any) -> None:
        out.write(json.dumps(said) + "\n")
        out.flush()

    threading.Thread(target=_end_with_input, daemon=True).start()
    from earmark.train.adapting import adapt, read_marked

    try:
        marked, problems = read_marked(timelines)
        adapted = adapt(model, marked, jobs=int(jobs), tell=lambda text: write(stage=text))
        report = adapted.report
        made = report.changed or bool(report.new_labels)
        if made:
            adapted.write(Path(target))
        facts = report.to_dict()
        left_out = len(problems) + len(facts.pop("failed"))
        write(result={"made": made, "left_out": left_out, **facts})
    except EarmarkError as err:
        write(error=str(err))


def _end_with_input() -> None:
    sys.stdin.read()
    if sys.platform != "win32":
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
