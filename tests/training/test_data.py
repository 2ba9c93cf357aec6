"""What the models are shown: splits that share nothing, and labels that agree with the judge."""

from pathlib import Path

import numpy as np
import pytest
from data import (
    DEV_SEED,
    GROUP,
    MAX_TOKENS,
    TEST_SEED,
    THINGS,
    TRAIN_SEED,
    UNSURE,
    Shard,
    ShardMaker,
    fact_ids,
    scenes_of,
    shard_file,
    true_facts,
    write_shard,
)
from negatives import SWAPS
from text import END, caption_tokenizer, score_tokenizer
from transformers import PreTrainedTokenizerFast

from recaption.demo.captions import ASPECTS
from recaption.demo.facts import judge, scene_facts
from recaption.demo.vocabulary import vocabulary
from recaption.demo.world import sample_scenes
from recaption.models.embedded import folder

N = 8
SPLIT = f"{TRAIN_SEED}-0"
SPLITS = (SPLIT, f"{TRAIN_SEED}-1", DEV_SEED, TEST_SEED)


@pytest.fixture(scope="module")
def tokenizers() -> tuple[PreTrainedTokenizerFast, PreTrainedTokenizerFast]:
    captions, scores = (
        PreTrainedTokenizerFast.from_pretrained(folder(n)) for n in ("captioner", "dual_encoder")
    )
    return captions, scores


@pytest.fixture(scope="module")
def maker(tokenizers: tuple[PreTrainedTokenizerFast, PreTrainedTokenizerFast]) -> ShardMaker:
    return ShardMaker(*tokenizers)


@pytest.fixture(scope="module")
def shard(maker: ShardMaker) -> Shard:
    return maker.make(SPLIT, N)


def test_no_split_shares_a_scene_with_another_or_with_the_demo() -> None:
    """The demo shows 200 scenes of seed 0; a few other seeds stand for those that a user may give."""
    groups = [scenes_of(split, 250) for split in SPLITS]
    groups += [list(sample_scenes(200, seed)) for seed in range(4)]
    scenes = [scene for group in groups for scene in group]
    assert len(set(scenes)) == len(scenes)


def test_the_first_scenes_of_a_split_do_not_depend_on_how_many_there_are() -> None:
    assert scenes_of(TEST_SEED, 5) == scenes_of(TEST_SEED, 9)[:5]


def test_a_shard_is_the_same_twice(maker: ShardMaker, shard: Shard) -> None:
    again = maker.make(SPLIT, N)
    assert again.keys() == shard.keys()
    assert all(np.array_equal(again[key], values) for key, values in shard.items())


def test_a_shard_comes_back_from_its_file(maker: ShardMaker, tmp_path: Path, shard: Shard) -> None:
    write_shard(maker, tmp_path, 0, N)
    assert [file.name for file in tmp_path.iterdir()] == [shard_file(tmp_path, 0).name]
    with np.load(shard_file(tmp_path, 0), allow_pickle=False) as stored:
        assert set(stored.files) == set(shard)
        for key, values in shard.items():
            assert stored[key].dtype == values.dtype
            assert np.array_equal(stored[key], values)


def test_labels_of_captions_agree_with_the_judge(
    shard: Shard, tokenizers: tuple[PreTrainedTokenizerFast, PreTrainedTokenizerFast]
) -> None:
    unsure = 0
    for i, scene in enumerate(scenes_of(SPLIT, N)):
        for ids, right, kinds in zip(shard["texts"][i], shard["right"][i], shard["kinds"][i], strict=True):
            texts = tokenizers[1].batch_decode(ids.astype(np.int64), skip_special_tokens=True)
            assert len(texts) == GROUP
            assert list(right[:2]) == [1, 1]
            for text, said, kind in zip(texts, right, kinds, strict=True):
                verdict = judge(text, scene)
                if said == UNSURE:
                    unsure += 1
                    assert verdict.contradicted, text
                    assert 0 <= kind < len(SWAPS)
                elif verdict.precision is not None:
                    assert said == pytest.approx(verdict.precision), text
    assert unsure >= N


def test_true_captions_claim_what_is_true_and_swapped_ones_do_not(shard: Shard) -> None:
    for i in range(N):
        for claims, right in zip(shard["claims"][i], shard["right"][i], strict=True):
            for row, said in zip(claims, right, strict=True):
                holds = shard["true"][i][row[row >= 0]]
                if said == 1:
                    assert holds.all()
                elif said == UNSURE:
                    assert not holds.all()


def test_a_scene_has_its_own_facts(shard: Shard) -> None:
    for i, scene in enumerate(scenes_of(SPLIT, N)):
        true = true_facts(scene)
        assert np.array_equal(true, shard["true"][i])
        own = set(scene_facts(scene))
        simple = {fact for fact, k in fact_ids().items() if fact.kind != "relation" and true[k]}
        assert simple == own


def test_cells_show_the_things_of_the_scene(shard: Shard) -> None:
    known = list(vocabulary().shapes)
    for i, scene in enumerate(scenes_of(SPLIT, N)):
        shown = {int(v) for v in np.unique(shard["cells"][i])} - {0}
        there = {k + 1 for k in range(len(scene.things))} | ({THINGS + 1} if scene.sign else set())
        assert shown <= there
        assert [known[s] for s in shard["looks"][i][:, 0] if s >= 0] == [t.shape for t in scene.things]


def test_captions_are_whole_and_end(
    shard: Shard, tokenizers: tuple[PreTrainedTokenizerFast, PreTrainedTokenizerFast]
) -> None:
    end = tokenizers[0].convert_tokens_to_ids(END)
    assert shard["captions"].shape[:2] == (N, len(ASPECTS))
    rows = shard["captions"].reshape(-1, MAX_TOKENS)
    assert ((rows == end).sum(1) == 1).all()
    assert all(row[(row != 0).sum() - 1] == end for row in rows)


def test_no_text_is_unknown_to_a_tokenizer_made_of_few_scenes() -> None:
    text = "Zwölf Boxkämpfer 🥊 jagen Viktor"
    for make, wanted in ((caption_tokenizer, text), (score_tokenizer, text.lower())):
        tokenizer = make(20, 1)
        ids = tokenizer(text).input_ids
        (back,) = tokenizer.batch_decode([ids], skip_special_tokens=True)
        assert back.strip() == wanted
