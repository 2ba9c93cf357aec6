"""All metrics of texts: hostile texts, no texts, one column twice. Figures are finite or None, tables are bounded."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recaption.evaluation.measures import Additive, Listing, Whole
from recaption.evaluation.metrics.copying import Copying
from recaption.evaluation.metrics.diversity import Diversity
from recaption.evaluation.metrics.duplicates import Duplicates
from recaption.evaluation.metrics.m_bleu import MBleu
from recaption.evaluation.metrics.openings import Openings
from recaption.evaluation.metrics.overlap import Overlap
from recaption.evaluation.metrics.repetition import Repetition
from recaption.evaluation.metrics.self_bleu import SelfBleu
from recaption.evaluation.metrics.vendi import Vendi
from recaption.evaluation.metrics.vocabulary import Vocabulary
from recaption.evaluation.subject import Subject
from tests.unit.evaluation.text_subject import scored, text_subject

METRICS: list[Any] = [
    Copying(),
    Diversity(),
    Duplicates(),
    MBleu(),
    Openings(),
    Overlap(),
    Repetition(),
    SelfBleu(),
    Vendi(),
    Vocabulary(),
]
HOSTILE = [
    "",
    " \t\n",
    "\ud800\udfff lone",
    "😀😀😀",
    "一只狗在公园里跑。",
    "a" * 1_000_000,
    "word " * 200_000,
    "a.b-c'd" * 3_000,
    "\x00\u2028\ufeff",
    "ﬁ ẞ İ ŉ",
    "- - - ' ' '",
    "<script>alert(1)</script>",
]
OF_CANDIDATES = {"m_bleu_4", "cider_d_best"}
"""Figures in which the columns differ here, since their candidates do."""
names = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)


def judged(metric: Any, subject: Subject) -> dict[str, Any]:
    """Return what a metric says, having checked that it keeps to what results promise."""
    found = scored(metric, subject, budget_tokens=100)
    for result in found.values():
        if isinstance(result, Additive):
            for parts in result.parts.values():
                assert parts.shape[0] == len(subject)
                assert np.isfinite(parts).all()
                values = result.formula(parts)
                within(values[~np.isnan(values)].tolist(), result.about.value_range)
        elif isinstance(result, Whole):
            assert set(result.values) == set(subject.columns)
            for value in result.values.values():
                assert value.value is not None or value.reason
                within(
                    [v for v in (value.value, value.low, value.high) if v is not None], result.about.value_range
                )
        else:
            assert isinstance(result, Listing)
            assert len(result.rows) <= 30
            json.dumps([*result.rows, result.note], ensure_ascii=False).encode("utf-8")
            assert all(len(row) == len(result.header) for row in result.rows)
            assert all(len(cell) <= 120 for row in result.rows for cell in row)
    return found


def within(values: list[float], bounds: tuple[float | None, float | None]) -> None:
    low, high = bounds
    assert np.isfinite(values).all()
    assert low is None or min(values, default=low) >= low - 1e-9
    assert high is None or max(values, default=high) <= high + 1e-6


def subject(old: list[Any], new: list[Any], seed: int = 0) -> Subject:
    return text_subject(
        {"old": old, "new": new},
        references=[*new[1:], "a dog"],
        candidates={"old": [[t, t] if isinstance(t, str) else t for t in old], "new": [["a", "b"]] * len(new)},
        seed=seed,
    )


@names
def test_hostile_texts(metric: Any) -> None:
    judged(metric, subject(HOSTILE, HOSTILE[::-1]))


@names
def test_items_without_texts(metric: Any) -> None:
    found = judged(metric, subject([(), ()], [(), ()]))
    for result in found.values():
        if isinstance(result, Additive) and result.about.name not in OF_CANDIDATES:
            assert all(np.isnan(result.formula(p.sum(axis=0))) for p in result.parts.values())


@names
def test_no_items(metric: Any) -> None:
    judged(metric, Subject(columns=("old", "new"), items=()))


@names
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_column_held_against_itself_differs_in_nothing(metric: Any, data: st.DataObject) -> None:
    word = st.sampled_from(["a", "dog", "The", "猫", "…", "."])
    text = st.lists(word, max_size=9).map(" ".join)
    said = data.draw(st.lists(text | st.lists(text, max_size=2), min_size=1, max_size=12))
    found = judged(metric, subject(said, said, seed=data.draw(st.integers(0, 3))))
    for result in found.values():
        if isinstance(result, Whole):
            assert result.values["old"] == result.values["new"]
        elif isinstance(result, Additive) and "old" in result.parts and result.about.name not in OF_CANDIDATES:
            assert result.parts["old"].tolist() == result.parts["new"].tolist()


@names
def test_the_same_facts_give_the_same_figures_and_inputs_stay_as_they_were(metric: Any) -> None:
    texts = ["a dog runs in the park and runs and runs"] * 3 + ["a cat", "the cat sits on a mat all day long"]
    first, second = (judged(metric, subject(texts, texts[::-1])) for _ in range(2))
    for name, result in first.items():
        if isinstance(result, Additive):
            assert all(result.parts[c].tolist() == second[name].parts[c].tolist() for c in result.parts)
        else:
            assert result == second[name]
