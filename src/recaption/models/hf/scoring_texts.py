"""Texts to token ids, cut where the model's sight ends, and how much of each it does not see."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch

from recaption.core.errors import UserError
from recaption.models.hf.identity import ModelFiles

__all__ = ["TextEncoding", "Tokens", "encodable", "text_limit"]

MAX_TEXT_CHARS: Final = 20_000
"""A longer text is cut before its tokens are counted: a tokenizer's time may grow with the square of a word."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_OFFSET_FAMILIES: Final = ("roberta", "xlm-roberta", "camembert", "altclip")
"""Their positions begin behind the padding token's id (Liu et al. 2019 took fairseq's numbering)."""
_TRAINED_LENGTH: Final = {"align": 64}
"""Tokens seen in training, where the architecture would take more."""
_FIXED_LENGTH: Final = frozenset({"siglip", "siglip2"})
"""Trained on texts padded to the full length, and reading at its last place: less padding is another text."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text as the model reads it."""

    ids: tuple[int, ...]
    """Special tokens included, cut to the limit."""
    count: int
    """Tokens of the whole text, special tokens not included."""
    unseen: int
    """How many of them were cut off."""


class TextEncoding:
    """Tokenises texts for one model, and packs them into batches. Safe in several threads."""

    def __init__(
        self, tokenizer: Any, limit: int, files: ModelFiles, *, takes: Sequence[str] | None = None
    ) -> None:
        self.limit = limit
        self._tokenizer = tokenizer
        # How far a tokenizer cuts is kept in the tokenizer itself, so only one thread may ask at a time.
        self._lock = threading.Lock()
        self._fixed = limit if files.model_type in _FIXED_LENGTH else None
        self._names = [name for name in tokenizer.model_input_names if takes is None or name in takes]
        self._specials = int(tokenizer.num_special_tokens_to_add())
        self._pad = tokenizer.pad_token_id
        if self._pad is None:
            self._pad = tokenizer.eos_token_id or 0
        if limit <= self._specials:
            raise UserError(f"model {files.model}: its text limit of {limit} tokens leaves no room for text.")

    def tokens(self, texts: Sequence[str]) -> list[Tokens]:
        """Return each text as the model reads it, in order."""
        if not texts:
            return []
        fit = [encodable(text) for text in texts]
        with self._lock:
            rows, whole = self._rows(fit)
        counts = {i: whole.get(i, len(row) - self._specials) for i, row in enumerate(rows)}
        return [
            Tokens(tuple(row), counts[i], max(0, counts[i] - (len(row) - self._specials)))
            for i, row in enumerate(rows)
        ]

    def _rows(self, texts: list[str]) -> tuple[list[list[int]], dict[int, int]]:
        """Return each text's ids, cut to the limit, and how many tokens those have that reach it."""
        rows = self._tokenizer(
            texts,
            add_special_tokens=True,
            truncation=True,
            max_length=self.limit,
            padding=False,
            return_attention_mask=False,
            verbose=False,
        )["input_ids"]
        full = [i for i, row in enumerate(rows) if len(row) >= self.limit]
        if not full:
            return rows, {}
        whole = self._tokenizer([texts[i] for i in full], add_special_tokens=False, verbose=False)["input_ids"]
        return rows, {i: len(row) for i, row in zip(full, whole, strict=True)}

    def packed(self, batch: Sequence[Tokens], device: str) -> dict[str, torch.Tensor]:
        """Return the model's inputs, padded to the longest of the batch, or as far as the model was trained with."""
        width = self._fixed or max(len(tokens.ids) for tokens in batch)
        ids = torch.full((len(batch), width), self._pad, dtype=torch.long)
        mask = torch.zeros((len(batch), width), dtype=torch.long)
        left = self._tokenizer.padding_side == "left"
        for i, tokens in enumerate(batch):
            place = slice(width - len(tokens.ids), width) if left else slice(0, len(tokens.ids))
            ids[i, place] = torch.tensor(tokens.ids)
            mask[i, place] = 1
        made = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
        return {name: made[name].to(device) for name in self._names if name in made}


def encodable(text: str) -> str:
    """Return a text that any tokenizer takes, in bounded time: lone surrogates replaced, cut where it is huge."""
    return _SURROGATE.sub("\ufffd", text[:MAX_TEXT_CHARS])


def text_limit(files: ModelFiles, tokenizer: Any, text_config: Any, most: int | None = None) -> int:
    """Return how many tokens the model reads, special tokens included; `most` if it is more or nobody says.

    Raises:
        UserError: Nobody says.
    """
    places = getattr(text_config, "max_position_embeddings", None)
    if places is not None and str(getattr(text_config, "model_type", "")).startswith(_OFFSET_FAMILIES):
        places -= (getattr(text_config, "pad_token_id", None) or 0) + 1
    told = tokenizer.model_max_length  # absurdly large where the files do not say
    known = [
        n for n in (places, told, _TRAINED_LENGTH.get(files.model_type), most) if n is not None and n < 1 << 24
    ]
    if not known:
        raise UserError(
            f"model {files.model}: neither its config nor its tokenizer says how many tokens it reads. Set "
            "`model_max_length` in its tokenizer_config.json."
        )
    return int(min(known))
