"""Perplexity of columns: a real model of random weights, a real ledger, and figures by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recaption.core.errors import BackendError
from recaption.datasets.ledger import SqliteLedger
from recaption.evaluation.metric import Unavailable
from recaption.evaluation.metrics.perplexity import ColumnSurprise, Perplexity, PerplexityFacts
from recaption.evaluation.options import Options
from recaption.evaluation.tools import Tools
from recaption.models.hf.perplexity import PerplexityScorer, Surprise
from recaption.models.repetition import RepetitionScorer
from tests.unit.evaluation.text_subject import NOTHING, named, shown, text_subject

OLD = ["a red ball", "two cats sleep on a blue sofa", "a red ball", ""]
NEW = ["a red ball on the grass near a fence", "two cats", ["Ω", "a tree at dusk"], "a shop"]
ALL_NEW = ["a red ball on the grass near a fence", "two cats", "Ω", "a tree at dusk", "a shop"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.unit.models.hf.scoring_checkpoints import made  # needs torch, which may not be installed

    return made("gpt2", tmp_path_factory.mktemp("gpt2") / "model")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    opened = SqliteLedger(tmp_path / "calls.sqlite")
    yield opened
    opened.close()


def scorer(folder: Path, **options: Any) -> Any:
    return PerplexityScorer(
        PerplexityScorer.Params.model_validate({"model": str(folder), "dtype": "float32", **options})
    )


def tools(model: Any, ledger: SqliteLedger) -> Tools:
    return Tools(ledger=ledger, meter=NOTHING, make_images=NOTHING, language_model=model, options=Options())


class Spoken:
    """A model that is surprised by a text as it was told, and counts what it is asked."""

    name = language_model = "told"
    fingerprint = surprise_fingerprint = "told"
    higher_is_better = sees_images = False
    value_range = (0.0, None)

    def __init__(self, answer: Callable[[str], Surprise], fails_after: int = 10**9) -> None:
        self.answer, self.fails_after = answer, fails_after
        self.asked: list[str] = []

    def surprise(self, texts: Sequence[str]) -> list[Surprise]:
        self.asked += texts
        if len(self.asked) > self.fails_after:
            raise BackendError("out of memory")
        return [self.answer(text) for text in texts]


def by_length(text: str) -> Surprise:
    n = len(text.split())
    return Surprise(nll=2.0 * n * n, scored=n, tokens=n, unseen=0, scored_bytes=len(text.encode()))


def test_figures_are_sums_of_the_models_own(folder: Path, ledger: SqliteLedger) -> None:
    subject = text_subject({"old": OLD, "new": NEW})
    facts = Perplexity().extract(subject, tools(scorer(folder), ledger))
    found = named(Perplexity().score(subject, facts))
    told = scorer(folder).surprise([*OLD[:3], *ALL_NEW])
    old, new = told[:3], told[3:]
    assert shown(found["nll_per_token"], "old") == pytest.approx(np.mean([t.nll / t.scored for t in old]))
    weights = (1, 1, 0.5, 0.5, 1)  # two texts of one item weigh as much as one of another
    nll = sum(w * t.nll for w, t in zip(weights, new, strict=True))
    corpus = math.exp(nll / sum(w * t.scored for w, t in zip(weights, new, strict=True)))
    assert shown(found["perplexity"], "new") == pytest.approx(corpus)
    size = sum(w * len(text.encode()) for w, text in zip(weights, ALL_NEW, strict=True))
    bits = nll / math.log(2) / size
    assert shown(found["bits_per_byte"], "new") == pytest.approx(bits)
    median = np.median([t.nll / t.scored for t in new])
    assert shown(found["nll_per_token.median"], "new") == pytest.approx(median)
    assert found["nll_per_token"].parts["old"][3].tolist() == [0, 0]
    assert all(figure.about.better is None for name, figure in found.items() if "surprising" not in name)
    note = found["nll_per_token"].about.note
    assert "negative log-likelihood, float32" in note
    assert "the first token is judged behind the start token" in note
    assert "less is not better" in note


def test_a_second_evaluation_pays_nothing_and_loads_no_model(folder: Path, ledger: SqliteLedger) -> None:
    subject = text_subject({"old": OLD, "new": NEW})
    first = Perplexity().extract(subject, tools(scorer(folder), ledger))
    assert ledger.paid == 7, "each distinct text once"
    again = scorer(folder)
    second = Perplexity().extract(subject, tools(again, ledger))
    assert ledger.paid == 7
    assert "_engine" not in vars(again), "the model was loaded to answer what was known"
    for column in subject.columns:
        for name in ("owners", "nll", "scored", "tokens", "unseen", "scored_bytes"):
            one, two = getattr(first.columns[column], name), getattr(second.columns[column], name)
            assert one.tolist() == two.tolist()
    # What a scorer states of its model asks nothing new, another model everything.
    Perplexity().extract(subject, tools(scorer(folder, output="nll"), ledger))
    assert ledger.paid == 7


def test_what_was_paid_for_before_a_failure_is_remembered(ledger: SqliteLedger) -> None:
    texts = [f"text number {i}" for i in range(700)]
    subject = text_subject({"old": texts, "new": texts})
    with pytest.raises(BackendError, match="out of memory"):
        Perplexity().extract(subject, tools(Spoken(by_length, fails_after=600), ledger))
    model = Spoken(by_length)
    Perplexity().extract(subject, tools(model, ledger))
    assert len(model.asked) == 700 - 512


def test_the_mean_is_over_texts_and_the_corpus_over_tokens(ledger: SqliteLedger) -> None:
    subject = text_subject({"old": ["a", "a b c"], "new": ["a b", "a b"]})
    found = named(Perplexity().score(subject, Perplexity().extract(subject, tools(Spoken(by_length), ledger))))
    # Nats per token are twice the number of words.
    assert shown(found["nll_per_token"], "old") == 4
    assert shown(found["nll_per_token"], "new") == 4
    assert shown(found["perplexity"], "old") == pytest.approx(math.exp((2 + 18) / 4))
    assert shown(found["bits_per_byte"], "old") == pytest.approx(20 / math.log(2) / 6)
    assert shown(found["nll_per_token.p95"], "old") == pytest.approx(2 + 4 * 0.95)
    assert [row[:4] for row in found["perplexity_surprising"].rows][:2] == [
        ("old", "6.00", "item 1", "a b c"),
        ("old", "2.00", "item 0", "a"),
    ]


def test_outliers_are_held_against_the_baseline(ledger: SqliteLedger) -> None:
    old = ["w " * (1 + i % 10) for i in range(1_000)]
    subject = text_subject({"old": old, "new": ["w " * 50] * 100 + old[100:]})
    found = named(Perplexity().score(subject, Perplexity().extract(subject, tools(Spoken(by_length), ledger))))
    assert shown(found["surprising_share"], "old") == 0
    assert shown(found["surprising_share"], "new") == pytest.approx(0.1)
    assert "above 20 nats per token, the 99 % point of 'old'" in found["surprising_share"].about.note


def column(**arrays: list[float]) -> ColumnSurprise:
    given = {name: np.array(values, dtype=np.float64) for name, values in arrays.items()}
    return ColumnSurprise(owners=np.arange(len(given["nll"])), **given)


def test_what_could_not_be_judged_has_no_value_and_is_told() -> None:
    facts = PerplexityFacts(
        {
            "old": column(nll=[0, 6], scored=[0, 3], tokens=[1, 4], unseen=[0, 0], scored_bytes=[0, 9]),
            "new": column(nll=[9e3, 4], scored=[9, 2], tokens=[99, 3], unseen=[89, 0], scored_bytes=[30, 8]),
        },
        "told",
    )
    found = named(Perplexity().score(text_subject({"old": ["a", "b"], "new": ["c", "d"]}), facts))
    assert shown(found["nll_per_token"], "old") == 2
    assert found["nll_per_token"].parts["old"].tolist() == [[0, 0], [2, 1]]
    assert found["nll_per_token.median"].values["old"].n == 1
    note = found["nll_per_token"].about.note
    assert "the first token is not judged" in note
    assert "'new': 1 of 2 texts cut at the model's limit, 1 of fewer than 8 tokens" in note
    assert math.isfinite(shown(found["perplexity"], "new") or math.nan), "a huge exponent is no infinity"


def test_columns_may_be_empty_and_texts_hostile(folder: Path, ledger: SqliteLedger) -> None:
    hostile = ["\ud800\x00" * 20_000, "x" * 100_000, "😀"]
    subject = text_subject({"old": [()] * 3, "new": hostile})
    found = named(Perplexity().score(subject, Perplexity().extract(subject, tools(scorer(folder), ledger))))
    assert shown(found["nll_per_token"], "old") is None
    assert shown(found["surprising_share"], "new") == 0
    assert "no value to hold texts against" in found["surprising_share"].about.note
    assert all(np.isfinite(part).all() for part in found["bits_per_byte"].parts.values())
    assert all(cell.isprintable() for row in found["perplexity_surprising"].rows for cell in row)


def test_a_scorer_that_tells_no_likelihood_is_named(ledger: SqliteLedger) -> None:
    subject = text_subject({"old": OLD, "new": NEW})
    repetition = RepetitionScorer(RepetitionScorer.Params())
    with pytest.raises(Unavailable, match="RepetitionScorer tells no likelihood"):
        Perplexity().extract(subject, tools(repetition, ledger))
    with pytest.raises(Unavailable, match="no language model"):
        Perplexity().extract(subject, tools(None, ledger))


def test_a_model_that_answers_too_little_is_gone(ledger: SqliteLedger) -> None:
    model = Spoken(by_length)
    model.surprise = lambda texts: []  # type: ignore[method-assign]
    with pytest.raises(BackendError, match="0 answers about 1 texts"):
        Perplexity().extract(text_subject({"old": ["a"], "new": ["a"]}), tools(model, ledger))
