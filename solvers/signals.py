"""Signals that ask a training to stop, or to take a snapshot, when its step is done."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

STOP = [getattr(signal, name) for name in ("SIGINT", "SIGTERM") if hasattr(signal, name)]
SNAPSHOT = [getattr(signal, name) for name in ("SIGHUP",) if hasattr(signal, name)]

NUMBERS = STOP + SNAPSHOT


class Signals:
    """Inside ``with``, SIGINT and SIGTERM set ``stop``, and SIGHUP sets ``snapshot``.

    A second SIGINT or SIGTERM stops at once. Handlers can be set in the main thread only; in another one signals do
    what they always did. SIGINT and SIGTERM stay ignored where they are, as a shell sets it for what runs in the
    background.
    """

    def __init__(self) -> None:
        self.stop: signal.Signals | None = None
        self.snapshot = False
        self._come: set[int] = set()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Signals:
        try:
            for number in NUMBERS:
                if number in SNAPSHOT or signal.getsignal(number) is not signal.SIG_IGN:  # as in the background
                    self._before[number] = signal.signal(number, self._take)
        except ValueError:  # not the main thread
            pass
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            # None: set by something else than Python, and cannot be put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def take(self) -> list[bool]:
        """Return which signals have come since it was last asked, for ``heed``."""
        come, self._come = self._come, set()
        return [number in come for number in NUMBERS]

    def heed(self, counts: Sequence[float]) -> None:
        """Set ``stop`` and ``snapshot`` by what has come, here or in other processes: all act at the same step."""
        come = [number for number, count in zip(NUMBERS, counts, strict=True) if count]
        self.stop = self.stop or next((number for number in come if number in STOP), None)
        self.snapshot = self.snapshot or any(number in SNAPSHOT for number in come)

    def leave(self) -> None:
        """Leave as the signal asks for: KeyboardInterrupt for SIGINT, exit code 128 + n for others."""
        if self.stop == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + int(self.stop or 0))

    def _take(self, number: int, frame: FrameType | None) -> None:
        if number in STOP and (self.stop is not None or not self._come.isdisjoint(STOP)):
            self.stop = signal.Signals(number)
            self.leave()
        self._come.add(signal.Signals(number))
        if number == signal.SIGINT:
            print("\nfinishing the step; again to stop at once", file=sys.stderr, flush=True)  # noqa: T201
