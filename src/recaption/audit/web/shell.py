"""The page as it is sent: one shell in two languages, and a fixed set of files beside it, all held in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

import yaml
from fastapi import Request, Response
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from recaption.audit.project import About
from recaption.audit.web.answers import Refused

__all__ = ["LANGUAGES", "Shell", "language_of", "texts"]

LANGUAGES: Final = ("en", "zh")
COOKIE: Final = "recaption_audit_language"
KINDS: Final = {
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
_PACKAGE: Final = "recaption.audit.web"


@cache
def texts() -> Mapping[str, Mapping[str, Any]]:
    """Return every word of the interface, by language."""
    text = files(_PACKAGE).joinpath("data/texts.yaml").read_text(encoding="utf-8")
    found: Mapping[str, Mapping[str, Any]] = yaml.safe_load(text)
    return found


class Shell:
    """The page around the work."""

    def __init__(self, about: About) -> None:
        self.reasons: Sequence[str] = tuple(texts()["en"]["reasons"])
        """What a rejection is kept as, in the order of the digits; words for them are in the texts."""
        source = files(_PACKAGE).joinpath("data/page.html.j2").read_text(encoding="utf-8")
        environment = Environment(
            autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        template = environment.from_string(source)
        self._pages = {
            language: template.render(
                language=language, t=texts()[language], task=about.task, told=_script_json(texts()[language])
            )
            for language in LANGUAGES
        }
        self._files = {
            file.name: (file.read_bytes(), KINDS[file.name.rpartition(".")[2]])
            for file in files(_PACKAGE).joinpath("static").iterdir()
            if file.name.rpartition(".")[2] in KINDS
        }

    def page(self, request: Request) -> Response:
        """Return the shell, in the language that was asked for."""
        language = language_of(
            request.query_params.get("lang"),
            request.cookies.get(COOKIE),
            request.headers.get("accept-language", ""),
        )
        return Response(self._pages[language], media_type="text/html; charset=utf-8")

    def static(self, name: str) -> Response:
        """Return a file of the page; a name that is not on the list is not looked for anywhere."""
        if name not in self._files:
            raise Refused(404, "missing", "there is nothing here")
        content, kind = self._files[name]
        return Response(content, media_type=kind)


def language_of(asked: str | None, remembered: str | None, accepted: str) -> str:
    """Return the language to speak: the one asked for, the one remembered, the browser's first that we know."""
    for said in (asked, remembered):
        if said in LANGUAGES:
            return said
    for part in accepted[:200].lower().split(","):
        name = part.split(";")[0].strip().split("-")[0]
        if name in LANGUAGES:
            return name
    return LANGUAGES[0]


def _script_json(value: object) -> Markup:
    """Return JSON that can stand inside a script element: nothing in it can end the element."""
    text = json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(text)  # noqa: S704 - every character that means something in HTML is escaped above
