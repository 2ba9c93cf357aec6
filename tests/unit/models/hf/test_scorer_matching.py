"""Matching heads: the same numbers as a plain computation, each image once through its tower."""

import io
import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from transformers import (
    AutoImageProcessor,
    AutoTokenizer,
    Blip2ForImageTextRetrieval,
    BlipForImageTextRetrieval,
)

from recaption.core.errors import UserError
from recaption.core.protocols import Scorer
from recaption.core.types import Image, Record, Score
from recaption.media.images import BatchImages
from recaption.models.hf.matching import MatchingScorer
from tests.unit.models.hf.scoring_checkpoints import SENTENCES, made
from tests.unit.models.hf.scoring_pairs import caption, pairs, picture, record

FAMILIES = ("blip_itm", "blip2_itm")
SIZES = ((96, 64), (40, 200), (33, 31))
TEXTS = ("a red ball", "two cats", "open", *SENTENCES)


def scorer(folder: Path, **options: Any) -> MatchingScorer:
    return MatchingScorer(
        MatchingScorer.Params.model_validate({"model": str(folder), "dtype": "float32", **options})
    )


def values(scores: Sequence[Score]) -> list[float]:
    found = [score.value for score in scores]
    assert None not in found, [score.reason for score in scores]
    return [value for value in found if value is not None]


def plain(folder: Path, data: bytes, text: str) -> float:
    """The probability of a match as the model's own forward gives it for one pair."""
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    seen = processor(Pillow.open(io.BytesIO(data)).convert("RGB"), return_tensors="pt")["pixel_values"]
    read = AutoTokenizer.from_pretrained(folder)(text, truncation=True, max_length=32, return_tensors="pt")
    ids, mask = read["input_ids"], read["attention_mask"]
    with torch.inference_mode():
        if "blip2" in folder.name:
            model = Blip2ForImageTextRetrieval.from_pretrained(folder).eval()
            # Its processor puts a place for each query before the text.
            places = torch.full((1, model.config.num_query_tokens), model.config.image_token_index)
            logits = model(
                pixel_values=seen,
                input_ids=torch.cat([places, ids], dim=1),
                attention_mask=torch.cat([torch.ones_like(places), mask], dim=1),
                use_image_text_matching_head=True,
            ).logits_per_image
        else:
            blip = BlipForImageTextRetrieval.from_pretrained(folder).eval()
            logits = blip(pixel_values=seen, input_ids=ids, attention_mask=mask).itm_score
    return float(logits.softmax(dim=-1)[0, 1])


@pytest.mark.parametrize(
    "family", [FAMILIES[0], *(pytest.param(f, marks=pytest.mark.slow) for f in FAMILIES[1:])]
)
def test_scores_are_those_of_a_plain_computation(family: str, checkpoint: Callable[[str], Path]) -> None:
    folder = checkpoint(family)
    judge = scorer(folder)
    assert isinstance(judge, Scorer)
    asked = pairs([record(i, size) for i, size in enumerate(SIZES)], TEXTS)
    found = values(judge.score(asked, BatchImages()))
    for (r, c), value in list(zip(asked, found, strict=True))[::2]:
        assert r.image is not None
        assert r.image.data is not None
        assert value == pytest.approx(plain(folder, r.image.data, c.text), abs=1e-5)
        assert 0 <= value <= 1
    table = np.reshape(found, (len(SIZES), len(TEXTS)))
    apart = min(table.std(axis=0).max(), table.std(axis=1).max())
    assert apart > 0.01, "the checkpoint tells nothing apart, so this shows nothing"
    odds = values(scorer(folder, output="logit").score(asked, BatchImages()))
    assert found == pytest.approx([1 / (1 + math.exp(-value)) for value in odds], abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_score_depends_neither_on_its_batch_nor_on_the_order(
    family: str, checkpoint: Callable[[str], Path]
) -> None:
    asked = pairs([record(i, size) for i, size in enumerate(SIZES)], TEXTS)
    judge = scorer(checkpoint(family))
    whole = values(judge.score(asked, BatchImages()))
    alone = [values(judge.score([pair], BatchImages()))[0] for pair in asked[::3]]
    assert whole[::3] == pytest.approx(alone, abs=2e-6)
    order = list(range(len(asked)))
    random.Random(1).shuffle(order)
    small = scorer(checkpoint(family), batch_size=2)
    mixed = values(small.score([asked[i] for i in order], BatchImages()))
    assert [whole[i] for i in order] == pytest.approx(mixed, abs=2e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_each_image_goes_through_its_tower_once(family: str, checkpoint: Callable[[str], Path]) -> None:
    judge = scorer(checkpoint(family), batch_size=2)
    records = [record(i) for i in range(5)]
    judge.score(pairs(records, [*TEXTS, TEXTS[0]]), BatchImages())
    engine = judge._engine
    assert (engine.image_rows, engine.text_rows) == (5, 5 * len(TEXTS))


@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_stays_close(family: str, checkpoint: Callable[[str], Path]) -> None:
    asked = pairs([record(i, size) for i, size in enumerate(SIZES)], TEXTS)
    full = np.array(values(scorer(checkpoint(family)).score(asked, BatchImages())))
    half = np.array(values(scorer(checkpoint(family), dtype="bfloat16").score(asked, BatchImages())))
    assert 0 < np.abs(full - half).max() < 0.05
    assert np.corrcoef(full, half)[0, 1] > 0.99


def test_unseen_tokens_and_bad_pairs_are_told(checkpoint: Callable[[str], Path]) -> None:
    judge = scorer(checkpoint("blip_itm"))
    scores = judge.score(
        [
            (record(1), caption(" ".join(SENTENCES * 8))),
            (record(1), caption(" ")),
            (Record(key="none"), caption("two cats")),
            (Record(key="torn", image=Image(data=picture(3)[:300])), caption("two cats")),
            (Record(key="torn", image=Image(data=picture(3)[:300])), caption("two dogs")),
            (record(2), caption("\ud800 cats")),
        ],
        BatchImages(),
    )
    assert [score.value is None for score in scores] == [False, True, True, True, True, False]
    assert (scores[0].reason or "").endswith("tokens unseen")
    assert scores[1].reason == "the text is empty"
    assert all((score.reason or "").startswith("image: ") for score in scores[2:5])
    assert scores[5].reason is None
    assert judge.score([], BatchImages()) == []


def test_a_model_without_a_matching_head_is_refused(checkpoint: Callable[[str], Path]) -> None:
    with pytest.raises(UserError, match="name `clip`"):
        scorer(checkpoint("clip")).score([(record(1), caption("a"))], BatchImages())


def test_a_captioner_has_no_matching_head(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    from transformers import BlipConfig, BlipForConditionalGeneration

    folder = made("blip_itm", tmp_path / "captioner")
    config = BlipConfig.from_pretrained(folder)
    BlipForConditionalGeneration(config).save_pretrained(folder)
    with pytest.raises(UserError, match="of its weights are not in the files"):
        scorer(folder).score([(record(1), caption("a"))], BatchImages())
