"""Agreement: each figure is its formula, texts of several sentences are told apart, encoders are kept apart."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recaption.core.protocols import EmbeddingSpace
from recaption.datasets.ledger import SqliteLedger
from recaption.evaluation.measures import Additive, Control, Remark, Result, Whole
from recaption.evaluation.metrics.agreement import Agreement, AgreementFacts
from recaption.evaluation.subject import Subject
from recaption.media.images import BatchImages
from recaption.models.hf.dual_encoder import DualEncoderScorer
from tests.unit.evaluation.facts import Texts, made_embeddings, made_texts, only_items
from tests.unit.evaluation.small_encoder import SmallEncoder, record, subject, tools
from tests.unit.models.hf.scoring_checkpoints import SENTENCES, made
from tests.unit.models.hf.scoring_pairs import pairs
from tests.unit.models.hf.scoring_pairs import record as photo

AXES = np.eye(3)
SIGMOID = EmbeddingSpace(scale=2.0, bias=-1.0, has_sigmoid=True, text_limit=64)


def towards(axis: int, cosine: float) -> list[float]:
    """A vector of that cosine with an axis."""
    vector = [0.0, 0.0, 0.0, np.sqrt(1 - cosine**2)]
    vector[axis] = cosine
    return vector


def images(n: int = 3) -> Any:
    return np.eye(n, 4)


def by_name(results: Sequence[Result]) -> dict[str, Any]:
    named = {one.about.name if isinstance(one, Additive | Whole) else one.name: one for one in results}
    assert len(named) == len(results)
    return named


def value(figure: Additive, column: str) -> float:
    return float(figure.formula(figure.parts[column].sum(axis=0)))


def facts(
    texts: Mapping[str, Texts],
    *,
    sentences: Mapping[str, Texts] | None = None,
    references: Texts | None = None,
    **more: Any,
) -> AgreementFacts:
    found = made_embeddings(more.pop("images", images()), texts, **more)
    return AgreementFacts(
        embeddings=found,
        sentences={c: made_texts((sentences or {}).get(c, [])) for c in texts},
        prefixed=None if found.space.has_sigmoid else found.texts,
        references=None if references is None else made_texts(references),
    )


def score(*given: AgreementFacts, given_subject: Subject | None = None) -> dict[str, Any]:
    return by_name(Agreement().score(given_subject or only_items(3), given))


def test_cosine_and_clipscore_are_means_over_texts() -> None:
    texts = {
        "a": [(0, towards(0, 0.3)), (0, towards(0, 0.5)), (2, towards(2, -0.2))],
        "b": [(1, towards(1, 0.4))],
    }
    found = score(facts(texts))
    assert found["cosine"].parts["a"] == pytest.approx(np.array([[0.4, 1], [0, 0], [-0.2, 1]]), abs=1e-6)
    assert value(found["cosine"], "b") == pytest.approx(0.4, abs=1e-6)
    assert found["clipscore"].parts["a"] == pytest.approx(np.array([[1.0, 1], [0, 0], [0, 1]]), abs=1e-6)
    assert found["cosine"].about.primary
    assert (found["cosine"].about.better, found["cosine"].about.value_range) == ("higher", (-1.0, 1.0))
    assert 'prefix "A photo depicts"' in found["clipscore"].about.note
    assert "hand, float32" in found["cosine"].about.note


def test_refclipscore_takes_the_best_reference_of_the_item() -> None:
    texts = {"a": [(0, towards(0, 0.3)), (1, towards(1, 0.3)), (2, towards(2, -0.1))]}
    first = np.array(towards(0, 0.3))
    other = np.array([0.0, 0.0, 1.0, 0.0])
    near = 0.85 * first + np.sqrt(1 - 0.85**2) * other
    references = [(0, other.tolist()), (0, near.tolist()), (2, (-np.array(towards(2, -0.1))).tolist())]
    found = score(facts(texts, references=references))["refclipscore"]
    assert found.parts["a"] == pytest.approx(np.array([[0.796875, 1], [0, 0], [0, 1]]), abs=1e-6)
    assert "refclipscore" not in score(facts(texts))


def test_a_sigmoid_model_gives_logit_and_probability_and_no_clipscore() -> None:
    found = score(facts({"a": [(0, towards(0, 0.3))]}, space=SIGMOID, suffix="@siglip"))
    assert value(found["logit@siglip"], "a") == pytest.approx(-0.4, abs=1e-6)
    assert value(found["probability@siglip"], "a") == pytest.approx(1 / (1 + np.exp(0.4)), abs=1e-6)
    assert not any(name.startswith(("clipscore", "refclipscore")) for name in found)
    assert not found["cosine@siglip"].about.primary
    assert found["cosine@siglip"].about.title.endswith("(siglip)")


def test_a_probability_is_one_however_large_the_logit() -> None:
    steep = EmbeddingSpace(scale=1e5, bias=0.0, has_sigmoid=True, text_limit=64)
    found = score(facts({"a": [(0, towards(0, 0.9))], "b": [(0, towards(0, -0.9))]}, space=steep))
    assert (value(found["probability"], "a"), value(found["probability"], "b")) == (1.0, 0.0)


def test_sentences_are_taken_together_by_text() -> None:
    texts = {"a": [(0, towards(0, 0.3)), (1, towards(1, 0.6)), (1, towards(1, 0.2))]}
    parts = [(0, towards(0, 0.1)), (0, towards(0, 0.5)), (2, towards(1, 0.4)), (2, towards(1, -0.4))]
    found = score(facts(texts, sentences={"a": parts}))
    assert found["sentence_mean"].parts["a"][:, 0] == pytest.approx([0.3, (0.6 + 0.0) / 2, 0], abs=1e-6)
    assert found["sentence_min"].parts["a"][:, 0] == pytest.approx([0.1, (0.6 - 0.4) / 2, 0], abs=1e-6)
    assert found["sentence_max"].parts["a"][:, 0] == pytest.approx([0.5, (0.6 + 0.4) / 2, 0], abs=1e-6)
    assert [found[f"sentence_{kind}"].about.better for kind in ("mean", "min", "max")] == [None] * 3
    assert "different length" in found["sentence_mean"].about.note


def test_where_no_text_has_several_sentences_there_is_nothing_to_add() -> None:
    assert not any(name.startswith("sentence") for name in score(facts({"a": [(0, towards(0, 0.3))]})))


def test_what_was_not_read_is_told() -> None:
    found = made_embeddings(images(), {"a": []})
    some = made_texts([(0, towards(0, 1)), (0, towards(0, 1)), (2, towards(0, 1))], [100, 20, 80], [25, 0, 5])
    given = AgreementFacts(
        embeddings=type(found)(
            encoder="e", suffix="", space=found.space, images=found.images, texts={"a": some}
        ),
        sentences={"a": made_texts([])},
        prefixed={"a": some},
    )
    told = score(given)
    assert value(told["unread_tokens"], "a") == pytest.approx(30 / 200)
    assert told["unread_tokens"].pooled
    assert value(told["cut_texts"], "a") == pytest.approx((1 / 2 + 1) / 2)
    assert told["cut_texts"].about.better is None


def test_images_that_could_not_be_read_count_for_nothing() -> None:
    texts = {"a": [(0, towards(0, 0.3)), (1, towards(1, 0.9))]}
    found = score(facts(texts, known=[True, False, True]))
    assert found["cosine"].parts["a"] == pytest.approx(np.array([[0.3, 1], [0, 0], [0, 0]]), abs=1e-6)
    assert "1 of 3 images could not be read" in found["cosine"].about.note


def test_nothing_read_is_no_figure_and_no_control() -> None:
    none = score(facts({"a": [], "b": [(1, towards(1, 0.5))]}, images=np.zeros((3, 0)), known=[False] * 3))
    assert not any(isinstance(one, Control) for one in none.values())
    for one in none.values():
        if isinstance(one, Additive):
            assert all(np.isfinite(parts).all() for parts in one.parts.values())
    assert np.isnan(value(none["cosine"], "b"))


def test_texts_with_other_images_fit_less_or_the_control_says_so() -> None:
    right: Texts = [(i, [*AXES[i], 0.5]) for i in range(3)]
    wrong: Texts = [(i, [*AXES[(i + 1) % 3], 0.5]) for i in range(3)]
    found = score(facts({"a": right, "b": [*wrong, *wrong]}))
    control = found["cosine_shuffled.a"]
    assert isinstance(control, Control)
    assert control.holds
    assert control.value < 0.01
    assert "cosine_shuffled.b" not in found, "the encoder is shown to work on a; it is b that is wrong"
    remark = found["cosine_shuffled_alike.b"]
    assert isinstance(remark, Remark)
    assert remark.text.startswith("b: its texts fit other images as well as their own")
    alone = score(facts({"b": [*wrong, *wrong]}))["cosine_shuffled.b"]
    assert not alone.holds, "nothing shows that the encoder tells images apart"


def scattered(n: int, seed: int, towards_own: float) -> Texts:
    """Texts in every direction, drawn by so much to their own images."""
    vectors = np.random.default_rng(seed).normal(size=(n, n)) / np.sqrt(n)
    return [(i, [*vectors[i], 0.0] + towards_own * np.eye(n, n + 1)[i]) for i in range(n)]


@pytest.mark.parametrize("seed", range(4))
def test_a_worthless_column_does_not_speak_against_the_encoder(seed: int) -> None:
    n = 60
    constant: Texts = [(i, [*np.ones(n), 0.0]) for i in range(n)]
    given = facts(
        {"junk": scattered(n, seed, 0.0), "constant": constant, "new": scattered(n, seed + 9, 0.5)},
        images=np.eye(n, n + 1),
    )
    found = by_name(Agreement().score(only_items(n, ("junk", "constant", "new"), seed), [given]))
    assert [c.holds for c in found.values() if isinstance(c, Control)] == [True]
    assert {name for name, one in found.items() if isinstance(one, Remark)} == {
        "cosine_shuffled_alike.junk",
        "cosine_shuffled_alike.constant",
    }


def test_where_no_column_fits_better_than_chance_the_control_fails_whichever_way_the_noise_fell() -> None:
    n, held = 60, []
    for seed in range(40):
        given = facts({"a": scattered(n, seed, 0.0)}, images=np.eye(n, n + 1))
        held.append(score(given, given_subject=only_items(n, ("a",), seed))["cosine_shuffled.a"].holds)
    assert sum(held) <= 4, "a bare comparison would let half of them pass"


def test_one_item_alone_in_a_column_proves_nothing() -> None:
    found = score(facts({"a": [(1, towards(0, 0.9))]}))
    assert not any(isinstance(one, Control | Remark) for one in found.values())


def test_every_figure_of_a_real_clip_is_what_its_scorer_states(tmp_path: Path) -> None:
    folder = made("clip", tmp_path / "clip")
    records = [photo(i) for i in range(4)]
    texts = [SENTENCES[0], f"{SENTENCES[1].capitalize()}. {SENTENCES[2]}", "open", ""]
    rows = [(r, [[text], [SENTENCES[1], text]]) for r, text in zip(records, texts, strict=True)]
    given = subject(rows, references=[["two cats on a sofa", SENTENCES[3]] for _ in rows])
    judges: dict[str, Any] = {
        output: DualEncoderScorer(
            DualEncoderScorer.Params.model_validate(
                {"model": str(folder), "dtype": "float32", "output": output}
            )
        )
        for output in ("cosine", "clipscore")
    }
    ledger = SqliteLedger(tmp_path / "calls.sqlite")
    kit = tools(tmp_path, ledger, [], image_text={"clip": judges["cosine"]})
    metric = Agreement()
    found = by_name(metric.score(given, metric.extract(given, kit)))
    ledger.close()
    for output, judge in judges.items():
        expected = [
            [s.value for s in judge.score(pairs([r], [SENTENCES[1], t]), BatchImages())]
            for r, t in zip(records, texts, strict=True)
        ]
        known = [[v for v in both if v is not None] for both in expected]
        means = [[sum(some) / len(some), 1] if some else [0, 0] for some in known]
        assert found[output].parts["new"] == pytest.approx(np.array(means), abs=1e-5)
    assert found["refclipscore"].parts["original"][:, 1].tolist() == [1, 1, 1, 0]
    assert found["sentence_min"].parts["original"][1, 0] <= found["sentence_max"].parts["original"][1, 0]
    for row in (0, 2):
        for kind in ("mean", "min", "max"):
            plain = found["cosine"].parts["original"][row]
            assert found[f"sentence_{kind}"].parts["original"][row] == pytest.approx(plain, abs=1e-6)
    assert value(found["unread_tokens"], "original") > 0


def test_two_encoders_stand_side_by_side(tmp_path: Path) -> None:
    given = subject([(record("a", (255, 0, 0)), (["r"], ["b"])), (record("b", (0, 0, 255)), (["r"], ["b"]))])
    ledger = SqliteLedger(tmp_path / "calls.sqlite")
    kit = tools(tmp_path, ledger, [SmallEncoder("one"), SmallEncoder("two", sigmoid=True)])
    metric = Agreement()
    results = metric.score(given, metric.extract(given, kit))
    ledger.close()
    found = by_name(results)
    assert {"cosine", "clipscore", "cosine@two", "logit@two", "probability@two"} <= set(found)
    assert sum(getattr(one, "about", None) is not None and one.about.primary for one in found.values()) == 1
    assert found["cosine"].parts["original"][:, 0] == pytest.approx([1, 0], abs=2e-3)
    again = by_name(metric.score(given, metric.extract(given, kit)))
    assert again["cosine"].parts["new"].tobytes() == found["cosine"].parts["new"].tobytes()
