"""Where LanguageTool is to be had: at an address of this machine, or in a folder, to be started and stopped by us."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from recaption.core.errors import RecaptionError
from recaption.evaluation.extract.languagetool import CheckError, LanguageTool, is_here, parsed_address
from recaption.evaluation.metric import Unavailable
from recaption.evaluation.options import Options
from recaption.models.openai.server import ManagedServer
from recaption.models.openai.settings import ServerSettings

__all__ = ["JAR", "opened"]

JAR: Final = "languagetool-server.jar"
_MAIN: Final = "org.languagetool.server.HTTPServer"
_STARTUP_S: Final = 120.0
_HINT: Final = (
    f"Give the address of a running server (languagetool: http://127.0.0.1:8081), or a folder with {JAR} of "
    "LanguageTool's stand-alone download, and install Java 17 or newer"
)
_PROBE: Final = "This is a sentence."


@contextmanager
def opened(options: Options, *, timeout_s: float = 30.0) -> Iterator[tuple[LanguageTool, str]]:
    """Give a server that answers, and its version; one that we started is stopped at the end.

    Raises:
        Unavailable: There is none; the message says what to install or to mend.
    """
    named = options.languagetool
    if named is None:
        raise Unavailable(f"no LanguageTool. {_HINT}.")
    if "://" in named:
        yield _answering(_client(named, elsewhere=options.languagetool_elsewhere, timeout_s=timeout_s))
        return
    server = _server(Path(named))
    try:
        try:
            server.start()
        except RecaptionError as error:
            raise Unavailable(f"LanguageTool in {named} does not start: {error}") from error
        yield _answering(LanguageTool(server.url, timeout_s=timeout_s))
    finally:
        server.stop()


def _client(url: str, *, elsewhere: bool, timeout_s: float) -> LanguageTool:
    try:
        parts = parsed_address(url)
    except ValueError as error:
        raise Unavailable(f"languagetool {url!r}: {error}.") from error
    if not elsewhere and not is_here(parts):
        raise Unavailable(
            f"languagetool {url!r} is not on this machine, and the texts would be sent there. "
            "Set languagetool_elsewhere to allow it."
        )
    return LanguageTool(url, timeout_s=timeout_s)


def _answering(client: LanguageTool) -> tuple[LanguageTool, str]:
    try:
        return client, client.check(_PROBE).version
    except CheckError as error:
        raise Unavailable(f"LanguageTool at {client.url}: {error}. {_HINT}.") from error


def _server(folder: Path) -> ManagedServer:
    jar = next((path for path in (folder / JAR, *sorted(folder.glob(f"*/{JAR}"))) if path.is_file()), None)
    if jar is None:
        raise Unavailable(f"languagetool: there is no {JAR} in {folder}. {_HINT}.")
    java = _java()
    if java is None:
        raise Unavailable(f"languagetool: {JAR} is here, Java is not. {_HINT}.")
    settings = ServerSettings(
        command=(java, "-cp", str(jar.resolve()), _MAIN, "--port", "{port}"),
        health="/v2/languages",
        startup_timeout_s=_STARTUP_S,
        restarts=0,
    )
    return ManagedServer(settings, "http://127.0.0.1:{port}")


def _java() -> str | None:
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
