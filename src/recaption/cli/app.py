"""The application that commands are hung on, and its exit codes.

0 done · 1 a model or service is gone, run again to go on, or an unexpected error · 2 the caller can mend it ·
3 done, but more records failed than `--max-failed` allows, a check found faults or a gate failed ·
130 interrupted, run again to go on.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated, NoReturn

import typer

from recaption import __version__
from recaption.core.errors import BackendError, RecaptionError, UserError
from recaption.core.printable import printable

__all__ = ["EXIT_CHECK_FAILED", "Interrupted", "app", "complain", "start"]

EXIT_USER_ERROR, EXIT_CHECK_FAILED, EXIT_INTERRUPTED = 2, 3, 130

app = typer.Typer(
    name="recaption",
    help="Rewrite the captions of image-text datasets, and prove that they got better.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def start() -> NoReturn:
    """Run the command line and leave with its exit code; wrong use is said by the argument parser, with code 2."""
    # A polite end by the system is an interruption like any other: what is committed stays.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # What that library has to say is for those who program with it; what matters is raised.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    try:
        app()
    except (Interrupted, KeyboardInterrupt):
        complain("interrupted; run the same command again to go on where it stopped")
        sys.exit(EXIT_INTERRUPTED)
    except UserError as error:
        complain(str(error))
        sys.exit(EXIT_USER_ERROR)
    except BackendError as error:
        complain(f"{error}\nWhat was committed stays; run the same command again to go on.")
    except RecaptionError as error:
        complain(str(error))
    sys.exit(1)


class Interrupted(Exception):
    """The argument parser may keep KeyboardInterrupt to itself, without a word; this one passes through it."""


def complain(message: str) -> None:
    for line in message.splitlines():
        sys.stderr.write(f"recaption: {printable(line)}\n")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"recaption {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version
