"""Surprise under the built-in model, as a report shows it, and on real captions."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.grammar_metrics import CORRUPTIONS, chance_of_more, damaged_columns, subject
from recaption.core.errors import UserError
from recaption.evaluation.measures import Additive, Floats, Whole
from recaption.evaluation.metric import Unavailable
from recaption.evaluation.metrics import ngram_perplexity
from recaption.evaluation.metrics.ngram_perplexity import NgramPerplexity, corpus_lines
from recaption.evaluation.options import Options
from recaption.evaluation.tools import Tools
from tests.unit.evaluation.text_subject import NOTHING, scored, shown, text_subject

THINGS = ("cat", "dog", "bird", "horse")
PLACES = ("mat", "wall", "grass", "road")
PLAIN = [f"a {thing} sits on the {place}" for thing in THINGS for place in PLACES]
ODD = ["mat the on sits cat a" for _ in PLAIN]


def figure(result: Additive | Whole, column: str) -> float:
    found = shown(result, column)
    assert found is not None
    return found


def test_usual_order_surprises_less_and_nothing_is_called_better() -> None:
    found = scored(NgramPerplexity(), text_subject({"old": PLAIN, "new": ODD}))
    assert figure(found["ngram.bits_per_word"], "old") < 3 < figure(found["ngram.bits_per_word"], "new")
    assert figure(found["ngram.bits_per_character"], "old") < figure(found["ngram.bits_per_character"], "new")
    assert figure(found["ngram.bits_per_word.median"], "old") < figure(found["ngram.bits_per_word.p95"], "old")
    assert all(f.about.better is None for name, f in found.items() if name != "ngram_surprising")
    note = found["ngram.bits_per_word"].about.note
    assert "the baseline 'old', which is at home here" in note
    assert "100% of 16 cases" in note


def test_references_are_learned_from_where_there_are_any() -> None:
    columns = {"old": ODD, "new": PLAIN}
    found = scored(NgramPerplexity(), text_subject(columns, references=[[text] for text in PLAIN]))
    assert "learned from the references" in found["ngram.bits_per_word"].about.note
    assert figure(found["ngram.bits_per_word"], "new") < 3 < figure(found["ngram.bits_per_word"], "old")


def test_equal_columns_have_equal_figures_and_seeds_decide() -> None:
    found = scored(NgramPerplexity(), text_subject({"old": PLAIN, "new": PLAIN}, seed=3))
    for name in ("ngram.bits_per_word", "ngram.bits_per_character", "ngram.unknown_words"):
        assert (found[name].parts["old"] == found[name].parts["new"]).all()
    again = scored(NgramPerplexity(), text_subject({"old": PLAIN, "new": PLAIN}, seed=3))
    assert (again["ngram.bits_per_word"].parts["old"] == found["ngram.bits_per_word"].parts["old"]).all()


def test_unknown_words_are_counted_and_charged_in_bits_per_character() -> None:
    strange = [text.replace("sits", "zzyxqvw") for text in PLAIN]
    found = scored(NgramPerplexity(), text_subject({"old": PLAIN, "new": strange}))
    assert figure(found["ngram.unknown_words"], "new") == pytest.approx(1 / 7)
    extra = figure(found["ngram.bits_per_character"], "new") - figure(found["ngram.bits_per_character"], "old")
    assert extra > 0.5


def test_a_named_corpus_is_learned_from(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(PLAIN * 2) + "\n\n", encoding="utf-8")
    found = scored(NgramPerplexity(), text_subject({"old": ODD[:1], "new": PLAIN[:1]}), ngram_corpus=corpus)
    assert "learned from corpus.txt: 32 texts, 192 words" in found["ngram.bits_per_word"].about.note
    assert figure(found["ngram.bits_per_word"], "new") < 2 < figure(found["ngram.bits_per_word"], "old")


def test_a_corpus_is_read_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_bytes(b"a cat\n\n \n" + b"x" * 200_000 + b"\n\xff\xfe\x00\n" + b"a dog\n" * 100)
    lines = list(corpus_lines(corpus))
    assert lines[0] == "a cat"
    assert max(map(len, lines)) <= 80_000
    assert lines[-1] == "a dog"
    monkeypatch.setattr(ngram_perplexity, "_MOST_CORPUS_BYTES", 100)
    assert sum(map(len, corpus_lines(corpus))) <= 100


def test_what_cannot_be_learned_from_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file"):
        scored(NgramPerplexity(), text_subject({"old": PLAIN, "new": ODD}), ngram_corpus=tmp_path / "none.txt")
    (tmp_path / "blank.txt").write_text("\n \n")
    with pytest.raises(UserError, match="holds no text"):
        scored(NgramPerplexity(), text_subject({"old": PLAIN, "new": ODD}), ngram_corpus=tmp_path / "blank.txt")
    with pytest.raises(Unavailable, match=r"1 item\(s\) with a text"):
        scored(NgramPerplexity(), text_subject({"old": ["a cat", ()], "new": ["a", "b"]}))


def test_columns_may_be_empty_and_texts_hostile() -> None:
    texts = ["a cat", "\ud800\x00" * 50, "x" * 100_000, "猫" * 300]
    found = scored(NgramPerplexity(), text_subject({"old": texts, "new": [()] * 4}))
    assert shown(found["ngram.bits_per_word"], "new") is None
    assert found["ngram.bits_per_word.median"].values["new"].reason
    assert math.isfinite(figure(found["ngram.bits_per_character"], "old"))
    assert np.isfinite(found["ngram.bits_per_word"].parts["old"]).all()
    assert all(cell.isprintable() for row in found["ngram_surprising"].rows for cell in row)


@pytest.fixture(scope="module")
def per_word(shared_data: Path) -> dict[str, Floats]:
    """Bits per word of 400 real captions, five of each of 80 images, and of five ways to damage them."""
    told = json.loads((shared_data / "photos" / "coco" / "captions.json").read_text(encoding="utf-8"))
    found: dict[int, list[str]] = {}
    for note in told["annotations"]:
        found.setdefault(note["image_id"], []).append(" ".join(note["caption"].split()))
    given = subject(damaged_columns(list(found.values()), seed=0))
    tools = Tools(ledger=NOTHING, meter=NOTHING, make_images=NOTHING, options=Options())
    facts = NgramPerplexity().extract(given, tools)
    return {column: bits.bits / bits.tokens for column, bits in facts.bits.items()}


# What came out when this was written: .626, .605, .744, .770, .958 (benchmarks/grammar_metrics.py).
@pytest.mark.parametrize(
    ("kind", "least"),
    [("repeat", 0.57), ("remove", 0.55), ("insert", 0.68), ("swap", 0.71), ("shuffle", 0.92)],
)
def test_damaged_captions_surprise_more_than_real_ones(
    kind: str, least: float, per_word: dict[str, Floats]
) -> None:
    assert len(per_word["real"]) == 400
    assert chance_of_more(per_word["real"], per_word[kind]) > least
    assert set(per_word) == {"real", *CORRUPTIONS}


def test_real_captions_do_not_surprise_more_than_themselves(per_word: dict[str, Floats]) -> None:
    assert chance_of_more(per_word["real"], per_word["real"]) == 0.5
