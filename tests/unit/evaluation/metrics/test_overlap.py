"""Overlap with references: published values, means over several texts, the oracle, and what has no value."""

import json
from pathlib import Path

import numpy as np
import pytest

from recaption.core.errors import UserError
from recaption.evaluation.measures import Additive, Whole
from recaption.evaluation.metrics.overlap import Overlap
from recaption.evaluation.text.frequency_file import save_frequencies
from tests.unit.evaluation.text_subject import scored, shown, text_subject

REFERENCES = [["a dog runs in the park", "a dog in the park"], ["the cat sleeps in a box"], ["a red bus"]]
TEXTS = ["a dog runs", "the cat sleeps", "a red bus in the street"]
FIGURES = ["bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider_d"]


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("good", [0.6667, 0.4899, 0.3469, 0.0, 0.4280, 0.5637]),
        ("bad", [0.4815, 0.2404, 0.1359, 0.0, 0.3121, 0.2790]),
    ],
)
def test_published_values(shared_data: Path, which: str, expected: list[float]) -> None:
    folder = shared_data / "clipscore" / "example"
    texts = json.loads((folder / f"{which}_captions.json").read_text("utf-8"))
    references = json.loads((folder / "refs.json").read_text("utf-8"))
    keys = sorted(texts)
    found = scored(
        Overlap(), text_subject({"new": [texts[k] for k in keys]}, references=[references[k] for k in keys])
    )
    assert [shown(found[name], "new") for name in FIGURES] == pytest.approx(expected, abs=5e-5)


def test_a_text_that_is_its_reference() -> None:
    found = scored(
        Overlap(),
        text_subject({"new": ["a b c d e", "f g h i j"]}, references=[["a b c d e"], ["f g h i j"]]),
    )
    values = [shown(found[name], "new") for name in FIGURES]
    assert values == pytest.approx([1, 1, 1, 1, 1, 10], abs=1e-6)


def test_several_texts_of_an_item_weigh_as_one() -> None:
    one = text_subject({"new": [["a dog", "a cat"], TEXTS[1], TEXTS[2]]}, references=REFERENCES)
    first = text_subject({"new": ["a dog", *TEXTS[1:]]}, references=REFERENCES)
    second = text_subject({"new": ["a cat", *TEXTS[1:]]}, references=REFERENCES)
    both, *alone = (scored(Overlap(), subject) for subject in (one, first, second))
    for name in ("rouge_l", "cider_d"):
        assert shown(both[name], "new") == pytest.approx(np.mean([shown(a[name], "new") for a in alone]))
    assert both["bleu_1"].parts["new"] == pytest.approx(
        (alone[0]["bleu_1"].parts["new"] + alone[1]["bleu_1"].parts["new"]) / 2
    )


def test_items_without_references_or_texts_do_not_count_and_empty_texts_do() -> None:
    columns: dict[str, list[str | tuple[str, ...]]] = {
        "old": ["", (), "x"],
        "new": [TEXTS[0], "anything", "y"],
    }
    found = scored(Overlap(), text_subject(columns, references=[REFERENCES[0], (), ("…",)]))
    for name in FIGURES[:5]:
        figure = found[name]
        values = figure.formula(figure.parts["old"]), figure.formula(figure.parts["new"])
        assert np.isnan(values[0]).tolist() == [False, True, True]
        assert np.isnan(values[1]).tolist() == [False, True, True]
        assert values[0][0] == pytest.approx(0, abs=1e-3)
        assert np.isfinite(figure.parts["old"]).all()


def test_of_one_image_cider_has_no_value_but_a_reason() -> None:
    found = scored(Overlap(), text_subject({"new": ["a dog"]}, references=[["a dog"]]))
    figure = found["cider_d"]
    assert isinstance(figure, Whole)
    assert figure.values["new"].value is None
    assert "one image" in figure.values["new"].reason
    assert shown(found["bleu_1"], "new") == pytest.approx(1)


def test_with_frequencies_from_a_file_one_image_has_the_value_it_has_among_all(tmp_path: Path) -> None:
    path = tmp_path / "frequencies.json"
    save_frequencies(path, REFERENCES)
    everything = scored(Overlap(), text_subject({"new": TEXTS}, references=REFERENCES))["cider_d"]
    assert "other items, other values" in everything.about.note
    for i in range(3):
        alone = scored(
            Overlap(),
            text_subject({"new": [TEXTS[i]]}, references=[REFERENCES[i]]),
            document_frequencies=path,
        )["cider_d"]
        assert isinstance(alone, Additive)
        assert "3 images, from a file" in alone.about.note
        assert alone.parts["new"][0] == pytest.approx(everything.parts["new"][i])


def test_a_file_that_is_something_else_stops_the_metric(tmp_path: Path) -> None:
    path = tmp_path / "frequencies.json"
    path.write_text("[]")
    with pytest.raises(UserError, match="not a file of document frequencies"):
        scored(Overlap(), text_subject({"new": TEXTS}, references=REFERENCES), document_frequencies=path)


def test_the_oracle_takes_the_best_candidate_of_each_item() -> None:
    candidates = {"new": [["nothing", TEXTS[0], "a dog"], ["the cat sleeps"], ()]}
    subject = text_subject(
        {"old": ["x", "y", "z"], "new": ["nothing", "the cat sleeps", "z"]},
        references=REFERENCES,
        candidates=candidates,
    )
    found = scored(Overlap(), subject)
    figure = found["cider_d_best"]
    assert list(figure.parts) == ["new"]
    assert figure.parts["new"][:, 1].tolist() == [1, 1, 0]
    each = scored(Overlap(), text_subject({"new": TEXTS}, references=REFERENCES))["cider_d"].parts["new"]
    assert figure.parts["new"][0, 0] >= each[0, 0] > 0
    assert figure.parts["new"][1] == pytest.approx(each[1])
    assert "best of 1 to 3 candidates (oracle)" in figure.about.title
    assert "upper bound" in figure.about.note


def test_no_oracle_where_nobody_has_several_candidates() -> None:
    subject = text_subject({"new": TEXTS}, references=REFERENCES, candidates={"new": [[t] for t in TEXTS]})
    assert "cider_d_best" not in scored(Overlap(), subject)


def test_the_best_of_one_candidate_is_its_value() -> None:
    candidates = {"new": [["a", "a"], *([t] for t in TEXTS[1:])]}
    subject = text_subject({"new": ["a", *TEXTS[1:]]}, references=REFERENCES, candidates=candidates)
    found = scored(Overlap(), subject)
    assert found["cider_d_best"].parts["new"] == pytest.approx(found["cider_d"].parts["new"])


def test_references_in_another_alphabet_are_compared_too() -> None:
    found = scored(Overlap(), text_subject({"new": ["一只狗", "一只猫"]}, references=[["一只狗"], ["两只猫"]]))
    assert shown(found["bleu_1"], "new") == pytest.approx(5 / 6)
    assert "words of any language" in found["bleu_1"].about.note
