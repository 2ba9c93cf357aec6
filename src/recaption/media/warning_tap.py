"""Collects a library's warnings in the thread that caused them.

`warnings.catch_warnings` swaps process-wide state and is not safe when several threads decode at once; this tap
is installed once while any thread needs it, and hands every warning to its own thread.
"""

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["WarningTap"]


class WarningTap:
    """Keeps the warnings of modules matching a pattern from escaping, and returns them."""

    def __init__(self, modules: str) -> None:
        self._modules = modules
        self._lock = threading.Lock()
        self._users = 0
        self._heard = threading.local()
        self._saved: warnings.catch_warnings[None] | None = None
        self._show: Callable[..., None] = warnings.showwarning

    @contextmanager
    def listen(self) -> Iterator[list[str]]:
        """Yield a list that fills with the messages of this thread's warnings."""
        messages: list[str] = []
        with self._lock:
            if self._users == 0:
                self._install()
            self._users += 1
        self._heard.messages = messages
        try:
            yield messages
        finally:
            self._heard.messages = None
            with self._lock:
                self._users -= 1
                if self._users == 0 and self._saved is not None:
                    self._saved.__exit__(None, None, None)
                    self._saved = None

    def _install(self) -> None:
        self._saved = warnings.catch_warnings()
        self._saved.__enter__()
        self._show = warnings.showwarning
        warnings.filterwarnings("always", module=self._modules)
        warnings.showwarning = self._route

    def _route(self, message: Warning | str, *details: Any, **more: Any) -> None:
        messages = getattr(self._heard, "messages", None)
        if messages is None:
            self._show(message, *details, **more)
        else:
            messages.append(str(message))
