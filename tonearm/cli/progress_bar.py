"""Progress bars on stderr, for all commands; nothing where stderr is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tonearm.cli.console import quiet_decoders

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


class Progress:
    """A bar on stderr with rate and time left; nothing if stderr is not a terminal.

    Parameters
    ----------
    total : int or None
        Number of items; None draws a bar without an end.
    unit : str
        What the items are, in the plural.
    """

    def __init__(self, total: int | None, *, unit: str) -> None:
        self._unit = unit
        # By item, because several are in progress and each reports what it has done in all.
        self._fractions: dict[int, float] = {}
        self._bar = _new_bar() if sys.stderr.isatty() else None
        if self._bar:
            self._task = self._bar.add_task("", total=total, rate="", note="")

    def advance(self, amount: float = 1, *, failures: int = 0) -> None:
        """One more is done, unless :meth:`report` said so already (``amount`` 0).

        Parameters
        ----------
        amount : float
            Items done since the last call.
        failures : int
            Items that failed so far.
        """
        if not self._bar:
            return
        self._bar.advance(self._task, amount)
        # At the end Rich has no speed any more, but that of the whole.
        speed = self._bar.tasks[0].finished_speed or self._bar.tasks[0].speed
        note = f"[red]{failures} failed" if failures else ""
        rate = f"{speed:.1f} {self._unit}/s" if speed else ""
        self._bar.update(self._task, rate=rate, note=note)

    def report(self, number: int, fraction: float) -> None:
        """So much of the item of that number is done, 0 to 1; several may be in progress.

        Parameters
        ----------
        number : int
            Which item.
        fraction : float
            How much of it is done, 0 to 1.
        """
        if self._bar:
            before = self._fractions.get(number, 0.0)
            self._fractions[number] = fraction
            self._bar.advance(self._task, fraction - before)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the bar off the terminal while something else is printed there."""
        if self._bar:
            self._bar.stop()
        try:
            yield
        finally:
            if self._bar:
                self._bar.start()

    def note(self, text: str) -> None:
        """Words at the end of the line.

        Parameters
        ----------
        text : str
            Shown at the end of the line.
        """
        if self._bar:
            self._bar.update(self._task, note=text)

    def __enter__(self) -> Progress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()


class Counting:
    """The progress bar of work whose number of items is known only once it has begun.

    Meanwhile what decoders print themselves is kept off stderr.

    Parameters
    ----------
    unit : str
        What the items are, in the plural.
    """

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._stack = ExitStack()
        self._drawn = ExitStack()  # closed when another bar takes its place
        self._bar: Progress | None = None
        self._started = False
        self._done = 0
        self.total = 0  # items of all bars

    def looking(self, found: str) -> None:
        """Say what was found so far, before it is known how much there is to do.

        Parameters
        ----------
        found : str
            What was found, in words.
        """
        if self._bar is None:
            self._draw(None)
        if self._bar:
            self._bar.note(found)

    def start(self, total: int) -> None:
        """Draw the bar, unless there is nothing to do.

        Parameters
        ----------
        total : int
            Number of items.
        """
        self._started, self._done = True, 0
        self.total += total
        self._drawn.close()
        self._bar = None
        if total:
            self._draw(total)

    def done(self, done: int, failures: int) -> None:
        """So many are done, and so many of them have failed.

        Parameters
        ----------
        done, failures : int
            Items that are done, and how many of these failed.
        """
        if self._bar:
            self._bar.advance(done - self._done, failures=failures)
        self._done = done

    def reach(self, total: int, done: int, failures: int) -> None:
        """:meth:`start`, if that has not been called yet, and then :meth:`done`.

        Parameters
        ----------
        total, done, failures : int
            Number of items, and as of :meth:`done`.
        """
        if not self._started:
            self.start(total)
        self.done(done, failures)

    def _draw(self, total: int | None) -> None:
        self._bar = self._drawn.enter_context(Progress(total, unit=self._unit))

    def __enter__(self) -> Counting:
        # Decoders write to stderr themselves, which would tear the bar apart.
        self._stack.enter_context(quiet_decoders())
        self._stack.enter_context(self._drawn)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        # A second piece of work of the same command draws a bar of its own.
        self._bar, self._started = None, False


def _new_bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    return Bar(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        transient=True,  # the bar goes when the work is done: reports are what stays
        # Else Rich sends what is printed to stdout to its own console, on stderr.
        redirect_stdout=False,
        redirect_stderr=False,
    )
