"""Records and image files for the tests of writers."""

import io
from dataclasses import replace

from PIL import Image as Pillow

from recaption.core.types import Box, Caption, Evidence, Image, Provenance, Record, Score


def picture(number=0, kind="PNG", size=(6, 4)):
    """Encoded bytes of a small image, different for each number."""
    buffer = io.BytesIO()
    Pillow.new("RGB", size, (number * 40 % 256, 90, 200)).save(buffer, kind)
    return buffer.getvalue()


def source(text, origin="alt"):
    return Caption(text=text, origin=origin, provenance=Provenance(stage="source"))


def composed(text, *parents):
    return Caption(
        text=text,
        origin="composed",
        aspect="brief",
        provenance=Provenance(stage="compose", parents=tuple(p.id for p in parents), details={"template": 3}),
        scores={"length": Score(value=4.0)},
        flags={"short": "few words"},
    )


def record(key="k", text="IMG_1", better="A red ball.", image=None, **more):
    """A record whose chosen caption is `better`, or one with its source text alone."""
    alt = source(text)
    new = [] if better is None else [composed(better, alt)]
    return Record(
        key=key,
        image=image if image is not None else Image(data=picture()),
        captions=(alt, *new),
        chosen=new[0].id if new else None,
        **more,
    )


def on_disk(folder, name, number=0, kind="PNG"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture(number, kind))
    return Image(path=str(path), name=path.name)


BALL = Evidence(kind="object", label="ball", source="coco", box=Box(1, 1, 3, 4), score=0.5)
TREE = Evidence(kind="object", label="tree", source="coco", box=Box(0, 0, 2, 2), attributes={"iscrowd": True})


def without_image(one):
    return replace(one, image=None)
