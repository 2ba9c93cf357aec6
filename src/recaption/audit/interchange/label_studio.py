"""Label Studio: tasks with the caption as a pre-annotation, the labeling interface beside them, and its JSON export.

Its server shows no file of a disk unless it is told to, which is where people lose hours. What it takes: the folder
that holds the pictures' folder as `LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT`, serving switched on by
`LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true`, both before the server starts, and in the project a source storage
"Local files" for the pictures' folder itself, which need not be synchronised: without one every picture is refused.
Links then read `/data/local-files/?d=` and the path below the root. `write` tells all this with the paths filled in.
With another prefix, of any web server, none of it is needed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from recaption.audit.interchange.answers import Answer, Aside, Outcome
from recaption.audit.interchange.items import Outing, Row
from recaption.audit.interchange.labeling_config import IMAGE, NOTE, REASON, TEXT, VERDICT, labeling_config
from recaption.audit.interchange.options import ExportOptions, Tell
from recaption.audit.interchange.pictures import Gallery, beside
from recaption.audit.interchange.reading import Part, file_digest, json_parts
from recaption.core.errors import UserError
from recaption.datasets.atomic import check_new, write_atomic, write_atomic_stream

__all__ = ["LOCAL_FILES", "LabelStudio"]

LOCAL_FILES: Final = "/data/local-files/?d="
"""Where its server shows files of its own disk."""
MODEL: Final = "recaption"
NOTHING: Final = "—"
"""Its server takes no task that lacks one of the texts shown."""
OURS: Final = frozenset({VERDICT, TEXT, REASON, NOTE})


class LabelStudio:
    """The format `label-studio`."""

    shows_guideline = True

    def write(self, outing: Outing, target: Path, options: ExportOptions, tell: Tell) -> dict[str, int]:
        config, folder = target.with_suffix(".xml"), beside(target)
        check_new(config)
        prefix = LOCAL_FILES if options.image_prefix is None else options.image_prefix
        gallery = Gallery(options.images or "copy", prefix, folder, f"{folder.name}/", options, tell)
        count = 0
        with write_atomic_stream(target) as file:
            for row in outing.rows():
                task = json.dumps(_task(outing, row, gallery.address(row)), ensure_ascii=False)
                file.write(b",\n" if count else b"[\n")
                file.write(task.encode("utf-8"))
                count += 1
            file.write(b"\n]\n" if count else b"[]\n")
        write_atomic(config, labeling_config(outing).encode("utf-8"))
        _advise(gallery, target, config, outing.store.settings.overlap, tell)
        return {"items": count} | gallery.finish()

    def read(self, outing: Outing, source: Path) -> Iterator[Outcome]:
        digest = ""
        for task in json_parts(source, "task"):
            if "annotations" not in task and "data" not in task:
                raise UserError(
                    f"{source.name}: {task.place} has neither `data` nor `annotations`. Export from Label Studio as "
                    "JSON; JSON-MIN and CSV leave out who said what."
                )
            data = task.part("data")
            item, version = data.text("item"), data.text("version")
            yield from (Aside("drafts", task.place) for _ in task.list("drafts"))
            if not item:
                yield Aside("refused", task.place, "is not a task of this audit: its data name no `item`")
                continue
            for annotation in task.parts("annotations", "annotation"):
                digest = digest or file_digest(source)
                yield from _outcomes(annotation, task, item, version, digest)


def _task(outing: Outing, row: Row, address: str) -> dict[str, Any]:
    data = {IMAGE: address or NOTHING, "key": row.key, "item": row.name, "version": row.version}
    if outing.compares:
        texts = dict(zip(outing.letters.lower(), row.texts, strict=False))
        return {"data": data | {letter: texts.get(letter) or NOTHING for letter in outing.letters.lower()}}
    caption = row.texts[0]
    region = {
        "id": "caption",
        "from_name": TEXT,
        "to_name": IMAGE,
        "type": "textarea",
        "value": {"text": [caption]},
    }
    return {
        "data": data | {"caption": caption or NOTHING, "original": row.original or NOTHING},
        "predictions": [{"model_version": MODEL, "result": [region]}],
    }


def _outcomes(annotation: Part, task: Part, item: str, version: str, digest: str) -> Iterator[Outcome]:
    place = annotation.place
    if annotation.flag("was_cancelled"):
        yield Aside("skipped", place)
        return
    said: dict[str, list[str]] = {}
    for region in annotation.parts("result", "result"):
        name = region.text("from_name")
        if name in OURS:
            said.setdefault(name, []).extend(_values(region))
        else:
            yield Aside("other answers", place)
    for name in (VERDICT, TEXT):
        if len(said.get(name, ())) > 1:
            yield Aside("refused", place, f"`{name}` has {len(said[name])} values; one is needed")
            return
    at, number = annotation.text("updated_at") or annotation.text("created_at"), annotation.name("id")
    # An annotation keeps its id when it is changed; without a time it is told apart by the file it is in.
    version_of_it = [task.name("project"), task.name("id"), number, at] if number and at else [digest, place]
    yield Answer(
        place=place,
        item=item,
        version=version,
        auditor=_who(annotation),
        choice="".join(said.get(VERDICT, ())),
        text="".join(said.get(TEXT, ())) or None,
        reason="\n".join(said.get(REASON, ())),
        note="\n".join(said.get(NOTE, ())),
        seconds=annotation.number("lead_time"),
        source=json.dumps(["label-studio", *version_of_it]),
        at=at,
    )


def _values(region: Part) -> list[str]:
    """Return what was chosen or written in one region; texts come as a list, or as one text from old versions."""
    value = region.part("value")
    name = "choices" if region.text("from_name") == VERDICT else "text"
    told = value.value(name)
    values = told if isinstance(told, list) else [told] if told is not None else []
    for one in values:
        if not isinstance(one, str):
            raise UserError(f"{region.place}: `value.{name}` holds something else than text")
    return [one for one in values if isinstance(one, str)]


def _who(annotation: Part) -> str:
    """Return an address or a name where the export was told to hold them, otherwise the number of the user."""
    told = annotation.value("completed_by")
    if isinstance(told, dict):
        person = Part(told, f"{annotation.place}, completed_by")
        named = f"{person.text('first_name')} {person.text('last_name')}".strip()
        number = person.name("id")
        return (
            person.text("email")
            or person.text("username")
            or named
            or (f"label-studio:{number}" if number else "")
        )
    number = annotation.name("completed_by")
    return f"label-studio:{number}" if isinstance(told, int) else number


def _advise(gallery: Gallery, target: Path, config: Path, overlap: int, tell: Tell) -> None:
    tell(
        f"1. in a new project of Label Studio: Settings > Labeling Interface > Code, paste {config.name}, save"
    )
    if gallery.prefix == LOCAL_FILES and gallery.mode in ("copy", "link"):
        folder = gallery.folder.absolute() if gallery.mode == "copy" else gallery.options.image_root
        root = gallery.folder.absolute().parent if gallery.mode == "copy" else gallery.options.image_root
        tell(
            "2. for the pictures start its server with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true "
            f"LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT='{root}'; then Settings > Cloud Storage > Add Source Storage > "
            f"Local files, absolute path '{folder}', save without synchronising"
        )
    tell(f"3. Import > {target.name}; when done, Export > JSON and `recaption audit import` it")
    if overlap > 1:
        tell(f"{overlap} people judge each item: set the annotations per task to {overlap}")
