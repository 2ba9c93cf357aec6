"""A folder of rendered scenes: pictures, noisy alt-texts, evidence, and the facts to check captions by.

The layout is that of Hugging Face's imagefolder: pictures and a `metadata.jsonl` with one line for each.
"""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from recaption.core.digests import canonical_json, seed_from
from recaption.core.errors import RunFolderError
from recaption.core.types import Box, JsonValue
from recaption.datasets.atomic import staged_folder
from recaption.demo.alt import noisy_alt
from recaption.demo.render import Renderer
from recaption.demo.world import WORLD_VERSION, Scene, sample_scenes

__all__ = ["MARKER", "evidence_of", "write_demo"]

MARKER = ".demo.json"
"""Says what a complete folder holds. Hidden, so that no reader takes it for data."""
SOURCE = "scene"
_JPEG_QUALITY = 92


def write_demo(folder: Path, n: int, seed: int, *, size_px: int = 192, evidence: bool = True) -> None:
    """Render n scenes into a new folder, whole or not at all; do nothing if exactly these are there already.

    Without `evidence`, pictures come with their alt-texts alone; the facts to check captions by are always there.

    The same arguments give the same bytes, given the same versions of numpy and Pillow.

    Raises:
        RunFolderError: The folder holds something else, or cannot be written.
    """
    if n < 1:
        raise RunFolderError(f"cannot render {n} scenes into {folder}: ask for at least one")
    wanted: dict[str, JsonValue] = {"n": n, "seed": seed, "size_px": size_px, "world": WORLD_VERSION}
    if not evidence:
        wanted["evidence"] = False
    if _holds(folder, wanted):
        return
    with staged_folder(folder) as stage:
        renderer = Renderer(size_px)
        lines = []
        for i, scene in enumerate(sample_scenes(n, seed, size_px)):
            name = f"{i:06d}.jpg"
            picture = BytesIO()
            renderer.render(scene).save(picture, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
            (stage / name).write_bytes(picture.getvalue())
            alt, kind = noisy_alt(scene, seed_from(seed, i))
            lines.append(canonical_json(_row(name, scene, alt, kind, evidence)) + "\n")
        (stage / "metadata.jsonl").write_text("".join(lines), encoding="utf-8", newline="\n")
        (stage / MARKER).write_text(canonical_json(wanted) + "\n", encoding="utf-8", newline="\n")


def evidence_of(scene: Scene) -> list[JsonValue]:
    """Return what a perfect observer would report: things with their looks, the word on the sign, the background."""
    return list(_evidence(scene))


def _evidence(scene: Scene) -> Iterator[JsonValue]:
    for thing in scene.things:
        looks: dict[str, JsonValue] = {"colour": thing.colour, "material": thing.material, "size": thing.size}
        yield _piece("object", thing.shape, thing.box, looks)
    if scene.sign is not None:
        yield _piece("object", "sign", scene.sign.box, {})
        yield _piece("text", scene.sign.word, scene.sign.box, {})
    yield _piece("tag", scene.background, None, {"role": "background"})


def _piece(kind: str, label: str, box: Box | None, attributes: dict[str, JsonValue]) -> JsonValue:
    corners: JsonValue = [box.left, box.top, box.right, box.bottom] if box else None
    return {
        "kind": kind,
        "label": label,
        "source": SOURCE,
        "box": corners,
        "score": 1.0,
        "attributes": dict(attributes),
    }


def _row(name: str, scene: Scene, alt: str, kind: str, evidence: bool) -> dict[str, JsonValue]:
    row: dict[str, JsonValue] = {
        "file_name": name,
        "text": alt,
        "alt_kind": kind,
        "facts": scene.to_json(),
    }
    return {**row, "evidence": evidence_of(scene)} if evidence else row


def _holds(folder: Path, wanted: dict[str, JsonValue]) -> bool:
    """Return whether a folder is a complete demo of just these scenes."""
    try:
        found = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{folder / MARKER} cannot be read ({error}). Remove the folder.") from error
    if found != wanted:
        raise RunFolderError(
            f"{folder} holds other rendered scenes ({_says(found)}) than those asked for ({_says(wanted)}). "
            "Name another folder, or remove this one."
        )
    missing = wanted["n"] != len(list(folder.glob("*.jpg"))) or not (folder / "metadata.jsonl").is_file()
    if missing:
        raise RunFolderError(f"{folder} is not whole any more: files were removed. Remove the folder.")
    return True


def _says(marker: object) -> str:
    return canonical_json(marker)[:200]
