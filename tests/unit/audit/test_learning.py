"""What is learned, and whether its worth is told honestly. Made-up embeddings prove the mechanism alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recaption.audit.examples import Examples, Judged, Label, Pair
from recaption.audit.held_out import FEWEST, compared
from recaption.audit.learning import learned
from recaption.audit.material import STRENGTHS
from recaption.core.errors import UserError
from recaption.models.preference_head import TRAITS, standardised
from tests.unit.audit.learned_examples import PLACES, Floats, features, judged, preferred

WORDS = TRAITS.index("words")


def by_cosine(found: Floats) -> Floats:
    return 1.5 * found[:, 0]


def by_words(found: Floats) -> Floats:
    return 2 * found[:, WORDS]


def by_one_place(found: Floats) -> Floats:
    return 3 * PLACES**0.5 * found[:, len(TRAITS)]


def by_coin(found: Floats) -> Floats:
    return np.zeros(len(found))


def plain(found: Floats) -> dict[str, Floats]:
    return {"cosine": found[:, 0]}


@pytest.mark.parametrize("make", [judged, preferred])
def test_a_taste_that_the_score_does_not_know_is_better_than_the_score(make):
    for taste in (by_words, by_one_place):
        examples, found = make(300, 3, taste)
        lesson = learned(examples, found, plain(found))
        assert lesson.verdict == "better", taste
        (comparison,) = lesson.comparisons
        assert comparison.learned.value > comparison.best.value + 0.1
        assert comparison.gain.interval is not None
        assert comparison.gain.interval.low > 0


@pytest.mark.parametrize("make", [judged, preferred])
def test_what_the_score_knows_already_is_not_learned_better(make):
    examples, found = make(300, 5, by_cosine)
    lesson = learned(examples, found, plain(found))
    assert lesson.verdict == "no better"
    (comparison,) = lesson.comparisons
    assert abs(comparison.gain.value) < 0.06, "there is little to lose to the plain score"


def test_of_coin_flips_nothing_is_learned_and_it_is_said():
    verdicts, values = [], []
    for seed in range(6):
        examples, found = judged(160, 10 * seed, by_coin)
        lesson = learned(examples, found, plain(found), seed=seed)
        verdicts.append(lesson.verdict)
        values.append(lesson.comparisons[0].learned.value)
    assert verdicts.count("better") <= 1
    assert 0.4 < np.mean(values) < 0.6


def test_a_score_of_which_less_is_better_is_read_that_way():
    examples, found = judged(300, 5, by_cosine)
    lesson = learned(examples, found, {"distance": -found[:, 0], "noise": found[:, 2]})
    (comparison,) = lesson.comparisons
    assert lesson.against == comparison.against == "distance"
    assert comparison.plain["distance"] > 0.7


def test_a_score_that_some_texts_lack_is_no_rival_on_the_pairs_that_hold_them():
    examples, found = judged(200, 5, by_cosine)
    gaps = found[:, 0].copy()
    gaps[7] = np.nan
    lesson = learned(examples, found, {"gaps": gaps, "words": found[:, WORDS]})
    assert set(lesson.comparisons[0].plain) == {"words"}


def test_too_few_are_said_to_be_too_few():
    examples, found = judged(60, 3, by_words)
    lesson = learned(examples, found, plain(found))
    assert lesson.verdict == "too few"
    assert not lesson.comparisons[0].enough
    rare, found = judged(400, 3, lambda f: by_words(f) + 7)
    assert sum(not label.accepted for label in rare.labels) < FEWEST
    assert learned(rare, found, plain(found)).verdict == "too few"


def test_edited_texts_teach_and_are_shown_but_decide_nothing():
    examples, found = preferred(120, 3, by_words)
    edits = replace(examples, pairs=tuple(replace(pair, kind="edit") for pair in examples.pairs))
    lesson = learned(edits, found, plain(found))
    assert lesson.verdict == "too few"
    (comparison,) = lesson.comparisons
    assert comparison.kind == "edited"
    assert comparison.learned.value > 0.75
    assert lesson.pairs == {"prefer": 0, "edit": 120}


@pytest.mark.parametrize(("taste", "taught"), [(by_words, True), (lambda found: -by_words(found), False)])
def test_edited_texts_are_learned_from_only_where_they_agree_with_other_judgements(taste, taught: bool):
    one, seen = judged(200, 3, by_words)
    two, more = preferred(150, 4, taste)
    both = together(one, replace(two, pairs=tuple(replace(pair, kind="edit") for pair in two.pairs)))
    found = np.vstack([seen, more])
    lesson = learned(both, found, plain(found))
    assert lesson.edits_taught == taught
    assert lesson.verdict == "better"
    assert lesson.comparisons[0].learned.value > 0.8
    assert lesson.comparisons[1].kind == "edited"
    assert (lesson.comparisons[1].learned.value > 0.5) == taught


def together(one: Examples, two: Examples) -> Examples:
    """Return both as the examples of other items."""
    n, items = len(one.texts), len(one.keys)
    total = items + len(two.keys)
    return Examples(
        keys=tuple(f"{i:05d}" for i in range(total)),
        images=(None,) * total,
        texts=one.texts + tuple(Judged(item=t.item + items, text=t.text) for t in two.texts),
        labels=one.labels,
        pairs=tuple(Pair(p.better + n, p.worse + n, p.kind, p.weight) for p in two.pairs),
    )


def test_labels_and_pairs_are_learned_from_together():
    one, seen = judged(150, 3, by_words)
    two, more = preferred(150, 4, by_words)
    both = together(one, two)
    found = np.vstack([seen, more])
    lesson = learned(both, found, plain(found))
    assert [c.kind for c in lesson.comparisons] == ["accepted", "preferred"]
    assert lesson.verdict == "better"
    assert lesson.items == 300
    assert lesson.accepted + lesson.rejected == 150


def test_the_weights_are_those_of_raw_features_brought_to_mean_and_scale():
    """The head's logits order texts by the taste that was learned."""
    examples, found = judged(300, 3, by_words)
    lesson = learned(examples, found, plain(found))
    fresh = features(500, 99)
    logits = standardised(fresh, lesson.mean, lesson.scale) @ lesson.weights + lesson.bias
    assert np.corrcoef(logits, by_words(fresh))[0, 1] > 0.9
    assert lesson.strength in STRENGTHS


def test_more_places_than_rows_give_the_same_as_a_search_in_all_of_them(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    examples, _ = judged(60, 3, by_words)
    found = np.column_stack([rng.normal(size=(60, len(TRAITS))), rng.normal(size=(60, 90))])
    short = learned(examples, found, plain(found))
    monkeypatch.setattr("recaption.audit.material._basis", lambda rows: np.eye(rows.shape[1]))
    whole = learned(examples, found, plain(found))
    assert short.weights == pytest.approx(whole.weights, abs=1e-5)
    assert short.comparisons[0].learned.value == pytest.approx(whole.comparisons[0].learned.value, abs=0.01)


def test_the_same_examples_and_seed_give_the_same_to_the_last_digit():
    examples, found = judged(120, 3, by_words)
    one, same, other = (learned(examples, found, plain(found), seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.weights, same.weights)
    assert one.comparisons == same.comparisons
    assert one.comparisons != other.comparisons


def test_a_feature_that_never_changes_counts_for_nothing():
    examples, found = judged(120, 3, by_words)
    found[:, 3] = 0.25
    lesson = learned(examples, found, plain(found))
    assert lesson.weights[3] == pytest.approx(0, abs=1e-9)
    assert lesson.scale[3] == 1.0


def test_nothing_to_learn_from_is_said_so():
    examples, found = judged(30, 3, by_words)
    alike = replace(examples, labels=tuple(Label(label.text, True, 1.0) for label in examples.labels))
    with pytest.raises(UserError, match="all alike"):
        learned(alike, found, plain(found))
    with pytest.raises(UserError, match="nothing to learn from yet"):
        learned(replace(examples, labels=()), found, plain(found))


def test_a_handful_teaches_something_without_falling_over():
    examples, found = judged(40, 3, by_words)
    yes = next(label for label in examples.labels if label.accepted)
    no = next(label for label in examples.labels if not label.accepted)
    lesson = learned(replace(examples, labels=(yes, no)), found, plain(found))
    assert lesson.verdict == "too few"
    assert np.isfinite(lesson.weights).all()


def test_held_out_figures_by_hand():
    """Two folds: in the first 2 of 2 pairs are won, in the second 0 of 1; pairs across folds are none."""
    examples = Examples(
        keys=tuple("abcde"),
        images=(None,) * 5,
        texts=tuple(Judged(item=i, text=str(i)) for i in range(5)),
        labels=(
            Label(0, True, 1.0),
            Label(1, False, 1.0),
            Label(2, False, 1.0),
            Label(3, True, 1.0),
            Label(4, False, 1.0),
        ),
        pairs=(),
    )
    folds = np.array([0, 0, 0, 1, 1])
    ours = np.array([0.9, 0.1, 0.2, 0.3, 0.4])
    theirs = np.array([0.5, 0.5, 0.1, 0.9, 0.8])
    (found,) = compared(examples, folds, ours, {"plain": theirs}, seed=0)
    assert (found.pairs, found.items, found.enough) == (3, 5, False)
    assert found.learned.value == pytest.approx(2 / 3)
    assert found.best.value == pytest.approx(2.5 / 3)
    assert found.gain.value == pytest.approx(-0.5 / 3)


def test_what_is_wholly_apart_still_has_an_interval_with_width():
    examples, _ = judged(200, 3, by_words)
    perfect = np.array([1.0 if label.accepted else 0.0 for label in examples.labels])
    folds = np.arange(200) % 5
    (comparison,) = compared(examples, folds, perfect, {"plain": perfect}, seed=0)
    assert comparison.learned.value == 1
    assert comparison.learned.interval is not None
    assert 0.9 < comparison.learned.interval.low < 1
    pairs, _ = preferred(60, 3, by_words)
    scores = np.zeros(120)
    scores[[pair.better for pair in pairs.pairs]] = 1
    (comparison,) = compared(pairs, np.zeros(60, dtype=np.int64), scores, {"plain": -scores}, seed=0)
    assert (comparison.learned.value, comparison.best.value, comparison.gain.value) == (1, 0, 1)
    assert comparison.learned.interval is not None
    assert 0.9 < comparison.learned.interval.low < 1


@pytest.mark.slow
def test_chance_is_rarely_called_better():
    found = []
    for seed in range(100):
        examples, seen = judged(200, 1000 + 10 * seed, by_coin)
        found.append(learned(examples, seen, plain(seen), seed=seed).verdict)
    assert found.count("better") <= 5
