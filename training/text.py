"""The tokenizers of both models: byte-level BPE learned from captions, so that any text can be encoded.

Nearly every word of the world is one token; other words fall apart into bytes, and none is unknown.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from recaption.demo.alt import noisy_alt
from recaption.demo.captions import ASPECTS, describe
from recaption.demo.world import sample_scenes

PAD, START, END = "<pad>", "<s>", "</s>"
ASPECT_TOKENS = tuple(f"<{aspect}>" for aspect in ASPECTS)
CAPTION_TOKENS = 88
"""More than the longest caption has."""
SCORED_TOKENS = 128
"""Longer texts are cut; captions are shorter, long alt-texts in strange words may not be."""
_MIN_COUNT = 8


def caption_tokenizer(scenes: int, seed: int) -> PreTrainedTokenizerFast:
    """Return the captioner's tokenizer: case and spaces come back as they were, `<s> <aspect>` starts a text."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(_captions(scenes, seed), _trainer([PAD, START, END, *ASPECT_TOKENS], 640))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=START,
        eos_token=END,
        additional_special_tokens=list(ASPECT_TOKENS),
        model_max_length=CAPTION_TOKENS,
        clean_up_tokenization_spaces=False,
    )


def score_tokenizer(scenes: int, seed: int) -> PreTrainedTokenizerFast:
    """Return the dual encoder's tokenizer: lower case, `<s> … </s>`, alt-texts among what it learned from."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(_alts(scenes, seed), _trainer([PAD, START, END], 640))
    start, end = (tokenizer.token_to_id(t) for t in (START, END))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, start), (END, end)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=START,
        eos_token=END,
        cls_token=START,
        model_max_length=SCORED_TOKENS,
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write `tokenizer.json` and `tokenizer_config.json`, in words that every release of transformers reads."""
    tokenizer.save_pretrained(folder)
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    config.pop("backend", None)
    if "extra_special_tokens" in config:
        config["additional_special_tokens"] = config.pop("extra_special_tokens")
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _trainer(special: list[str], size: int) -> trainers.BpeTrainer:
    return trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=_MIN_COUNT,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )


def _captions(scenes: int, seed: int) -> Iterator[str]:
    for i, scene in enumerate(sample_scenes(scenes, seed)):
        for aspect in ASPECTS:
            yield describe(scene, aspect, i)


def _alts(scenes: int, seed: int) -> Iterator[str]:
    for i, scene in enumerate(sample_scenes(scenes, seed)):
        for aspect in ASPECTS:
            yield describe(scene, aspect, i)
        if i % 2 == 0:
            yield noisy_alt(scene, i)[0]
