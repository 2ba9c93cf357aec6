"""Perplexity: the model's own loss, text by text, whatever batch they come in."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from recaption.core.protocols import Scorer
from recaption.core.types import Caption, Record, Score
from recaption.media.images import BatchImages
from recaption.models.hf.perplexity import PerplexityScorer
from tests.unit.models.hf.scoring_checkpoints import SENTENCES, made, tokenizer
from tests.unit.models.hf.scoring_pairs import caption

FAMILIES = ("gpt2", "llama")
TEXTS = ("a", "a red ball", "two cats", "Ω", *(text[:40] for text in SENTENCES))


def scorer(folder: Path, **options: Any) -> PerplexityScorer:
    return PerplexityScorer(
        PerplexityScorer.Params.model_validate({"model": str(folder), "dtype": "float32", **options})
    )


def asked(*texts: str) -> list[tuple[Record, Caption]]:
    return [(Record(key="no image"), caption(text)) for text in texts]


def values(scores: Sequence[Score]) -> list[float]:
    found = [score.value for score in scores]
    assert None not in found, [score.reason for score in scores]
    return [value for value in found if value is not None]


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_the_models_own_loss_behind_the_start_token(
    family: str, checkpoint: Callable[[str], Path]
) -> None:
    folder = checkpoint(family)
    judge = scorer(folder, output="nll")
    assert isinstance(judge, Scorer)
    found = values(judge.score(asked(*TEXTS), BatchImages()))
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    read = AutoTokenizer.from_pretrained(folder)
    for text, value in zip(TEXTS, found, strict=True):
        ids = [read.bos_token_id, *read(text, add_special_tokens=False)["input_ids"]]
        with torch.inference_mode():
            expected = float(model(torch.tensor([ids]), labels=torch.tensor([ids])).loss)
        assert value == pytest.approx(expected, abs=1e-5)
    assert max(found) - min(found) > 0.1, "the checkpoint tells nothing apart, so this shows nothing"
    perplexities = values(scorer(folder).score(asked(*TEXTS), BatchImages()))
    assert perplexities == pytest.approx([math.exp(value) for value in found], rel=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_score_depends_neither_on_its_batch_nor_on_the_order(
    family: str, checkpoint: Callable[[str], Path]
) -> None:
    folder = checkpoint(family)
    whole = values(scorer(folder, output="nll").score(asked(*TEXTS), BatchImages()))
    alone = [values(scorer(folder, output="nll").score(asked(text), BatchImages()))[0] for text in TEXTS]
    assert whole == pytest.approx(alone, abs=2e-6)
    small = scorer(folder, output="nll", batch_size=2)
    assert values(small.score(asked(*reversed(TEXTS)), BatchImages())) == pytest.approx(whole[::-1], abs=2e-6)


def test_equal_texts_are_read_once_and_empty_ones_never(checkpoint: Callable[[str], Path]) -> None:
    judge = scorer(checkpoint("gpt2"))
    before = judge._engine.rows
    scores = judge.score(asked("a red ball", " ", "a red ball", "two cats"), BatchImages())
    assert judge._engine.rows - before == 2
    assert scores[0] == scores[2]
    assert scores[1] == Score(value=None, reason="the text is empty")
    assert judge.score([], BatchImages()) == []


def test_short_and_cut_texts_are_told(checkpoint: Callable[[str], Path]) -> None:
    judge = scorer(checkpoint("gpt2"))
    short, fine, long = judge.score(
        asked("a", "two cats sleep on a blue sofa near a fence", " ".join(SENTENCES * 4)), BatchImages()
    )
    assert short.reason == "only 1 token"
    assert short.value is not None
    assert fine.reason is None
    count = len(tokenizer(10_000, ends=False)(" ".join(SENTENCES * 4))["input_ids"])
    assert long.reason == f"{count - 31} of {count} tokens unseen"
    hostile = judge.score(asked("\ud800\x00" * 20_000, "x" * 100_000), BatchImages())
    assert all(score.value is not None for score in hostile)


def test_without_a_start_token_the_first_word_is_not_judged(tmp_path: Path) -> None:
    folder = made("gpt2", tmp_path / "m")
    bare = AutoTokenizer.from_pretrained(folder)
    bare.bos_token = bare.eos_token = None
    bare.save_pretrained(folder)
    judge = scorer(folder, output="nll")
    one, more = judge.score(asked("a", "two cats"), BatchImages())
    assert one == Score(value=None, reason="one token, and the model has no start token to expect it from")
    ids = torch.tensor([bare("two cats", add_special_tokens=False)["input_ids"]])
    with torch.inference_mode():
        expected = float(AutoModelForCausalLM.from_pretrained(folder).eval()(ids, labels=ids).loss)
    assert more.value == pytest.approx(expected, abs=1e-5)


def test_less_is_better_and_what_is_stated_is_named(checkpoint: Callable[[str], Path]) -> None:
    judge, logarithm = scorer(checkpoint("gpt2")), scorer(checkpoint("gpt2"), output="nll")
    assert not judge.higher_is_better
    assert (judge.value_range, logarithm.value_range) == ((1, None), (0, None))
    assert judge.fingerprint != logarithm.fingerprint
    assert logarithm.name.endswith(", nll, float32")


@pytest.mark.parametrize("family", FAMILIES)
def test_surprise_is_the_sum_behind_the_score(family: str, checkpoint: Callable[[str], Path]) -> None:
    judge = scorer(checkpoint(family), output="nll")
    told = judge.surprise(TEXTS)
    scores = values(judge.score(asked(*TEXTS), BatchImages()))
    assert [t.nll / t.scored for t in told] == pytest.approx(scores, abs=1e-6)
    assert [t.scored_bytes for t in told] == [len(text.encode()) for text in TEXTS]
    assert all(t.scored == t.tokens and t.unseen == 0 for t in told)
    assert judge.surprise([]) == []


def test_only_what_was_scored_counts_in_bytes(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    long = "é " + " ".join(SENTENCES * 4)
    (cut,) = scorer(checkpoint("gpt2")).surprise([long])
    assert (cut.scored, cut.unseen) == (31, cut.tokens - 31)
    read = tokenizer(10_000, ends=False)
    ids = read(long)["input_ids"][:31]
    assert cut.scored_bytes == len(str(read.decode(ids)).encode())
    assert cut.scored_bytes < len(long.encode())
    folder = made("gpt2", tmp_path / "m")
    bare = AutoTokenizer.from_pretrained(folder)
    bare.bos_token = bare.eos_token = None
    bare.save_pretrained(folder)
    one, two = scorer(folder).surprise(["a", "two cats"])
    assert (one.scored, one.scored_bytes) == (0, 0)
    first = bare.decode(bare("two cats", add_special_tokens=False)["input_ids"][:1])
    assert two.scored_bytes == len("two cats") - len(first)


def test_what_is_stated_is_no_part_of_who_is_surprised(checkpoint: Callable[[str], Path]) -> None:
    judge, logarithm = scorer(checkpoint("gpt2")), scorer(checkpoint("gpt2"), output="nll", short=3)
    assert judge.surprise_fingerprint == logarithm.surprise_fingerprint
    assert judge.surprise_fingerprint not in (
        judge.fingerprint,
        scorer(checkpoint("llama")).surprise_fingerprint,
    )
    assert judge.language_model.endswith(", negative log-likelihood, float32")
