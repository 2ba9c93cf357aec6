"""A dual encoder gives what its scores are made of: the same vectors, and what was read of each text."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoTokenizer

from recaption.core.errors import ImageError, UserError
from recaption.core.protocols import Embedder, Scorer
from recaption.core.types import Image, Record
from recaption.media.images import BatchImages
from recaption.models.hf.dual_encoder import CLIPSCORE_PREFIX, DualEncoderScorer, EmbeddedDualEncoder
from recaption.models.hf.matching import MatchingScorer
from recaption.recipes.backends import backend
from tests.unit.models.hf.scoring_checkpoints import DUAL_ENCODERS, SENTENCES
from tests.unit.models.hf.scoring_pairs import pairs, picture, record

TEXTS = ("a red ball", "two cats", "Ω ball", *SENTENCES)


def scorer(folder: Path, **options: Any) -> DualEncoderScorer:
    given = {"model": str(folder), "dtype": "float32", **options}
    return DualEncoderScorer(DualEncoderScorer.Params.model_validate(given))


def vectors(found: list[Any]) -> np.ndarray[Any, Any]:
    return np.stack([getattr(one, "vector", one) for one in found])


@pytest.mark.parametrize("family", DUAL_ENCODERS)
def test_a_score_is_the_inner_product_of_what_is_given(family: str, checkpoint: Callable[[str], Path]) -> None:
    judge = scorer(checkpoint(family))
    assert isinstance(judge, Embedder)
    records = [record(i) for i in range(3)]
    seen = vectors(judge.embed_images(records, BatchImages()))
    read = vectors(judge.embed_texts(TEXTS))
    assert seen.dtype == read.dtype == np.float32
    for found in (seen, read):
        assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    scores = [score.value for score in judge.score(pairs(records, TEXTS), BatchImages())]
    assert (seen @ read.T).ravel() == pytest.approx(scores, abs=1e-6)


def test_a_prefix_is_chosen_anew_with_every_call(checkpoint: Callable[[str], Path]) -> None:
    judge = scorer(checkpoint("clip"))
    (image,) = judge.embed_images([record(1)], BatchImages())
    assert not isinstance(image, ImageError)
    clipscores = scorer(checkpoint("clip"), output="clipscore").score(pairs([record(1)], TEXTS), BatchImages())
    read = vectors(judge.embed_texts(TEXTS, CLIPSCORE_PREFIX))
    assert np.maximum(2.5 * (read @ image), 0) == pytest.approx([s.value for s in clipscores], abs=1e-5)
    assert np.array_equal(read, vectors(judge.embed_texts([CLIPSCORE_PREFIX + text for text in TEXTS])))
    assert not np.array_equal(read, vectors(judge.embed_texts(TEXTS)))


def test_what_was_read_of_a_text_is_counted(checkpoint: Callable[[str], Path]) -> None:
    judge = scorer(checkpoint("clip"))
    raw = AutoTokenizer.from_pretrained(checkpoint("clip"))
    long = " ".join(SENTENCES * 8)
    limit = judge.space().text_limit
    for text, found in zip((*TEXTS, long), judge.embed_texts((*TEXTS, long)), strict=True):
        tokens = len(raw(text, add_special_tokens=False)["input_ids"])
        assert (found.tokens, found.unseen) == (tokens, max(0, tokens - (limit - 2)))


def test_what_a_cosine_means_is_told(checkpoint: Callable[[str], Path]) -> None:
    clip, siglip = scorer(checkpoint("clip")).space(), scorer(checkpoint("siglip")).space()
    assert clip.scale == pytest.approx(np.exp(1.5))
    assert (clip.bias, clip.has_sigmoid, clip.text_limit) == (None, False, 24)
    assert siglip.scale == pytest.approx(np.exp(1.5))
    assert siglip.bias == pytest.approx(-2.5)
    assert (siglip.has_sigmoid, siglip.text_limit) == (True, 16)


def test_embeddings_have_a_fingerprint_that_what_is_stated_does_not_change(
    checkpoint: Callable[[str], Path],
) -> None:
    one, *same = [
        scorer(checkpoint("clip"), **options)
        for options in ({}, {"output": "logit"}, {"output": "clipscore"}, {"long_text": "sentences"})
    ]
    assert {judge.encoder_fingerprint for judge in same} == {one.encoder_fingerprint}
    others = [scorer(checkpoint("clip"), dtype="bfloat16"), scorer(checkpoint("siglip"))]
    assert len({judge.encoder_fingerprint for judge in (one, *others)}) == 3
    assert one.encoder == one.name.replace(", cosine", "")


def test_equal_images_are_encoded_once_and_bad_ones_are_values(checkpoint: Callable[[str], Path]) -> None:
    judge = scorer(checkpoint("clip"))
    good = record(61)
    asked = [
        good,
        Record(key="none"),
        Record(key="torn", image=Image(data=picture(3)[:300])),
        replace(good, key="the same under another name"),
        good,
    ]
    images = BatchImages()
    found = judge.embed_images(asked, images)
    assert [isinstance(one, ImageError) for one in found] == [False, True, True, False, False]
    seen = [one for one in found if not isinstance(one, ImageError)]
    assert all(np.array_equal(seen[0], one) for one in seen)
    assert images.decodes == 2, "the good one and the torn one"
    again = BatchImages()
    judge.embed_images([good], again)
    assert again.decodes == 0


def test_an_error_that_is_a_value_holds_no_frames(checkpoint: Callable[[str], Path]) -> None:
    (found,) = scorer(checkpoint("clip")).embed_images([Record(key="none")], BatchImages())
    assert isinstance(found, ImageError)
    assert found.__traceback__ is None
    assert found.__context__ is None


def test_nothing_asked_loads_nothing() -> None:
    judge = EmbeddedDualEncoder(EmbeddedDualEncoder.Params())
    assert judge.embed_images([], BatchImages()) == []
    assert judge.embed_texts([]) == []
    assert judge.score([], BatchImages()) == []
    assert "_engine" not in judge.__dict__


def test_the_embedded_one_goes_by_its_own_name() -> None:
    judge = backend("scorers", "embedded", "x").build()
    assert isinstance(judge, Embedder)
    assert judge.encoder.startswith("embedded@")
    assert judge.encoder.endswith(", float32")
    assert judge.encoder == judge.name.replace(", cosine", "")


def test_a_scorer_with_another_head_is_no_embedder(checkpoint: Callable[[str], Path]) -> None:
    judge = MatchingScorer(MatchingScorer.Params(model=str(checkpoint("blip_itm"))))
    assert isinstance(judge, Scorer)
    assert not isinstance(judge, Embedder)


def test_a_model_that_is_not_here_is_said_so_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        _ = scorer(tmp_path / "nowhere").encoder_fingerprint
