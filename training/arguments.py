"""What is wrong with a script's arguments, in one line."""

import argparse
import math
from collections.abc import Callable
from typing import NoReturn

import torch


class Parser(argparse.ArgumentParser):
    """Says what is wrong without repeating the usage."""

    def error(self, message: str) -> NoReturn:
        """Leave with status 2."""
        self.exit(2, f"{self.prog}: {message}; see --help\n")


def at_least(lowest: int) -> Callable[[str], int]:
    """Return a type for whole numbers from `lowest` on."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = lowest - 1
        if value < lowest:
            raise argparse.ArgumentTypeError(f"must be a whole number, {lowest} or more, not {text!r}")
        return value

    return number


def above_zero(text: str) -> float:
    """Return a finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")
    return value


def device(text: str) -> torch.device:
    """Return a device that this machine has."""
    try:
        found = torch.device(text)
        torch.empty(0, device=found)
    # A torch without CUDA raises AssertionError.
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0][:120]
        raise argparse.ArgumentTypeError(f"cannot use {text!r} ({reason})") from error
    return found
