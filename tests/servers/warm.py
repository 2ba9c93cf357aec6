"""The command line in a process of its own, forked from one that has the libraries loaded: each test would spend more
time on importing them than on what it tests. Starting from nothing is tested where the README's commands run."""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Final

import recaption

__all__ = ["Done", "Warm"]

ROOT: Final = Path(__file__).resolve().parents[2]
OTHERS: Final = (
    "PIL.BmpImagePlugin",
    "PIL.GifImagePlugin",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "PIL.WebPImagePlugin",
    "psycopg",
    "sqlalchemy.dialects.sqlite",
    "transformers.models.bert.modeling_bert",
    "transformers.models.clip.modeling_clip",
    "transformers.models.gpt2.modeling_gpt2",
    "transformers.models.vision_encoder_decoder.modeling_vision_encoder_decoder",
    "transformers.models.vit.modeling_vit",
    "uvicorn",
)
"""What is imported when it is first used, beside our own modules and what these import."""


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


class Warm:
    """A process that has everything loaded, and runs one command after the other, each in a child."""

    def __init__(self, **env: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.warm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, **env},
            text=True,
        )
        atexit.register(self.close)

    def run(self, *arguments: str, cwd: Path | None = None) -> Done:
        """Run a command line to its end."""
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder) / "out", Path(folder) / "err"
            told = {"arguments": arguments, "cwd": str(cwd or Path.cwd()), "out": str(out), "err": str(err)}
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(told) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
            assert answer, "the process that runs commands is gone"
            return Done(int(answer), out.read_text("utf-8", "replace"), err.read_text("utf-8", "replace"))

    def close(self) -> None:
        """End the process."""
        with suppress(OSError):
            self._process.kill()
            self._process.communicate()


def _serve() -> list[str]:
    """Fork for every line that comes in; return in the child, with its arguments."""
    ours = [module.name for module in walk_packages(recaption.__path__, "recaption.")]
    for name in [*(name for name in ours if not name.endswith("__main__")), *OTHERS]:
        with suppress(ImportError):  # an extra that is not installed is not installed in the child either
            import_module(name)
    gc.freeze()  # what is loaded is looked through by no child
    for line in sys.stdin:
        told = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(told)
            return [str(argument) for argument in told["arguments"]]
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()
    sys.exit(0)


def _become(told: dict[str, str]) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(told[name], os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), number)
    os.chdir(told["cwd"])
    signal.signal(signal.SIGINT, signal.default_int_handler)


if __name__ == "__main__":
    sys.argv = ["recaption", *_serve()]
    from recaption.cli import main

    code: object = 1
    try:
        main()
    except SystemExit as error:
        code = error.code
    except BaseException:
        traceback.print_exc()
    finally:
        # What a process does at its end, but for taking everything apart that was loaded: that takes seconds.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))
