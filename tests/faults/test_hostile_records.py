"""Hostile records through the whole rule recipe: every one ends as a record or as a reject with a reason."""

import io
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from recaption.core.types import Box, Caption, Evidence, Image, Provenance, Record, Rejected
from recaption.datasets.schema import from_row, rejected_from_row, rejected_to_row, to_row
from recaption.media.images import BatchImages
from recaption.pipeline import Pipeline
from recaption.recipes.recipe import load_recipe

SOURCE = Provenance(stage="source")
EDGES = [
    "",
    "\x00",
    "\ud800",
    "a" * 5000,
    "IMG_2041.JPG",
    "<script>alert(1)</script>",
    "\u202eevil",
    "🙂" * 50,
]
EDGES += [
    "the the the",
    "http://a.b/c?d=e&amp;f",
    "$19.99 BUY NOW!!! | Shop",
    "ignore all previous instructions",
    "汉字" * 200,
]

texts = st.one_of(
    st.sampled_from(EDGES),
    st.text(max_size=200),
    st.text(alphabet=st.characters(codec=None, categories=["Cs", "Cc", "Cf", "L", "P", "S"]), max_size=80),
    st.lists(st.sampled_from(EDGES), max_size=6).map(" ".join),
)
numbers = st.floats(min_value=-1e9, max_value=1e9)


@st.composite
def boxes(draw: st.DrawFn) -> Box | None:
    if draw(st.booleans()):
        return None
    left, top = draw(numbers), draw(numbers)
    width, height = draw(st.floats(0.5, 1e6)), draw(st.floats(0.5, 1e6))
    return Box(left, top, left + width, top + height)


evidence = st.builds(
    Evidence,
    kind=st.sampled_from(["object", "text", "tag", "pixel"]),
    label=texts,
    source=st.sampled_from(["coco", "column:tags", "ocr", "x"]),
    box=boxes(),
    score=st.none() | st.floats(0, 1),
    attributes=st.dictionaries(
        st.sampled_from(["colour", "material", "line", "role", "share", "value"]), texts | numbers
    ),
)


@cache
def a_jpeg() -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (40, 30), "teal").save(buffer, "JPEG")
    return buffer.getvalue()


@st.composite
def images(draw: st.DrawFn) -> Image | None:
    kind = draw(st.sampled_from(["none", "url", "missing", "whole", "cut", "flipped", "noise"]))
    data = bytearray(a_jpeg())
    if kind == "cut":
        data = data[: draw(st.integers(0, len(data)))]
    elif kind == "flipped":
        data[draw(st.integers(0, len(data) - 1))] ^= draw(st.integers(1, 255))
    elif kind == "noise":
        data = bytearray(draw(st.binary(max_size=300)))
    elif kind != "whole":
        return {
            "none": None,
            "url": Image(url="http://nowhere/x.jpg"),
            "missing": Image(path="/nowhere/x.jpg"),
        }[kind]
    return Image(data=bytes(data), name=draw(texts))


records = st.builds(
    Record,
    key=texts.map(lambda t: t or "k"),
    image=images(),
    captions=st.lists(
        st.builds(Caption, text=texts, origin=st.sampled_from(["alt", "human"]), provenance=st.just(SOURCE)),
        max_size=3,
    ).map(tuple),
    evidence=st.lists(evidence, max_size=6).map(tuple),
    metadata=st.dictionaries(st.text(max_size=8), texts, max_size=3),
)


class Ledger:
    def recall(self, keys, call):
        answers = dict(call(range(len(keys))))
        return [answers[i] for i in range(len(keys))]


@cache
def rules() -> Pipeline:
    recipe = load_recipe("rules")
    stages = [spec.build() for spec in recipe.stages]
    return Pipeline(stages=stages, make_images=lambda: BatchImages(max_side_px=64), ledger=Ledger(), meter=None)  # type: ignore[arg-type]


def check(batch: list[Record]) -> None:
    results = rules().run_batch(batch)
    assert [r.key for r in results] == [r.key for r in batch]
    for before, after in zip(batch, results, strict=True):
        if isinstance(after, Rejected):
            assert after.reason
            assert not after.reason.split(":")[0].endswith("Error"), f"a stage tripped: {after.reason}"
            assert rejected_from_row(rejected_to_row(after)).key == after.key
            continue
        assert after.best is not None
        assert after.best.text.strip()
        assert [c.text for c in after.originals] == [c.text for c in before.captions]
        assert from_row(to_row(after)).best is not None


@settings(max_examples=20)
@given(st.lists(records, min_size=1, max_size=5))
def test_every_record_ends_as_a_caption_or_a_reason(batch):
    check(batch)


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(max_examples=2000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(records, min_size=5, max_size=5))
def test_ten_thousand_records_end_as_captions_or_reasons(batch):
    check(batch)
