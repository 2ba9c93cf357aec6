"""A causal language model at work: the negative log-likelihood of texts, whatever batch they come in."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

import torch
from transformers import AutoModelForCausalLM

from recaption.core.errors import BackendError
from recaption.models.hf.identity import ModelFiles
from recaption.models.hf.perplexity import Surprise
from recaption.models.hf.precision import Placement
from recaption.models.hf.scoring_loading import halving, load_model, load_tokenizer, shared
from recaption.models.hf.scoring_texts import encodable, text_limit

__all__ = ["LanguageModel", "Surprise", "open_language_model"]

_MOST_TOKENS: Final = 1024
"""No caption is longer; what follows is not read."""
_MOST_LOGITS: Final = 1 << 26
"""Numbers the model may give at once (rows x tokens x vocabulary), 256 MB in float32."""


def open_language_model(files: ModelFiles, placement: Placement, *, trust_remote_code: bool) -> LanguageModel:
    """Return the model; one for all who ask for the same. Raises UserError."""
    key = ("language_model", files.digest, placement.device, placement.dtype_name, trust_remote_code)
    return shared(key, lambda: LanguageModel(files, placement, trust_remote_code=trust_remote_code))


class LanguageModel:
    """Says how surprising texts are. Safe in several threads. `rows` counts the texts that went through."""

    def __init__(self, files: ModelFiles, placement: Placement, *, trust_remote_code: bool) -> None:
        trusted = {"trust_remote_code": trust_remote_code}
        self._model = load_model(AutoModelForCausalLM, files, placement, **trusted)
        self._tokenizer = load_tokenizer(files, **trusted)
        self._placement = placement
        self._limit = text_limit(files, self._tokenizer, self._model.config, most=_MOST_TOKENS)
        # Models without a start token (GPT-2) begin a text behind the end of the one before.
        start = self._tokenizer.bos_token_id
        self._start = self._tokenizer.eos_token_id if start is None else start
        self._vocabulary = int(self._model.get_output_embeddings().weight.shape[0])
        self._lock = threading.Lock()
        self.rows = 0

    def surprise(self, texts: Sequence[str], batch_size: int) -> list[Surprise]:
        """Return what the model makes of each text, in order."""
        fit = [encodable(text) for text in texts]
        whole = self._tokenizer(fit, add_special_tokens=False, verbose=False)["input_ids"]
        start = [] if self._start is None else [self._start]
        rows = [(start + ids)[: self._limit] for ids in whole]
        totals = [0.0] * len(rows)
        order = sorted((i for i in range(len(rows)) if len(rows[i]) > 1), key=lambda i: len(rows[i]))
        while order:
            # The longest first: if they fit, so does the rest.
            width = len(rows[order[-1]])
            size = max(1, min(batch_size, _MOST_LOGITS // (width * self._vocabulary)))
            batch, order = order[-size:], order[:-size]
            for i, total in zip(batch, halving([rows[i] for i in batch], self._totals), strict=True):
                totals[i] = total
        return [
            Surprise(
                nll=total,
                scored=max(0, len(row) - 1),
                tokens=len(ids),
                unseen=len(ids) + len(start) - len(row),
                scored_bytes=self._scored_bytes(text, ids, 1 - len(start), len(row) - len(start)),
            )
            for total, row, ids, text in zip(totals, rows, whole, fit, strict=True)
        ]

    def _scored_bytes(self, text: str, ids: list[int], first: int, end: int) -> int:
        """Return how many bytes of UTF-8 the tokens from `first` to `end` stand for."""
        if first == 0 and end == len(ids):
            return len(text.encode("utf-8"))
        if end <= first:
            return 0
        if not self._tokenizer.is_fast:
            return len(self._tokenizer.decode(ids[first:end]).encode("utf-8"))
        places = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)[
            "offset_mapping"
        ]
        begin = places[first][0] if first else 0  # what stands before the first token is charged to it
        return len(text[begin : places[end - 1][1]].encode("utf-8"))

    def _totals(self, batch: list[list[int]]) -> list[float]:
        width = max(len(row) for row in batch)
        ids = torch.zeros((len(batch), width), dtype=torch.long)
        mask = torch.zeros((len(batch), width), dtype=torch.long)
        for i, row in enumerate(batch):
            ids[i, : len(row)] = torch.tensor(row)
            mask[i, : len(row)] = 1
        ids, mask = ids.to(self._placement.device), mask.to(self._placement.device)
        with self._lock, torch.inference_mode():
            self.rows += len(batch)
            logits = self._model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        losses = torch.nn.functional.cross_entropy(
            logits[:, :-1].transpose(1, 2).float(), ids[:, 1:], reduction="none"
        )
        totals = (losses * mask[:, 1:]).sum(dim=1, dtype=torch.float64)
        if not bool(torch.isfinite(totals).all()):
            raise BackendError(
                "the language model gave a likelihood that is not a number. Half precision may be too narrow for it: "
                "set dtype: float32."
            )
        return [float(total) for total in totals.cpu()]
