"""The score stage: every question paid for once, images read only where one is missing, nobody judged twice."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import pytest

from recaption.core.errors import BackendError, ImageError, RecipeError, UserError
from recaption.core.protocols import Context, Images
from recaption.core.types import Caption, Failed, Image, Kept, Outcome, Provenance, Record
from recaption.core.types import Score as Value
from recaption.datasets.ledger import SqliteLedger
from recaption.datasets.meter import SqliteMeter
from recaption.media.images import BatchImages
from recaption.models.hf import scoring_loading
from recaption.pipeline import Pipeline
from recaption.recipes.recipe import load_recipe
from recaption.stages.score import Score
from tests.unit.models.hf.scoring_checkpoints import made
from tests.unit.models.hf.scoring_pairs import picture


class Length:
    """Scores a text by its length, and looks at the image to see whether it can be decoded."""

    value_range: tuple[float | None, float | None] = (0.0, None)
    higher_is_better = True

    def __init__(self, name: str = "length@1", *, sees_images: bool = True) -> None:
        self.name, self.fingerprint, self.sees_images = name, name, sees_images
        self.asked: list[str] = []

    def score(self, pairs: Sequence[tuple[Record, Caption]], images: Images) -> list[Value]:
        self.asked += [caption.text for _, caption in pairs]
        return [self._one(record, caption, images) for record, caption in pairs]

    def _one(self, record: Record, caption: Caption, images: Images) -> Value:
        if self.sees_images:
            try:
                images.pixels(record)
            except ImageError as error:
                return Value(value=None, reason=f"image: {error}")
        return Value(value=float(len(caption.text)))


class Busy(BatchImages):
    """Images that cannot be decoded at the moment."""

    def pixels(self, record: Record) -> Any:
        raise ImageError("too little memory at the moment", retryable=True)


def caption(text: str, stage: str = "caption", **more: Any) -> Caption:
    origin = more.pop("origin", "alt" if stage == "source" else "model")
    return Caption(text=text, origin=origin, provenance=Provenance(stage=stage), **more)


def record(key: str, *texts: str, data: bytes | None = None) -> Record:
    image = Image(data=picture(len(key)) if data is None else data)
    return Record(key=key, image=image, captions=tuple(caption(text) for text in texts))


def stage(*scorers: Length, **params: Any) -> Score:
    made = Score(Score.Params.model_validate({"scorers": {"repetition": "repetition"}, **params}))
    made._scorers = {scorer.name.partition("@")[0]: scorer for scorer in scorers}
    return made


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    opened = SqliteLedger(tmp_path / "calls.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def meter(tmp_path: Path) -> Iterator[SqliteMeter]:
    opened = SqliteMeter(tmp_path / "spent.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def context(ledger: SqliteLedger, meter: SqliteMeter) -> Context:
    return Context(images=BatchImages(), ledger=ledger, meter=meter)


def again(context: Context, images: Images | None = None) -> Context:
    """The context of another batch of the same run."""
    return replace(context, images=images or BatchImages())


def values(outcome: Outcome, label: str = "length") -> list[float | None]:
    assert isinstance(outcome, Kept)
    return [c.scores[label].value if label in c.scores else None for c in outcome.record.captions]


def test_every_caption_gets_its_score_and_the_name_of_who_gave_it(context: Context) -> None:
    before = caption("four", scores={"triage": Value(value=0.5)})
    given = replace(record("a", "one", "three"), captions=(before, *record("a", "one", "three").captions))
    (outcome,) = stage(Length(), Length("other@2")).process([given], context)
    assert isinstance(outcome, Kept)
    assert values(outcome) == values(outcome, "other") == [4, 3, 5]
    first = outcome.record.captions[0]
    assert first.scores["triage"] == Value(value=0.5)
    assert first.provenance.details["scored_by"] == {"length": "length@1", "other": "other@2"}
    assert [c.id for c in outcome.record.captions] == [c.id for c in given.captions]
    assert given.captions[0] is before
    assert "length" not in before.scores


def test_no_question_is_paid_twice(context: Context, ledger: SqliteLedger) -> None:
    judge = Length()
    twin = replace(record("a", "one", "two"), key="b")
    outcomes = stage(judge).process([record("a", "one", "one", "two"), twin], context)
    assert [values(outcome) for outcome in outcomes] == [[3, 3, 3], [3, 3]]
    assert sorted(judge.asked) == ["one", "two"]
    images = BatchImages()
    (outcome,) = stage(judge).process([record("a", "two", "one")], again(context, images))
    assert values(outcome) == [3, 3]
    assert (len(judge.asked), images.decodes, ledger.paid) == (2, 0, 2)
    stage(judge).process([record("a", "one", "more")], again(context))
    assert judge.asked[2:] == ["more"]


def test_another_image_another_decoding_or_another_model_is_another_question(context: Context) -> None:
    judge = Length()
    stage(judge).process([record("a", "one")], context)
    stage(judge).process([record("a", "one", data=picture(9))], again(context))
    stage(judge).process([record("a", "one")], again(context, BatchImages(max_side_px=8)))
    newer = Length("length@2")
    stage(newer).process([record("a", "one")], again(context))
    assert (len(judge.asked), len(newer.asked)) == (3, 1)


def test_a_judge_of_texts_reads_no_image(context: Context) -> None:
    judge = Length(sees_images=False)
    images = BatchImages()
    torn = record("b", "one", data=picture(1)[:200])
    unknown = Record(key="c", captions=(caption("one"),))
    outcomes = stage(judge).process([record("a", "one"), torn, unknown], again(context, images))
    assert [values(outcome) for outcome in outcomes] == [[3], [3], [3]]
    assert (judge.asked, images.reads) == (["one"], 0)


@pytest.mark.parametrize(
    ("params", "judged"),
    [
        ({}, [True, True, False, True]),
        ({"kept_only": False}, [True, True, True, True]),
        ({"origins": ["model"]}, [False, True, False, False]),
        ({"origins": ["composed", "alt"], "kept_only": False}, [True, False, False, True]),
    ],
)
def test_who_is_judged(params: dict[str, Any], judged: list[bool], context: Context) -> None:
    captions = (
        caption("alt", "source", kept=False),
        caption("kept"),
        caption("gone", kept=False),
        caption("composed", "compose", origin="composed"),
    )
    given = replace(record("a"), captions=captions)
    (outcome,) = stage(Length(), **params).process([given], context)
    assert [value is not None for value in values(outcome)] == judged


def test_an_image_that_cannot_be_decoded_fails_its_record_and_is_remembered(context: Context) -> None:
    judge = Length()
    torn = record("b", "one", data=picture(1)[:200])
    one, other, no_caption = stage(judge).process(
        [record("a", "one"), torn, record("c", data=b"no image")], context
    )
    assert values(one) == [3]
    assert isinstance(no_caption, Kept)
    assert isinstance(other, Failed)
    assert other.error.startswith("image: ")
    assert not other.retryable
    images = BatchImages()
    (later,) = stage(judge).process([torn], again(context, images))
    assert later == other
    assert images.decodes == 0
    (kept,) = stage(judge, on_image_error="keep").process([torn], again(context))
    assert values(kept) == [None]
    assert isinstance(kept, Kept)
    assert kept.record.captions[0].scores["length"].reason == other.error


def test_an_image_that_may_be_decoded_later_is_asked_about_again(context: Context) -> None:
    judge = Length()
    (failed,) = stage(judge).process([record("a", "one")], again(context, Busy()))
    assert failed == Failed("image: too little memory at the moment", retryable=True)
    (outcome,) = stage(judge).process([record("a", "one")], again(context))
    assert values(outcome) == [3]


def test_bytes_that_cannot_be_read_fail_and_no_bytes_at_all_do_not(context: Context, tmp_path: Path) -> None:
    gone = Record(key="a", image=Image(path=str(tmp_path / "gone.jpg")), captions=(caption("one"),))
    url = Record(key="b", image=Image(url="https://example.org/a.jpg"), captions=(caption("one"),))
    failed, kept = stage(Length()).process([gone, url], context)
    assert isinstance(failed, Failed)
    assert values(kept) == [None]


def test_a_scorer_that_answers_short_is_gone(context: Context) -> None:
    class Short(Length):
        def score(self, pairs: Sequence[tuple[Record, Caption]], images: Images) -> list[Value]:
            return super().score(pairs, images)[1:]

    with pytest.raises(BackendError, match="gave 1 scores for 2 pairs"):
        stage(Short()).process([record("a", "one", "two")], context)


def test_a_recipe_is_checked_before_anything_is_loaded(tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text("stages: [score: {scorers: {fit: nobody}}]")
    with pytest.raises(RecipeError, match="nobody"):
        load_recipe(str(recipe))
    recipe.write_text("stages: [score: {scorers: {fit: {repetition: {ngrams: 3}}}}]")
    with pytest.raises(RecipeError, match="ngram"):
        load_recipe(str(recipe))
    recipe.write_text("stages: [score: {scorers: {fit: no/model, again: {repetition: {ngram: 3}}}}]")
    loaded = load_recipe(str(recipe))
    with pytest.raises(UserError, match="hf download no/model"):
        loaded.stages[0].build()


def test_the_fingerprint_is_that_of_all_scorers() -> None:
    prints = [
        Score(Score.Params.model_validate({"scorers": scorers})).fingerprint
        for scorers in ({"r": "repetition"}, {"s": "repetition"}, {"r": {"repetition": {"ngram": 3}}})
    ]
    assert len(set(prints)) == 3


def test_two_labels_of_one_real_model_encode_each_image_once(
    tmp_path: Path, ledger: SqliteLedger, meter: SqliteMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring_loading, "_engines", WeakValueDictionary())  # one that has seen nothing yet
    model = str(made("clip", tmp_path / "clip"))
    params = {
        "cosine": {"clip": {"model": model}},
        "official": {"clip": {"model": model, "output": "clipscore", "prefix": ""}},
        "repetition": "repetition",
    }
    built = Score(Score.Params.model_validate({"scorers": params}))
    pipeline = Pipeline(stages=[built], make_images=BatchImages, ledger=ledger, meter=meter)
    texts = ("A red ball.", "Two cats.", "The sky.")
    results = pipeline.run_batch([record(key, *texts) for key in ("a", "bb", "ccc")])
    engine = built._scorers["cosine"]._engine  # type: ignore[attr-defined]
    assert (engine.image_rows, engine.text_rows) == (3, 3)
    for result in results:
        assert isinstance(result, Record)
        for told in result.captions:
            cosine, official = told.scores["cosine"].value, told.scores["official"].value
            assert cosine is not None
            assert official == pytest.approx(2.5 * max(cosine, 0), abs=1e-5)
            assert told.scores["repetition"] == Value(value=0.0)
    pipeline.run_batch([record(key, *texts) for key in ("a", "bb", "ccc")])
    assert engine.image_rows == 3
