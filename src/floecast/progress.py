"""Progress of long work: a bar on a terminal, plain lines elsewhere."""

import time
from typing import Any


class Silent:
    """No progress, for use from Python."""

    def stage(self, name, status):
        """Say nothing."""

    def advance(self, done, total):
        """Say nothing."""


class PlainProgress:
    """One line a stage and, at most every ten seconds, one with the time left.

    Parameters
    ----------
    stream : text stream
    """

    def __init__(self, stream):
        self._stream = stream
        self._told = time.monotonic()
        self._first = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def stage(self, name, status):
        """Say that a stage begins (or was done before)."""
        self._told = time.monotonic()
        self._first = None
        print(f"{name}: {status}", file=self._stream, flush=True)

    def advance(self, done, total):
        """Say how far the stage is; what does not go on from the first report begins anew."""
        now = time.monotonic()
        if self._first is None or done <= self._first[1]:
            self._first = (now, done)  # it holds the compilation, which the others do not
        elif now - self._told >= 10 and done < total:
            self._told = now
            left = (now - self._first[0]) / (done - self._first[1]) * (total - done)
            print(f"  {done} of {total}, about {left:.0f} s left", file=self._stream, flush=True)


class TerminalProgress:
    """The same as a bar that renews itself."""

    def __init__(self, stream):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeRemainingColumn(),
            console=Console(file=stream),
            transient=True,
        )
        self._task: Any = None
        self._done: Any = None

    def __enter__(self):
        self._bar.start()
        return self

    def __exit__(self, *error):
        self._bar.stop()

    def stage(self, name, status):
        """Say that a stage begins (or was done before)."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._bar.console.print(f"{name}: {status}")
        self._task = self._bar.add_task(name, total=None)
        self._done = 0

    def advance(self, done, total):
        """Say how far the stage is; what does not go on from the last report begins anew."""
        if done <= self._done:
            self._bar.reset(self._task)
        self._done = done
        self._bar.update(self._task, completed=done, total=total)


def progress_for(stream):
    """The progress that suits a stream."""
    return TerminalProgress(stream) if stream.isatty() else PlainProgress(stream)
