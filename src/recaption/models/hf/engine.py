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
from recaption.models.hf.precision import is_out_of_memory
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
        self._positions = _positions(self._model.config)
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

    def room(self, item: Item) -> int:
        """Return how many tokens can be written behind a prompt before the model runs out of positions."""
        opening = item.text.get("decoder_input_ids", item.text.get("input_ids"))
        return self._positions - (0 if opening is None else opening.shape[1])

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
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                raise OutOfMemoryError(str(error)) from None
            raise
        finally:
            if self._model.device.type == "cuda" and torch.cuda.memory_reserved() > 0.9 * _memory():
                torch.cuda.empty_cache()

    def _run(
        self, items: Sequence[Item], draws: Sequence[int], sampling: Sequence[Sampling]
    ) -> list[list[Drawn]]:
        first, groups = sampling[0], sampling[0].beam_groups
        copies = first.n if first.beams > groups else 1
        if groups > 1:
            items, draws, sampling = _times(items, groups), _times(draws, groups), _times(sampling, groups)
        guidance = None if first.guidance == 1 else first.guidance
        everything = list(items) if guidance is None else [*items, *self._blind(items)]
        inputs = batch_of_texts(everything, "right" if self._family.padding == "right" else "left", self._pad)
        inputs |= batch_of_pictures(everything, SEEN_ONLY if self._sight else frozenset())
        inputs = {name: self._moved(value) for name, value in inputs.items()}
        limits = [min(s.max_tokens, self.room(item)) for s, item in zip(sampling, items, strict=True)]
        seeds = [seed_from(s.seed, draw) for s, draw in zip(sampling, draws, strict=True)]
        chooser, settings = self._decoding(sampling, seeds, limits, guidance)
        with self._seeing(everything, inputs.get("pixel_values")):
            output = self._model.generate(**inputs, **settings, **self._extra)
        written = output.sequences[:, chooser.start :]
        if isinstance(chooser, Draw):
            logprobs, broken = chooser.finished(written[: len(items)])
        else:
            logprobs, broken = _beam_logprobs(output, written)
        found = self._texts(items, written.tolist(), logprobs.tolist(), broken.tolist(), limits, copies)
        if groups == 1:
            return found
        return [[text for (text,) in found[i : i + groups]][: first.n] for i in range(0, len(found), groups)]

    def _decoding(
        self, sampling: Sequence[Sampling], seeds: Sequence[int], limits: Sequence[int], guidance: float | None
    ) -> tuple[Penalties, dict[str, Any]]:
        """Return what chooses the tokens, and the arguments of `generate`."""
        first, device = sampling[0], self._model.device
        settings: dict[str, Any] = {
            "do_sample": False, "max_new_tokens": max(limits), "return_dict_in_generate": True, "num_beams": 1,
        }  # fmt: skip
        if self._family.ends == "settings":
            settings |= {"eos_token_id": list(self._ends), "pad_token_id": self._pad}
        if first.beams > first.beam_groups:
            chooser = Penalties(_times(sampling, first.beams), device)
            settings |= {"num_beams": first.beams, "num_return_sequences": first.n, "output_logits": True}
        else:
            chooser = Draw(sampling, seeds, guidance, device, self._ends)
            both = limits if guidance is None else [*limits, *limits]
            settings["stopping_criteria"] = StoppingCriteriaList([Limits(both, chooser, device)])
        return chooser, settings | {"logits_processor": LogitsProcessorList([chooser])}

    def _blind(self, items: Sequence[Item]) -> list[Item]:
        if self._family.blind == "blank":
            return [item.blank() for item in items]
        return [item.without or item for item in items]

    def _moved(self, value: Tensor) -> Tensor:
        dtype = self._model.dtype if value.is_floating_point() else None
        return value.to(self._model.device, dtype)

    def _seeing(self, items: Sequence[Item], given: Tensor | None) -> Any:
        shown = [item for item in items if item.key]
        fresh = {item.key: item for item in shown if item.key not in self.seen.parts}
        pictures = {k: self._moved(v) for k, v in batch_of_pictures(list(fresh.values())).items()}
        tiles = [item.tiles for item in fresh.values()]
        rows, length = [item.key for item in shown], 0 if given is None else len(given)
        return seeing_once(self._sight, self.seen, rows, list(fresh), pictures, tiles, length)

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
                chances = tuple(round(value, 4) for value in logprobs[row][:end])
                texts.append(Drawn(text, end < len(tokens), chances, item.length, broken[row]))
            found.append(texts)
        return found


def _times(each: Sequence[Any], count: int) -> list[Any]:
    return [one for one in each for _ in range(count)]


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


def _positions(config: Any) -> int:
    """Return how many tokens the part that writes can tell apart by their place."""
    decoder = config.get_text_config(decoder=True)
    names = ("max_position_embeddings", "n_positions", "max_target_positions")
    return next((int(value) for name in names if (value := getattr(decoder, name, None))), 1 << 30)


def _memory() -> int:
    return int(torch.cuda.get_device_properties(0).total_memory)
