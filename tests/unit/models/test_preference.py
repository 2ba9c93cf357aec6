"""The preference scorer keeps the promises of every scorer, and its file is held to what a head is.

The encoder is the small one of the package and the weights are made up: what is shown is that values are what the
numbers in the file say, never that they please anybody.
"""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recaption.core.errors import RecaptionError, UserError
from recaption.core.protocols import EmbeddedText, Embedder, Scorer
from recaption.core.types import Caption, Image, Kept, Provenance, Record, Score
from recaption.datasets.ledger import SqliteLedger
from recaption.media.images import BatchImages
from recaption.models.preference import PreferenceScorer, pinned
from recaption.models.preference_head import TRAITS, Head, features, read_head, standardised
from recaption.recipes.backends import backend
from recaption.recipes.recipe import load_recipe
from tests.unit.models.hf.scoring_pairs import pairs, picture, record

PLACES = 256
TEXTS = (
    "A red ball on grass.",
    "two cats",
    "buy buy buy buy cheap now",
    "An empty box. It is blue. It is blue.",
)
HOSTILE = ("x" * 1_000_000, "word " * 200_000, "\ud800 lone", "一只红球在草地上。", "🎈🎈🎈", "\x00", ".", "a")


@pytest.fixture(scope="module")
def encoder() -> Embedder:
    found = backend("scorers", "embedded", "test").build()
    assert isinstance(found, Embedder)
    return found


@pytest.fixture(scope="module")
def head(encoder: Embedder) -> Head:
    rng = np.random.default_rng(0)
    n = len(TRAITS) + PLACES
    return Head(
        encoder=pinned("embedded", encoder),
        mean=tuple(rng.normal(0, 0.01, n).tolist()),
        scale=tuple(rng.uniform(0.05, 0.2, n).tolist()),
        weights=tuple(rng.normal(0, 0.2, n).tolist()),
        bias=0.25,
        verdict="better",
        against="image_text",
        scope="within images",
    )


@pytest.fixture
def file(head: Head, tmp_path: Path) -> Path:
    path = tmp_path / "head.json"
    path.write_bytes(head.to_bytes())
    return path


def scorer(file: Path, **more: Any) -> PreferenceScorer:
    return PreferenceScorer(PreferenceScorer.Params.model_validate({"file": file, **more}))


def values(scores: list[Score]) -> list[float]:
    found = [score.value for score in scores]
    assert None not in found, [score.reason for score in scores]
    return [value for value in found if value is not None]


def changed(file: Path, **more: Any) -> Path:
    file.write_text(json.dumps({**json.loads(file.read_text()), **more}))
    return file


# --- the scorer -----------------------------------------------------------------------------------------------------


def test_it_is_a_scorer_of_images_and_no_embedder(file: Path) -> None:
    judge = scorer(file)
    assert isinstance(judge, Scorer)
    assert not isinstance(judge, Embedder)
    assert (judge.higher_is_better, judge.sees_images, judge.value_range) == (True, True, (0.0, 1.0))


def test_a_value_is_the_chance_that_the_numbers_in_the_file_say(
    file: Path, head: Head, encoder: Embedder
) -> None:
    one, text = record(1), TEXTS[0]
    (image,), (read,) = encoder.embed_images([one], BatchImages()), encoder.embed_texts([text])
    assert isinstance(image, np.ndarray)
    product = [float(a) * float(b) for a, b in zip(image, read.vector, strict=True)]
    seen = [sum(product), math.log(6), math.log(2), 1.0, 0.0, 0.0, 0.0, *product]
    logit = head.bias
    for x, mean, scale, weight in zip(seen, head.mean, head.scale, head.weights, strict=True):
        logit += weight * max(-5.0, min(5.0, (x - mean) / scale))
    (score,) = scorer(file).score(pairs([one], [text]), BatchImages())
    assert score.value == pytest.approx(1 / (1 + math.exp(-logit)), abs=2e-6)
    assert score.reason is None


def test_a_score_depends_neither_on_its_batch_nor_on_the_order(file: Path) -> None:
    asked = pairs([record(i) for i in range(4)], TEXTS)
    judge = scorer(file)
    whole = values(judge.score(asked, BatchImages()))
    assert np.std(whole) > 0.01, "nothing is told apart, so this shows nothing"
    alone = [values(judge.score([pair], BatchImages()))[0] for pair in asked]
    assert whole == pytest.approx(alone, abs=5e-6)
    order = list(range(len(asked)))
    random.Random(1).shuffle(order)
    mixed = values(judge.score([asked[i] for i in order], BatchImages()))
    assert [whole[i] for i in order] == pytest.approx(mixed, abs=5e-6)
    assert asked == pairs([record(i) for i in range(4)], TEXTS)


def test_a_bad_item_is_a_value(file: Path) -> None:
    torn = Record(key="torn", image=Image(data=picture(3)[:300]))
    asked = [*pairs([Record(key="none"), torn], ["a ball"]), *pairs([record(1)], ["", " \n", "a ball"])]
    found = scorer(file).score(asked, BatchImages())
    assert [score.value is None for score in found] == [True, True, True, True, False]
    assert all(score.reason for score in found[:4])
    assert found[2].reason == "the text is empty"


def test_nothing_asked_loads_nothing(file: Path, tmp_path: Path) -> None:
    assert scorer(tmp_path / "nowhere.json").score([], BatchImages()) == []
    judge = scorer(file)
    _ = judge.fingerprint, judge.name
    assert "_engine" not in judge._encoder.__dict__
    judge.close()
    scorer(file).close()


def test_any_text_has_a_chance(file: Path) -> None:
    for text, score in zip(
        HOSTILE, scorer(file).score(pairs([record(1)], HOSTILE), BatchImages()), strict=True
    ):
        assert score.value is not None, text[:20]
        assert 0 <= score.value <= 1
    (long, *_) = scorer(file).score(pairs([record(1)], HOSTILE[1:2]), BatchImages())
    assert long.reason is not None
    assert "tokens unseen" in long.reason


def test_the_name_says_what_it_is_worth(file: Path, head: Head, encoder: Embedder) -> None:
    assert (
        scorer(file).name
        == f"preference@{head.digest[:8]}, {encoder.encoder}, better than image_text within images"
    )
    changed(file, verdict="no better")
    assert scorer(file).name.endswith("no better than image_text within images")
    changed(file, verdict="too few")
    assert "too few judgements" in scorer(file).name


def test_the_fingerprint_is_of_numbers_and_encoder_and_of_nothing_else(file: Path, head: Head) -> None:
    first = scorer(file).fingerprint
    assert scorer(changed(file, verdict="no better", learned={"items": 3})).fingerprint == first
    assert scorer(changed(file, bias=head.bias + 1e-9)).fingerprint != first


def test_another_encoder_than_the_one_it_was_learned_on_is_refused(file: Path) -> None:
    with pytest.raises(UserError, match="it was learned on embedded@"):
        _ = scorer(file, encoder={"embedded": {"dtype": "bfloat16"}}).fingerprint
    told = json.loads(file.read_text())
    changed(file, encoder={**told["encoder"], "fingerprint": "0" * 64})
    with pytest.raises(UserError, match="other weights"):
        scorer(file).score(pairs([record(1)], ["a ball"]), BatchImages())
    with pytest.raises(UserError, match="gives no embeddings"):
        _ = scorer(file, encoder="repetition").name


def test_the_encoder_may_be_named_anew_where_it_is_the_same(file: Path) -> None:
    moved = scorer(file, encoder={"embedded": {"device": "cpu", "batch_size": 3, "dtype": "float32"}})
    assert moved.fingerprint == scorer(file).fingerprint


def test_a_file_is_no_reason_to_run_code(file: Path) -> None:
    told = json.loads(file.read_text())["encoder"]
    changed(file, encoder={**told, "model": {"clip": {"model": "a/b", "trust_remote_code": True}}})
    with pytest.raises(UserError, match="runs code"):
        _ = scorer(file).fingerprint


def test_how_a_head_names_its_encoder_holds_elsewhere(encoder: Embedder) -> None:
    found = pinned({"embedded": {"device": "cpu", "batch_size": 7}}, encoder)
    assert found.model == {"embedded": {"dtype": "float32"}}
    assert (found.name, found.fingerprint) == (encoder.encoder, encoder.encoder_fingerprint)


def test_it_ranks_in_a_recipe_and_is_paid_once(file: Path, tmp_path: Path) -> None:
    from recaption.core.protocols import Context
    from recaption.datasets.meter import SqliteMeter

    recipe = load_recipe(
        "hybrid",
        {
            "score.scorers": {"image_text": "embedded", "liked": {"preference": {"file": str(file)}}},
            "select.by": {"liked": 1},
            "select.units": {},
            "select.prefer": [{"origin": "model"}],
        },
    )
    again = tmp_path / "recipe.yaml"
    again.write_text(recipe.to_yaml())
    assert load_recipe(str(again)).digest == recipe.digest
    stages = [spec.build() for spec in recipe.stages if spec.name in ("score", "select")]
    captions = tuple(
        Caption(text=text, origin="model", provenance=Provenance(stage="caption")) for text in TEXTS
    )
    found: list[Any] = [replace(record(1), captions=captions)]
    ledger = SqliteLedger(tmp_path / "calls.sqlite")
    context = Context(images=BatchImages(), ledger=ledger, meter=SqliteMeter(tmp_path / "spent.sqlite"))
    for stage in stages:
        found = [outcome.record for outcome in stage.process(found, context) if isinstance(outcome, Kept)]
    paid = ledger.paid
    stages[0].process(found, context)
    assert (paid, ledger.paid) == (8, 8)
    ledger.close()
    best = found[0].best
    scores = {caption.text: caption.scores["liked"].value for caption in found[0].captions}
    assert best is not None
    assert scores[best.text] == max(scores.values())
    assert best.provenance.details["scored_by"]["liked"].startswith("preference@")
    stages[0].close()  # type: ignore[attr-defined]


# --- features -------------------------------------------------------------------------------------------------------


def test_traits_of_texts() -> None:
    read = EmbeddedText(np.array([0.6, 0.8], dtype=np.float32), 10, 4)
    texts = ["A red ball. A red ball.", "一只红球", "b" * 50]
    found = features(np.array([[1.0, 0.0]] * 3), texts, [read] * 3)
    assert found.shape == (3, len(TRAITS) + 2)
    assert found[:, 0] == pytest.approx(0.6)
    assert found[:, -2:] == pytest.approx(np.array([[0.6, 0.0]] * 3))
    assert found[0, 1:7] == pytest.approx([math.log(7), math.log(3), 0.5, 0.5, 0.0, 0.4])
    assert found[1, 1] == pytest.approx(math.log(5))
    assert found[2, 5] == pytest.approx(2 / 6), "begins in lower case, has no stop"


def test_what_is_far_from_all_that_was_learned_from_is_held_at_the_edge() -> None:
    found = standardised(np.array([[0.0, 1e9, -1e9]]), np.zeros(3), np.full(3, 1e-6))
    assert found.tolist() == [[0.0, 5.0, -5.0]]


@settings(max_examples=60)
@given(st.text(max_size=400))
def test_any_text_has_finite_features(text: str) -> None:
    read = EmbeddedText(np.array([1.0], dtype=np.float32), 0, 0)
    found = features(np.array([[1.0]]), [text], [read])
    assert np.isfinite(found).all()
    assert ((found[0, 3:7] >= 0) & (found[0, 3:7] <= 1)).all()


# --- the file -------------------------------------------------------------------------------------------------------


def test_a_file_comes_back_as_it_was(file: Path, head: Head) -> None:
    assert read_head(file) == head
    assert read_head(file).digest == head.digest
    assert head.width == PLACES


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": "other"}, "format"),
        ({"version": 2}, "version"),
        ({"surprise": 1}, "surprise"),
        ({"bias": "0.5"}, "bias"),
        ({"weights": []}, "numbers"),
        ({"weights": [1.0] * 20_000}, "weights"),
        ({"verdict": "best of all"}, "verdict"),
        ({"encoder": {}}, "encoder"),
    ],
)
def test_a_file_of_something_else_is_refused_in_one_line(file: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told) as caught:
        read_head(changed(file, **change))
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "-1", "0"])
def test_numbers_that_cannot_be_are_refused(file: Path, head: Head, number: str) -> None:
    file.write_text(head.to_bytes().decode().replace(f'"scale":[{head.scale[0]!r}', f'"scale":[{number}'))
    with pytest.raises(UserError, match="scale"):
        read_head(file)


def test_a_file_that_is_not_there_or_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="recaption audit learn"):
        read_head(tmp_path / "nowhere.json")
    with pytest.raises(UserError, match=r"preference model"):
        read_head(tmp_path)
    large = tmp_path / "large.json"
    large.write_bytes(b" " * (9 << 20))
    with pytest.raises(UserError, match="larger than"):
        read_head(large)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.integers(0, 10_000))
def test_damaged_files_are_refused_and_nothing_else(file: Path, head: Head, noise: bytes, place: int) -> None:
    whole = head.to_bytes()
    cut = place % len(whole)
    for data in (noise, whole[:cut] + noise, whole[:cut]):
        file.write_bytes(data)
        try:
            found = read_head(file)
        except RecaptionError:
            continue
        assert np.isfinite(found.logits(np.zeros((1, len(TRAITS) + found.width)))).all()


def test_embeddings_of_another_width_are_refused(head: Head) -> None:
    with pytest.raises(UserError, match="256"):
        head.logits(np.zeros((1, 20)))
