"""Argilla: a folder as `rg.Dataset.from_disk` reads it, and the records that `to_disk` or `records.to_json` write.

    rg.Dataset.from_disk("audit_argilla", workspace="argilla")      # after `rg.Argilla(api_url=…, api_key=…)`
    json.dump(rg_dataset.records.to_list(flatten=True), open("records.json", "w"))

The caption is the suggested answer to the question of how it should read, so that it need only be changed. `to_disk`
does not write whether a response is a draft; with `to_list(flatten=True)` drafts and discarded ones are told apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from recaption.audit.interchange.answers import Answer, Aside, Outcome
from recaption.audit.interchange.items import ACCEPT, EDIT, NONE, REJECT, Outing, Row, plain
from recaption.audit.interchange.options import ExportOptions, Tell
from recaption.audit.interchange.pictures import Gallery
from recaption.audit.interchange.reading import Part, file_digest, json_parts
from recaption.core.digests import digest_json
from recaption.core.errors import UserError
from recaption.datasets.atomic import make_folder, staged_folder, write_atomic_stream

__all__ = ["Argilla"]

RECORDS: Final = "records.json"
CONFIG: Final = ".argilla"
NAME: Final = "recaption-audit"
AGENT: Final = "recaption"
VERDICT: Final = "verdict"
QUESTIONS: Final = (VERDICT, "text", "reason", "note")
MAX_ID_CHARS: Final = 60
MAX_GUIDELINE_CHARS: Final = 10_000
"""Its server takes no longer one."""
MAX_KEY_CHARS: Final = 500
"""Its index takes no more than 32 kB in one term."""
CHOICES: Final = {
    ACCEPT: "accept: it is right",
    EDIT: "edit: it is right once corrected below",
    REJECT: "reject: it is wrong",
    NONE: "none of them is right",
}
STATUSES: Final = {"submitted": None, "draft": "drafts", "discarded": "skipped"}


class Argilla:
    """The format `argilla`."""

    shows_guideline = True

    def write(self, outing: Outing, target: Path, options: ExportOptions, tell: Tell) -> dict[str, int]:
        mode, prefix = options.images or "embed", options.image_prefix or ""
        if mode in ("copy", "link") and not prefix.startswith(("http://", "https://")):
            raise UserError(
                f"Argilla shows pictures of the web or inside the records: with images {mode!r} give an image prefix "
                "that begins with http:// or https://, or have them embedded"
            )
        count = 0
        with staged_folder(target) as stage:
            gallery = Gallery(mode, prefix, stage / "images", "images/", options, tell)
            make_folder(stage / CONFIG)
            for name, content in (("settings", _settings(outing)), ("dataset", _dataset(outing))):
                _write(stage / CONFIG / f"{name}.json", content)
            with write_atomic_stream(stage / RECORDS) as file:
                for row in outing.rows():
                    record = json.dumps(_record(outing, row, gallery.address(row)), ensure_ascii=False)
                    file.write(b",\n" if count else b"[\n")
                    file.write(record.encode("utf-8"))
                    count += 1
                file.write(b"\n]\n" if count else b"[]\n")
            counts = gallery.finish()
        if len(outing.about.guideline) > MAX_GUIDELINE_CHARS:
            tell(f"Argilla takes {MAX_GUIDELINE_CHARS:,} characters of guidelines; the rest was left out")
        tell(f"put it on the server with rg.Dataset.from_disk({str(target)!r}, workspace=…)")
        tell(
            "when done, json.dump(dataset.records.to_list(flatten=True), …) and `recaption audit import` that file"
        )
        return {"items": count} | counts

    def read(self, outing: Outing, source: Path) -> Iterator[Outcome]:
        if source.is_dir():
            source = source / RECORDS
        digest = ""
        for record in json_parts(source, "record"):
            digest = digest or file_digest(source)
            item = record.name("external_id") or record.name("id")
            if not item:
                raise UserError(
                    f"{source.name}: {record.place} has no `id`. Is it a file of Argilla's records?"
                )
            version = record.part("metadata").text("version") or record.text("version")
            for user, response in _responses(record).items():
                yield from response.others
                yield _outcome(record, user, response, item, version, digest)


class _Response:
    """What one user said of one record."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.status = ""
        self.others: list[Aside] = []
        """Answers to questions that are not ours."""


def _responses(record: Part) -> dict[str, _Response]:
    """Return the responses by user, from any of the three shapes in which they are written."""
    found: dict[str, _Response] = {}
    if isinstance(record.value("responses"), list):  # as the server has them
        for told in record.parts("responses", "response"):
            status = told.text("status")
            values, user = told.part("values"), told.name("user_id")
            _add(found, told.place, user, VERDICT, None, status)  # what was discarded may hold no answer at all
            for question in values.names():
                value = values.part(question).value("value") if question in QUESTIONS else ""
                _add(found, told.place, user, question, value, status)
        return found
    nested = record.part("responses")
    for question in nested.names():
        for told in nested.parts(question, f"{question[:MAX_ID_CHARS]} response"):
            _add(found, told.place, told.name("user_id"), question, told.value("value"), told.text("status"))
    for question in QUESTIONS:  # flattened: lists of equal length
        columns = [record.list(f"{question}.responses{end}") for end in ("", ".users", ".status")]
        if len({len(column) for column in columns}) > 1:
            raise UserError(f"{record.place}: the lists of `{question}.responses` are not equally long")
        for value, user, status in zip(*columns, strict=True):
            _add(found, record.place, _word(user, record), question, value, _word(status, record))
    return found


def _add(found: dict[str, _Response], place: str, user: str, question: str, value: object, status: str) -> None:
    response = found.setdefault("" if user == "None" else user, _Response())
    response.status = response.status or status
    if value is None:
        return
    if question not in QUESTIONS:
        response.others.append(Aside("other answers", place))
        return
    if not isinstance(value, str):
        raise UserError(f"{place}: the answer to `{question}` is not text")
    if question in response.values:
        raise UserError(f"{place}: one user answers `{question}` twice")
    response.values[question] = value


def _word(value: object, record: Part) -> str:
    if value is not None and not isinstance(value, str):
        raise UserError(f"{record.place}: users and statuses of responses are text")
    return value or ""


def _outcome(record: Part, user: str, response: _Response, item: str, version: str, digest: str) -> Outcome:
    place = f"{record.place}, user {user[:MAX_ID_CHARS] or 'unknown'}"
    said = response.values
    # The verdict must be given to submit, so that without a status a response that lacks it was never submitted.
    status = response.status or ("submitted" if VERDICT in said else "draft")
    if status not in STATUSES:
        return Aside("refused", place, f"unknown status {status[:40]!r}")
    kind = STATUSES[status]
    if kind is not None:
        return Aside("skipped" if kind == "skipped" else "drafts", place)
    return Answer(
        place=place,
        item=item,
        version=version,
        auditor=f"argilla:{user}" if user else "",
        choice=said.get(VERDICT, ""),
        text=said.get("text"),
        reason=said.get("reason", ""),
        note=said.get("note", ""),
        source=json.dumps(["argilla", digest, record.place, user]),
    )


def _record(outing: Outing, row: Row, address: str) -> dict[str, Any]:
    names = list(outing.letters.lower()) or ["caption"]
    fields = {"image": address} if address else {}
    fields |= dict(zip(names, (text or " " for text in row.texts), strict=False))
    if row.original:
        fields["original"] = row.original
    suggested = {} if outing.compares else {"text": {"value": row.texts[0], "score": None, "agent": AGENT}}
    return {
        "id": row.name,
        "fields": fields,
        "metadata": {"version": row.version, "key": row.key[:MAX_KEY_CHARS]},
        "suggestions": suggested,
        "responses": {},
        "vectors": {},
    }


def _settings(outing: Outing) -> dict[str, Any]:
    if outing.compares:
        texts = [
            _field(letter.lower(), letter, "text", required=number < 1)
            for number, letter in enumerate(outing.letters)
        ]
        choices = {letter: letter for letter in outing.letters} | {NONE: CHOICES[NONE]}
        questions = [_choice("Which one describes the image best?", choices)]
    else:
        texts = [
            _field("caption", "Caption", "text", required=True),
            _field("original", "Original text", "text", required=False),
        ]
        choices = {choice: CHOICES[choice] for choice in outing.choices}
        questions = [_choice("Is the caption right?", choices), _text("text", "The caption as it should be")]
    questions += [_text("reason", "What is wrong with it?"), _text("note", "Note")]
    return {
        "guidelines": plain(outing.about.guideline)[:MAX_GUIDELINE_CHARS] or None,
        "fields": [_field("image", "Image", "image", required=False), *texts],
        "questions": questions,
        "vectors": [],
        "metadata": [_term("version", visible=False), _term("key", visible=True)],
        "allow_extra_metadata": True,
        "distribution": {"strategy": "overlap", "min_submitted": outing.store.settings.overlap},
    }


def _dataset(outing: Outing) -> dict[str, Any]:
    # Of its own for every audit: the SDK would put the records of a second one into the dataset of the first.
    mark = digest_json([outing.about.to_json(), outing.store.created_ms])[:8]
    return {"name": f"{NAME}-{mark}", "status": "draft", "allow_extra_metadata": True}


def _field(name: str, title: str, kind: str, *, required: bool) -> dict[str, Any]:
    settings: dict[str, Any] = {"type": kind}
    if kind == "text":
        settings["use_markdown"] = False  # captions are shown as they are, whatever marks are in them
    return {"name": name, "title": title, "required": required, "type": kind, "settings": settings}


def _choice(title: str, choices: Mapping[str, str]) -> dict[str, Any]:
    options = [{"value": value, "text": text} for value, text in choices.items()]
    kind = "label_selection"
    settings = {"type": kind, "options": options, "visible_options": max(3, len(options))}
    return {"name": VERDICT, "title": title, "required": True, "type": kind, "settings": settings}


def _text(name: str, title: str) -> dict[str, Any]:
    settings = {"type": "text", "use_markdown": False}
    return {"name": name, "title": title, "required": False, "type": "text", "settings": settings}


def _term(name: str, *, visible: bool) -> dict[str, Any]:
    settings = {"type": "terms", "values": None, "visible_for_annotators": visible}
    return {"name": name, "title": name, "visible_for_annotators": visible, "settings": settings}


def _write(path: Path, content: Mapping[str, Any]) -> None:
    with write_atomic_stream(path) as file:
        file.write(json.dumps(content, ensure_ascii=False, indent=1).encode("utf-8"))
