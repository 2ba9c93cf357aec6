"""Gathering evidence: paid for once, decoded only when needed, merged with what was given."""

import io
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from recaption.core.digests import canonical_json
from recaption.core.errors import BackendError, DataError, ImageError, RecipeError, UnknownNameError
from recaption.core.protocols import Answer, Context, Fleeting, Ledger, Pixels
from recaption.core.types import Box, Evidence, Failed, Image, JsonValue, Kept, Record
from recaption.datasets.ledger import SqliteLedger
from recaption.media.evidence_json import evidence_from_json, evidence_to_json
from recaption.media.images import BatchImages, Limits
from recaption.stages import gather as module
from recaption.stages.gather import Gather, merged


class MemoryLedger:
    """Remembers in memory, through JSON as a real one would; counts what was paid for."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.paid: list[int] = []

    def recall(self, keys: Sequence[str], call: Callable[[Sequence[int]], Iterable[Answer]]) -> list[JsonValue]:
        import json

        missing = [i for i, key in enumerate(keys) if key not in self.values]
        self.paid.append(len(missing))
        passing: dict[str, str] = {}
        if missing:
            for i, value in call(missing):
                if isinstance(value, Fleeting):
                    passing[keys[i]] = canonical_json(value.value)
                else:
                    self.values[keys[i]] = canonical_json(value)
        return [json.loads({**self.values, **passing}[key]) for key in keys]


class Finder:
    """Finds what a test tells it to, in pixels of the array."""

    name = "finder"

    def __init__(self, found: Sequence[Evidence], fingerprint: str = "1") -> None:
        self.fingerprint = fingerprint
        self.max_side_px: int | None = 64
        self.found = found
        self.seen = 0

    def examine(self, images: Sequence[Pixels]) -> list[list[Evidence]]:
        self.seen += len(images)
        return [list(self.found) for _ in images]


def png(colour: str = "white", size: tuple[int, int] = (128, 64), patch: str | None = None) -> bytes:
    image = Pillow.new("RGB", size, colour)
    if patch:
        image.paste(Pillow.new("RGB", (size[0] // 2, size[1]), patch), (0, 0))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def record(key: str = "a", data: bytes | None = None, **more: Any) -> Record:
    return Record(key=key, image=Image(data=png() if data is None else data), **more)


def thing(
    label: str = "ball", box: Box | None = None, source: str = "given", **attributes: JsonValue
) -> Evidence:
    return Evidence(kind="object", label=label, source=source, box=box, attributes=attributes)


def stage(*experts: Any, **params: Any) -> Gather:
    built = Gather(Gather.Params(experts={}, **params))
    built._experts = list(experts)
    return built


def context(ledger: Ledger | None = None, max_side_px: int | None = 64) -> Context:
    return Context(images=BatchImages(Limits(), max_side_px), ledger=ledger or MemoryLedger(), meter=None)  # type: ignore[arg-type]


class Starving(BatchImages):
    """Has too little memory to decode one of the images."""

    def __init__(self, key: str, before: Callable[[], None]) -> None:
        super().__init__(Limits(), 64)
        self.key, self.before = key, before

    def pixels(self, record: Record) -> Pixels:
        self.before()
        if record.key == self.key:
            raise ImageError("too little memory", retryable=True)
        return super().pixels(record)


def starving(ledger: Ledger, key: str, before: Callable[[], None] = lambda: None) -> Context:
    return Context(images=Starving(key, before), ledger=ledger, meter=None)  # type: ignore[arg-type]


def kept(outcome: object) -> Record:
    assert isinstance(outcome, Kept), outcome
    return outcome.record


class TestExperts:
    def test_boxes_come_back_in_original_pixels_with_the_size(self) -> None:
        finder = Finder([thing("cup", Box(1, 2, 30, 40), "finder")])
        found = kept(stage(finder).process([record()], context())[0])
        assert found.size == (128, 64)
        assert found.evidence[0].box == Box(2, 4, 60, 64)

    def test_a_remembered_image_is_not_decoded(self) -> None:
        finder = Finder([thing("cup", Box(8, 2, 30, 30), "finder")])
        ledger = MemoryLedger()
        records = [record(str(i), png("white", patch=c)) for i, c in enumerate(("red", "blue"))]
        first_context, again_context = context(ledger), context(ledger)
        first = stage(finder).process(records, first_context)
        again = stage(finder).process(records, again_context)
        assert first == again
        assert finder.seen == 2
        assert ledger.paid == [2, 2, 0, 0]
        assert isinstance(first_context.images, BatchImages)
        assert isinstance(again_context.images, BatchImages)
        assert (first_context.images.reads, first_context.images.decodes) == (2, 2)
        assert (again_context.images.reads, again_context.images.decodes) == (2, 0)
        assert kept(again[0]).evidence[0].attributes == {"colour": "red"}
        assert kept(again[1]).evidence[0].attributes == {"colour": "blue"}

    def test_what_changes_the_answer_is_paid_for_again(self) -> None:
        ledger = MemoryLedger()
        work = [record()]
        stage(Finder([])).process(work, context(ledger))
        stage(Finder([], fingerprint="2")).process(work, context(ledger))
        stage(Finder([])).process([record(data=png("red"))], context(ledger))
        stage(Finder([])).process(work, context(ledger, max_side_px=32))
        assert ledger.paid == [1, 1, 1, 1]

    def test_only_the_new_records_are_paid_for(self) -> None:
        ledger, finder = MemoryLedger(), Finder([])
        old = [record(str(i), png(size=(8 + i, 8))) for i in range(4)]
        stage(finder).process(old, context(ledger))
        stage(finder).process([*old, record("new", png(size=(50, 8)))], context(ledger))
        assert ledger.paid == [4, 1]
        assert finder.seen == 5

    def test_one_ledger_call_per_expert_and_batch(self) -> None:
        ledger = MemoryLedger()
        stage(Finder([]), Finder([], "2")).process([record("a"), record("b", png("red"))], context(ledger))
        assert ledger.paid == [2, 2]

    def test_small_finds_are_left_out_but_never_given_ones(self) -> None:
        small = Box(0, 0, 3, 3)
        finder = Finder([thing("cup", small, "finder"), thing("mug", Box(0, 0, 40, 30), "finder")])
        given = record(evidence=(thing("pin", small),))
        found = kept(stage(finder, min_object_area=0.01, colour_objects=False).process([given], context())[0])
        assert [e.label for e in found.evidence] == ["pin", "mug"]

    def test_a_dead_backend_is_not_swallowed(self) -> None:
        class Dead(Finder):
            def examine(self, images: Sequence[Pixels]) -> list[list[Evidence]]:
                raise BackendError("gone")

        with pytest.raises(BackendError):
            stage(Dead([])).process([record()], context())

    def test_inputs_are_not_changed(self) -> None:
        before = record(evidence=(thing("ball", Box(0, 0, 60, 60)),))
        copy = replace(before)
        stage(Finder([])).process([before], context())
        assert before == copy
        assert before.evidence[0].attributes == {}


class TestRealExperts:
    def test_the_default_states_pixel_facts(self) -> None:
        found = kept(Gather(Gather.Params()).process([record()], context())[0])
        assert {e.label: e.attributes["value"] for e in found.evidence} == {
            "colour": "white",
            "brightness": "bright",
            "greyscale": True,
            "orientation": "landscape",
        }

    def test_an_unknown_expert_and_an_unknown_parameter(self) -> None:
        with pytest.raises(UnknownNameError, match="pixels"):
            Gather(Gather.Params(experts={"pixel": {}}))
        with pytest.raises(RecipeError, match=r"gather\.experts\.pixels\.colour: unknown key.*colours"):
            Gather(Gather.Params(experts={"pixels": {"colour": 3}}))


class TestImages:
    def test_a_bad_image_fails_with_its_reason_and_the_others_go_on(self, tmp_path: Path) -> None:
        records = [
            record("good"),
            record("bad", b"\x89PNG\r\n\x1a\nnonsense"),
            Record(key="gone", image=Image(path=str(tmp_path / "x.jpg"))),
            record("good too", png("red")),
        ]
        good, bad, gone, too = stage(Finder([])).process(records, context())
        assert isinstance(good, Kept)
        assert isinstance(too, Kept)
        assert isinstance(bad, Failed)
        assert isinstance(gone, Failed)
        assert bad.error.startswith("image: PNG cannot be decoded")
        assert not bad.retryable
        assert "x.jpg" in gone.error
        assert gone.retryable

    def test_a_remembered_failure_is_a_failure(self) -> None:
        ledger, bad = MemoryLedger(), record("bad", b"\x89PNG\r\n\x1a\nnonsense")
        first = stage(Finder([]), Finder([], "2")).process([bad], context(ledger))
        assert stage(Finder([]), Finder([], "2")).process([bad], context(ledger)) == first
        assert ledger.paid == [1, 0]

    def test_a_passing_failure_is_not_remembered(self) -> None:
        ledger, finder = MemoryLedger(), Finder([])
        works = [
            record("good"),
            record("bad", b"no"),
            record("starved", png("red")),
            record("too", png("blue")),
        ]
        good, bad, starved, too = stage(finder).process(works, starving(ledger, "starved"))
        assert isinstance(good, Kept)
        assert isinstance(too, Kept)
        assert isinstance(bad, Failed)
        assert not bad.retryable
        assert starved == Failed("image: too little memory", retryable=True)
        assert finder.seen == 2
        assert len(ledger.values) == 3
        again = stage(finder).process(works, context(ledger))
        assert again == [good, bad, Kept(replace(works[2], size=(128, 64))), too]
        assert finder.seen == 3

    def test_a_passing_failure_leaves_nobody_waiting(self, tmp_path: Path) -> None:
        """Two threads ask about one image at once; the one that pays cannot decode another of its images."""
        ledger = SqliteLedger(tmp_path / "ledger.sqlite")
        asked, waiting = threading.Event(), threading.Event()

        def let_the_other_ask() -> None:
            asked.set()
            assert waiting.wait(60)

        shared, starved, own = record("shared"), record("starved", png("red")), record("own", png("blue"))
        gather = stage(Finder([]))
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(
                gather.process, [shared, starved], starving(ledger, "starved", let_the_other_ask)
            )
            assert asked.wait(60)
            second = pool.submit(gather.process, [own, shared], starving(ledger, "", waiting.set))
            kept_one, failed = first.result(10)
            kept_own, kept_two = second.result(10)
        ledger.close()
        assert kept(kept_one) == kept(kept_two)
        assert kept(kept_own).size == (128, 64)
        assert failed == Failed("image: too little memory", retryable=True)

    def test_keep_keeps_the_record_as_it_came(self) -> None:
        bad = record("bad", b"no", evidence=(thing(),))
        assert stage(Finder([]), on_image_error="keep").process([bad], context()) == [Kept(bad)]

    def test_records_without_bytes_are_kept_untouched(self) -> None:
        records = [Record(key="none"), Record(key="url", image=Image(url="http://example.org/a.jpg"))]
        assert stage(Finder([])).process(records, context()) == [Kept(r) for r in records]

    def test_every_hostile_image_is_kept_or_says_why(self, shared_data: Path) -> None:
        files = [p for p in sorted((shared_data / "bad_inputs" / "images").rglob("*")) if p.is_file()]
        records = [Record(key=str(p), image=Image(path=str(p))) for p in files]
        outcomes = Gather(Gather.Params()).process(records, context())
        failed = [o for o in outcomes if isinstance(o, Failed)]
        assert len(outcomes) == len(files)
        assert 100 < len(failed) < len(files)
        assert all(o.error.startswith("image: ") and "\n" not in o.error for o in failed)


class TestColours:
    def colour(self, evidence: Evidence, data: bytes | None = None, **params: Any) -> JsonValue:
        work = record(data=data or png("white", patch="red"), evidence=(evidence,))
        found = kept(stage(**params).process([work], context())[0])
        return found.evidence[0].attributes.get("colour")

    def test_an_object_gets_its_colour(self) -> None:
        assert self.colour(thing("ball", Box(0, 0, 60, 60))) == "red"

    @pytest.mark.parametrize(
        "evidence",
        [
            thing("ball"),
            thing("woman", Box(0, 0, 60, 60)),
            thing("old man", Box(0, 0, 60, 60)),
            thing("ball", Box(20, 0, 110, 60)),
            thing("ball", Box(0, 0, 2, 2)),
            Evidence(kind="text", label="STOP", source="ocr", box=Box(0, 0, 60, 60)),
        ],
    )
    def test_where_it_cannot_be_told_there_is_none(self, evidence: Evidence) -> None:
        assert self.colour(evidence) is None

    def test_a_given_colour_is_not_overruled(self) -> None:
        assert self.colour(thing("ball", Box(0, 0, 60, 60), colour="crimson")) == "crimson"
        assert self.colour(thing("ball", Box(0, 0, 60, 60), color="crimson")) is None

    def test_in_the_dark_and_under_coloured_light_there_is_none(self) -> None:
        ball = thing("ball", Box(0, 0, 60, 60))
        assert self.colour(ball, png("#0a0a0a", patch="#300000")) is None
        assert self.colour(ball, png("red", patch="red")) is None

    def test_it_can_be_switched_off(self) -> None:
        assert self.colour(thing("ball", Box(0, 0, 60, 60)), colour_objects=False) is None

    def test_a_moved_box_is_looked_at_again(self) -> None:
        ledger = MemoryLedger()
        for box, colour in ((Box(0, 0, 60, 60), "red"), (Box(66, 0, 128, 60), "white")):
            work = record(data=png("white", patch="red"), evidence=(thing("ball", box),))
            found = kept(stage().process([work], context(ledger))[0])
            assert found.evidence[0].attributes["colour"] == colour
        assert ledger.paid == [1, 1]


class TestMerging:
    BOX = Box(0, 0, 100, 100)

    def test_the_given_speaks_and_both_are_named(self) -> None:
        found = merged([thing("Cup", self.BOX, "coco")], [thing("cup", Box(2, 2, 100, 100), "yolox")])
        assert found == [thing("Cup", self.BOX, "coco", also=["yolox"])]

    @pytest.mark.parametrize(
        "other",
        [
            thing("mug", Box(0, 0, 100, 100), "b"),
            thing("cup", Box(0, 0, 100, 60), "b"),
            thing("cup", Box(0, 0, 100, 100), "a"),
            thing("cup", None, "b"),
            Evidence(kind="text", label="cup", source="b", box=Box(0, 0, 100, 100)),
        ],
    )
    def test_other_things_stay_apart(self, other: Evidence) -> None:
        assert merged([thing("cup", self.BOX, "a")], [other]) == [thing("cup", self.BOX, "a"), other]

    def test_one_source_is_counted_once_per_thing(self) -> None:
        twins = [thing("cup", self.BOX, "b"), thing("cup", self.BOX, "b")]
        assert len(merged([thing("cup", self.BOX, "a")], twins)) == 2

    def test_tags_without_a_place(self) -> None:
        tags = [
            Evidence(kind="tag", label=label, source=source) for label, source in (("sea", "a"), ("Sea", "b"))
        ]
        assert [e.attributes for e in merged(tags[:1], tags[1:])] == [{"also": ["b"]}]

    def test_given_evidence_comes_first_and_is_never_merged_into_itself(self) -> None:
        twins = [thing("cup", self.BOX, "a"), thing("cup", self.BOX, "c")]
        assert merged(twins, []) == twins


class TestJson:
    @given(
        st.sampled_from(["object", "text", "tag", "pixel"]),
        st.text(),
        st.none() | st.floats(0, 1),
        st.none() | st.tuples(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(1, 1e6), st.floats(1, 1e6)),
        st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text()),
    )
    def test_there_and_back(self, kind: Any, label: str, score: Any, box: Any, attributes: Any) -> None:
        place = Box(box[0], box[1], box[0] + box[2], box[1] + box[3]) if box else None
        evidence = Evidence(kind=kind, label=label, source="s", box=place, score=score, attributes=attributes)
        assert evidence_from_json(evidence_to_json(evidence)) == evidence

    @pytest.mark.parametrize("value", [None, [], {}, {"kind": "x"}, {"kind": "tag", "attributes": 3}])
    def test_anything_else_is_an_error(self, value: Any) -> None:
        with pytest.raises(DataError, match="not evidence"):
            evidence_from_json(value)

    def test_a_box_that_is_none_is_an_error(self) -> None:
        value = evidence_to_json(thing("cup", Box(0, 0, 1, 1)))
        with pytest.raises(DataError):
            evidence_from_json({**value, "box": [3, 3, 1, 1]})


def test_every_colourless_label_is_lower_case_and_plain() -> None:
    labels = module._colourless()
    assert len(labels) > 80
    assert all(label == label.casefold().strip() for label in labels)


def test_many_records_at_once_are_the_same_as_one_by_one() -> None:
    random = np.random.default_rng(3)
    records = []
    for i in range(6):
        buffer = io.BytesIO()
        Pillow.fromarray(random.integers(0, 256, (40, 30 + i, 3), np.uint8)).save(buffer, "PNG")
        records.append(record(str(i), buffer.getvalue(), evidence=(thing("ball", Box(0, 0, 20, 20)),)))
    gather = Gather(Gather.Params())
    together = gather.process(records, context())
    assert together == [gather.process([r], context())[0] for r in records]
