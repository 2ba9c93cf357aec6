"""Matching heads at work: each image once through its tower, each pair once through the text tower."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import Blip2ForImageTextRetrieval, BlipForImageTextRetrieval

from recaption.core.errors import BackendError
from recaption.models.hf.identity import ModelFiles
from recaption.models.hf.precision import Placement
from recaption.models.hf.scoring_images import Preparation
from recaption.models.hf.scoring_loading import (
    halving,
    load_image_processor,
    load_model,
    load_tokenizer,
    shared,
)
from recaption.models.hf.scoring_texts import TextEncoding, Tokens, text_limit

__all__ = ["Matcher", "open_matcher"]

_CLASSES: Final[dict[str, Any]] = {
    "blip": BlipForImageTextRetrieval,
    "blip-2": Blip2ForImageTextRetrieval,
}
_TEXTS_AN_IMAGE: Final = 2
"""Rows of text that go together for each image of a batch."""

Pair = tuple[str, str]
"""Key of an image, and a text."""


def open_matcher(files: ModelFiles, placement: Placement, *, trust_remote_code: bool) -> Matcher:
    """Return the model; one for all who ask for the same. Raises UserError."""
    key = ("matcher", files.digest, placement.device, placement.dtype_name, trust_remote_code)
    return shared(key, lambda: Matcher(files, placement, trust_remote_code=trust_remote_code))


class Matcher:
    """Gives the logarithm of the odds that a text matches an image. Safe in several threads.

    `image_rows` and `text_rows` count what went through the towers.
    """

    def __init__(self, files: ModelFiles, placement: Placement, *, trust_remote_code: bool) -> None:
        trusted = {"trust_remote_code": trust_remote_code}
        self._model = load_model(_CLASSES[files.model_type], files, placement, **trusted)
        self._is_second = files.model_type == "blip-2"
        self._placement = placement
        self._prepared = Preparation(
            load_image_processor(files, **trusted), exact=placement.dtype is torch.float32
        )
        tokenizer = load_tokenizer(files, **trusted)
        config = self._model.config
        limit = text_limit(files, tokenizer, config.qformer_config if self._is_second else config.text_config)
        self._encoding = TextEncoding(tokenizer, limit, files, takes=("input_ids", "attention_mask"))
        self._lock = threading.Lock()
        self.image_rows = self.text_rows = 0

    def match(
        self, arrays: Mapping[str, NDArray[np.uint8]], pairs: Sequence[Pair], batch_size: int
    ) -> dict[Pair, tuple[float, str | None]]:
        """Return for every pair the log-odds of a match, and what of the text was not seen.

        Args:
            arrays: Images by key: uint8 RGB of shape (height, width, 3).
            pairs: Distinct; their images are all among `arrays`.
        """
        found: dict[Pair, tuple[float, str | None]] = {}
        wanted: dict[str, list[str]] = {}
        for key, text in pairs:
            wanted.setdefault(key, []).append(text)
        keys = list(wanted)
        for start in range(0, len(keys), batch_size):
            part = keys[start : start + batch_size]
            states = self._images([arrays[key] for key in part])
            rows = [(i, text) for i, key in enumerate(part) for text in wanted[key]]
            tokens = self._encoding.tokens([text for _, text in rows])
            order = sorted(range(len(rows)), key=lambda row: len(tokens[row].ids))
            step = batch_size * _TEXTS_AN_IMAGE
            for begin in range(0, len(order), step):
                batch = order[begin : begin + step]
                asked = [(rows[row][0], tokens[row]) for row in batch]
                for row, odds in zip(batch, halving(asked, partial(self._pairs, states)), strict=True):
                    unseen, count = tokens[row].unseen, tokens[row].count
                    reason = f"{unseen} of {count} tokens unseen" if unseen else None
                    found[part[rows[row][0]], rows[row][1]] = (odds, reason)
        return found

    def _images(self, arrays: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
        """Return the image tower's states, of shape (images, places, size)."""
        pixels = self._prepared(arrays)["pixel_values"]
        parts = halving(list(range(len(arrays))), lambda rows: [self._image_states(pixels[rows])])
        return torch.cat(parts)

    def _image_states(self, pixels: torch.Tensor) -> torch.Tensor:
        with self._lock, torch.inference_mode():
            self.image_rows += len(pixels)
            seen = pixels.to(self._placement.device, self._placement.dtype)
            states: torch.Tensor = self._model.vision_model(pixel_values=seen).last_hidden_state
            return states

    def _pairs(self, states: torch.Tensor, batch: list[tuple[int, Tokens]]) -> list[float]:
        read = self._encoding.packed([tokens for _, tokens in batch], self._placement.device)
        with self._lock, torch.inference_mode():
            self.text_rows += len(batch)
            seen = states[[image for image, _ in batch]]
            logits = (self._second if self._is_second else self._first)(seen, read).float()
            if not bool(torch.isfinite(logits).all()):
                raise BackendError(
                    "the matching head gave what is not a number. Half precision may be too narrow for it: set "
                    "dtype: float32."
                )
            return [float(value) for value in (logits[:, 1] - logits[:, 0]).cpu()]

    def _first(self, seen: torch.Tensor, read: dict[str, torch.Tensor]) -> torch.Tensor:
        """BLIP: the text tower looks at the image from every layer; its first place is read."""
        everywhere = torch.ones(seen.shape[:2], dtype=torch.long, device=seen.device)
        out = self._model.text_encoder(**read, encoder_hidden_states=seen, encoder_attention_mask=everywhere)
        logits: torch.Tensor = self._model.itm_head(out.last_hidden_state[:, 0])
        return logits

    def _second(self, seen: torch.Tensor, read: dict[str, torch.Tensor]) -> torch.Tensor:
        """BLIP-2: queries and text go through the Q-Former together; the mean over the queries is read."""
        model = self._model
        queries = model.query_tokens.expand(len(seen), -1, -1)
        count = queries.shape[1]
        mask = torch.cat([read["attention_mask"].new_ones(len(seen), count), read["attention_mask"]], dim=1)
        everywhere = torch.ones(seen.shape[:2], dtype=torch.long, device=seen.device)
        out = model.qformer(
            query_embeds=model.embeddings(input_ids=read["input_ids"], query_embeds=queries),
            query_length=count,
            attention_mask=mask,
            encoder_hidden_states=seen.to(queries.dtype),
            encoder_attention_mask=everywhere,
        )
        states = out.last_hidden_state[:, :count].to(model.itm_head.weight.dtype)
        logits: torch.Tensor = model.itm_head(states).mean(dim=1)
        return logits
