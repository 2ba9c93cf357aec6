"""A model of transformers in memory: rows in, texts out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessorList, StoppingCriteriaList

from recaption.core.digests import seed_from
from recaption.core.protocols import Sampling
from recaption.models.hf.batching import OutOfMemoryError, Row
from recaption.models.hf.drawing import Draw, Limits, Penalties
from recaption.models.hf.families import Family
from recaption.models.hf.identity import ModelFiles
from recaption.models.hf.inputs import SEEN_ONLY, Item, Wording, batch_of_pictures, batch_of_texts
from recaption.models.hf.loading import Format, load_model, load_processor, own_settings
from recaption.models.hf.resizing import resize
from recaption.models.hf.vision import Seen, seeing_once, sight

__all__ = ["Drawn", "Engine"]


@dataclass(frozen=True, slots=True)
class Drawn:
    """One text as the model wrote it."""

    text: str
    ended: bool
    """By itself, not by its limit."""
    logprobs: tuple[float, ...]
    """Of the tokens of the text, without the one that ended it."""
    prompt_tokens: int
    broken: bool
    """Whether the model gave a logit that is no number."""


class Engine:
    """Loads at once. For one thread at a time, but `wording` may be at work in another one."""

    def __init__(
        self,
        files: ModelFiles,
        family: Family,
        *,
        device: str,
        dtype: Format,
        template: bool | None,
        image_size_px: int | None,
        trust_remote_code: bool,
    ) -> None:
        self._family = family
        processor = load_processor(files, family, trust_remote_code=trust_remote_code)
        self._extra = resize(processor.image_processor, family, image_size_px)
        self._model = load_model(files, device, dtype, trust_remote_code=trust_remote_code)
        self._tokenizer = processor.tokenizer
        self._end(processor)
        self.wording = Wording(processor, family, template, self._start)
        self._sight = sight(self._model, family.vision)
        self.seen = Seen()

    def _end(self, processor: Any) -> None:
        """Find the tokens that stand before and after what is written."""
        model, tokenizer = self._model, processor.tokenizer
        first = getattr(model.generation_config, "decoder_start_token_id", None)
        endings = own_settings(model)
        text_config = model.config.get_text_config()
        ends = endings.ends
        if self._family.ends == "sep":
            ends = (text_config.sep_token_id,)
        self._ends = ends or tuple(t for t in (tokenizer.eos_token_id, tokenizer.sep_token_id) if t is not None)
        pads = (endings.pad, tokenizer.pad_token_id, *self._ends)
        self._pad = next((int(token) for token in pads if token is not None), 0)
        if self._family.input == "prefix":
            first = next((t for t in (tokenizer.cls_token_id, tokenizer.bos_token_id) if t is not None), None)
        elif first is None:
            first = getattr(model.config, "decoder_start_token_id", None) or getattr(
                text_config, "decoder_start_token_id", None
            )
        self._start = [] if first is None else [int(first), *endings.opening]

    def run(
        self, rows: Sequence[Row], items: Mapping[int, Item], sampling: Sequence[Sampling]
    ) -> list[list[Drawn]]:
        """Return what is drawn for each row: one text, or `n` where beams are searched.

        Args:
            rows: All of one mode, and of one length where the family cannot pad.
            items: By request.
            sampling: Of each row.

        Raises:
            OutOfMemoryError: The batch does not fit.
        """
        try:
            with torch.inference_mode():
                return self._run([items[row.request] for row in rows], [row.draw for row in rows], sampling)
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise OutOfMemoryError(str(error)) from None
        except RuntimeError as error:
            if "allocate memory" in str(error) or "out of memory" in str(error):
                raise OutOfMemoryError(str(error)) from None
            raise
        finally:
            if self._model.device.type == "cuda" and torch.cuda.memory_reserved() > 0.9 * _memory():
                torch.cuda.empty_cache()

    def _run(
        self, items: Sequence[Item], draws: Sequence[int], sampling: Sequence[Sampling]
    ) -> list[list[Drawn]]:
        first, device = sampling[0], self._model.device
        beams, guidance = first.beams, None if first.guidance == 1 else first.guidance
        everything = list(items) if guidance is None else [*items, *self._blind(items)]
        inputs = batch_of_texts(everything, "right" if self._family.padding == "right" else "left", self._pad)
        inputs |= batch_of_pictures(everything, SEEN_ONLY if self._sight else frozenset())
        inputs = {name: self._moved(value) for name, value in inputs.items()}
        seeds = [seed_from(s.seed, draw) for s, draw in zip(sampling, draws, strict=True)]
        chooser = (
            Penalties(_times(sampling, beams), device) if beams > 1 else Draw(sampling, seeds, guidance, device)
        )
        limits = [s.max_tokens for s in sampling]
        settings: dict[str, Any] = {
            "do_sample": False,
            "num_beams": beams,
            "num_return_sequences": first.n if beams > 1 else 1,
            "max_new_tokens": max(limits),
            "logits_processor": LogitsProcessorList([chooser]),
            "return_dict_in_generate": True,
            "output_logits": beams > 1,
        }
        if self._family.ends == "settings":
            settings |= {"eos_token_id": list(self._ends), "pad_token_id": self._pad}
        if beams == 1:
            both = limits if guidance is None else [*limits, *limits]
            settings["stopping_criteria"] = StoppingCriteriaList([Limits(both, chooser, device)])
        with self._seeing(everything):
            output = self._model.generate(**inputs, **settings, **self._extra)
        written = output.sequences[:, chooser.start :]
        if isinstance(chooser, Draw):
            logprobs, broken = chooser.finished(written[: len(items)])
        else:
            logprobs, broken = _beam_logprobs(output, written)
        copies = first.n if beams > 1 else 1
        return self._texts(items, written.tolist(), logprobs.tolist(), broken.tolist(), limits, copies)

    def _blind(self, items: Sequence[Item]) -> list[Item]:
        if self._family.blind == "blank":
            return [item.blank() for item in items]
        return [item.without or item for item in items]

    def _moved(self, value: Tensor) -> Tensor:
        dtype = self._model.dtype if value.is_floating_point() else None
        return value.to(self._model.device, dtype)

    def _seeing(self, items: Sequence[Item]) -> Any:
        shown = [item for item in items if item.key]
        fresh = {item.key: item for item in shown if item.key not in self.seen.parts}
        pictures = {k: self._moved(v) for k, v in batch_of_pictures(list(fresh.values())).items()}
        tiles = [item.tiles for item in fresh.values()]
        return seeing_once(self._sight, self.seen, [item.key for item in shown], list(fresh), pictures, tiles)

    def _texts(
        self,
        items: Sequence[Item],
        written: Sequence[Sequence[int]],
        logprobs: Sequence[Sequence[float]],
        broken: Sequence[bool],
        limits: Sequence[int],
        copies: int,
    ) -> list[list[Drawn]]:
        found: list[list[Drawn]] = []
        for index, item in enumerate(items):
            texts = []
            for row in range(index * copies, (index + 1) * copies):
                tokens = list(written[row][: limits[index]])
                end = next((at for at, token in enumerate(tokens) if token in self._ends), len(tokens))
                text = self._tokenizer.decode(tokens[:end], skip_special_tokens=True).strip()
                chances = tuple(round(value, 5) for value in logprobs[row][:end])
                texts.append(Drawn(text, end < len(tokens), chances, item.length, broken[row]))
            found.append(texts)
        return found


def _times(sampling: Sequence[Sampling], beams: int) -> list[Sampling]:
    return [one for one in sampling for _ in range(beams)]


def _beam_logprobs(output: Any, written: Tensor) -> tuple[Tensor, Tensor]:
    """Return the log-probabilities of the texts that a beam search returned, and which saw no numbers."""
    steps = []
    for step, logits in enumerate(output.logits):
        if step >= written.shape[1]:
            break
        beam = output.beam_indices[:, step].clamp(min=0)
        steps.append(logits.float().log_softmax(dim=1)[beam].gather(1, written[:, step : step + 1])[:, 0])
    logprobs = torch.stack(steps, dim=1)
    return logprobs, torch.isnan(logprobs).any(dim=1)


def _memory() -> int:
    return int(torch.cuda.get_device_properties(0).total_memory)
