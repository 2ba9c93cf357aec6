"""Prompts and pictures to tensors, one request at a time, and back together as a batch."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from jinja2 import TemplateError
from PIL import Image
from torch import Tensor

from recaption.core.errors import UserError
from recaption.core.protocols import Pixels
from recaption.models.hf.families import Family

__all__ = ["SEEN_ONLY", "Item", "Wording", "batch_of_pictures", "batch_of_texts"]

_TEXT: Final = frozenset(
    {
        "input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids", "image_embeds_position_mask",
        "decoder_input_ids", "decoder_attention_mask",
    }
)  # fmt: skip
"""Inputs with one value per token of the prompt."""
_SIDE_TEXT: Final = frozenset({"qformer_input_ids", "qformer_attention_mask"})
"""Inputs with one value per token of another tokenizer; always padded on the right."""
_IGNORED: Final = frozenset({"labels"})
SEEN_ONLY: Final = frozenset({"pixel_values", "pixel_attention_mask"})
"""What only the part that sees reads."""


@dataclass(frozen=True, slots=True)
class Item:
    """One request as tensors with a leading dimension of 1 (or of the picture's tiles or patches)."""

    text: Mapping[str, Tensor]
    picture: Mapping[str, Tensor]
    key: str
    """Of the picture, with how it was prepared; empty without one."""
    without: Item | None = None
    """The same prompt without the picture, where guidance needs it."""

    @property
    def length(self) -> int:
        """Tokens of the prompt, the picture's included."""
        return max((value.shape[1] for name, value in self.text.items() if name in _TEXT), default=0)

    @property
    def tiles(self) -> int:
        """How many images the part that sees makes of the picture."""
        pixels = self.picture.get("pixel_values")
        if pixels is None or pixels.ndim < 4:
            return 1
        return int(pixels.shape[0] if pixels.ndim == 4 else pixels.shape[0] * pixels.shape[1])

    def blank(self) -> Item:
        """Return the same request with a picture of the mean colour."""
        grey = {k: torch.zeros_like(v) if k == "pixel_values" else v for k, v in self.picture.items()}
        return Item(self.text, grey, f"{self.key}/blank")


class _Once:
    """Stands in for an image processor and gives the same answer again for the picture at hand.

    `picture` is the key of the picture that is being prepared; answers are kept until they are forgotten.
    """

    def __init__(self, inner: Any) -> None:
        self.inner, self.picture = inner, ""
        self.kept: dict[str, Any] = {}

    def __call__(self, images: Any, **kwargs: Any) -> Any:
        if self.picture not in self.kept:
            self.kept[self.picture] = self.inner(images, **kwargs)
        return type(self.kept[self.picture])(dict(self.kept[self.picture]))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class Wording:
    """Makes items of prompts and pictures the way a family wants them. For one thread at a time."""

    def __init__(self, processor: Any, family: Family, template: bool | None, start: Sequence[int]) -> None:
        """Take a processor.

        Args:
            template: Whether to use the chat template; None: wherever the family has one.
            start: Tokens that stand before the first one written, for families of input `prefix` and `decoder`.

        Raises:
            UserError: A chat template is wanted, and there is none.
        """
        self._processor, self._family, self._start = processor, family, list(start)
        self._tokenizer = processor.tokenizer
        self._tokenizer.padding_side = "right" if family.padding == "right" else "left"
        self._images: dict[str, Image.Image] = {}
        self._once = _Once(processor.image_processor)
        processor.image_processor = self._once
        wanted = family.input == "chat" if template is None else template
        if wanted and not getattr(processor, "chat_template", None):
            raise UserError(
                "this model has no chat template. Give `chat_template: false` to hand it the prompt as it stands."
            )
        self._template = wanted
        self._special = _pattern(self._tokenizer) if family.style not in ("florence2", "embedded") else None

    def forget(self) -> None:
        """Let go of the pictures."""
        self._once.kept.clear()
        self._images.clear()

    def item(
        self, prompt: str, picture: tuple[str, Callable[[], Pixels]] | None, *, guided: bool = False
    ) -> Item:
        """Return a request as tensors.

        Args:
            picture: Its digest, and where its pixels are to be had if they are not here yet.
            guided: Whether it will be compared with the prompt alone.

        Raises:
            ImageError: There are no pixels.
            ValueError: The processor cannot do it.
        """
        if self._special is not None:
            prompt = self._special.sub(lambda match: f"{match[0][0]} {match[0][1:]}", prompt)
        image = self._image(picture) if picture else None
        if self._family.input in ("prefix", "decoder"):
            features = self._opened(prompt, image)
        else:
            features = self._processed(prompt, image)
        text = {k: v for k, v in features.items() if k in _TEXT or k in _SIDE_TEXT}
        seen = {
            k: v for k, v in features.items() if k not in text and k not in _IGNORED and isinstance(v, Tensor)
        }
        item = Item(text, seen, picture[0] if picture else "")
        if guided and picture and self._family.blind == "text":
            return replace(item, without=self.item(prompt, None))
        return item

    def _image(self, picture: tuple[str, Callable[[], Pixels]]) -> Image.Image:
        key, pixels = picture
        if key not in self._images:
            self._images[key] = Image.fromarray(pixels().array)
        self._once.picture = key
        return self._images[key]

    def _opened(self, prompt: str, image: Image.Image | None) -> dict[str, Any]:
        tokens = self._tokenizer(prompt, add_special_tokens=False)["input_ids"] if prompt else []
        ids = torch.tensor([[*self._start, *tokens]])
        features = {} if image is None else dict(self._once(image, return_tensors="pt"))
        if self._family.input == "decoder":
            return features | {"decoder_input_ids": ids, "decoder_attention_mask": torch.ones_like(ids)}
        return features | {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    def _processed(self, prompt: str, image: Image.Image | None) -> dict[str, Any]:
        chat = self._template
        text = self._chat(prompt, image is not None) if chat else self._plain(prompt, image is not None)
        bos = getattr(self._tokenizer, "bos_token", None)
        settings = {"add_special_tokens": False} if chat and bos and text.startswith(bos) else {}
        images = {} if image is None else {"images": [[image]] if self._family.input == "chat" else [image]}
        found = dict(self._processor(text=[text], return_tensors="pt", **images, **settings))
        if self._family.padding == "right" and self._start:
            found["decoder_input_ids"] = torch.tensor([self._start])
        return found

    def _plain(self, prompt: str, seeing: bool) -> str:
        if self._family.input == "chat":
            mark = getattr(self._processor, "image_token", "<image>") + "\n" if seeing else ""
            return f"{mark}{prompt}"
        return self._family.text.format(prompt=prompt)

    def _chat(self, prompt: str, seeing: bool) -> str:
        said = ([{"type": "image"}] if seeing else []) + [{"type": "text", "text": prompt}]
        turns = [{"role": "user", "content": said}]
        try:
            text: str = self._processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        except TemplateError as error:  # a template can be wrong, refuse, or try what the sandbox forbids
            raise ValueError(f"chat template: {error}") from error
        return text


def _pattern(tokenizer: Any) -> re.Pattern[str] | None:
    """Return what finds the special tokens of a tokenizer in a prompt, where they would be more than words."""
    added = getattr(tokenizer, "added_tokens_decoder", {})
    marks = {token.content for token in added.values() if token.special and len(token.content) > 1}
    marks |= {mark for mark in tokenizer.all_special_tokens if len(mark) > 1}
    return (
        re.compile("|".join(re.escape(mark) for mark in sorted(marks, key=len, reverse=True)))
        if marks
        else None
    )


def batch_of_texts(items: Sequence[Item], side: str, pad: int) -> dict[str, Tensor]:
    """Return the text inputs of several requests, padded to the longest on one side, `left` or `right`."""
    batch = {}
    for name in items[0].text:
        parts = [
            item.text[name] if name in item.text else torch.zeros_like(item.text["input_ids"]) for item in items
        ]
        fill = pad if name.endswith("input_ids") else 0
        batch[name] = _padded(parts, "right" if name in _SIDE_TEXT else side, fill)
    return batch


def _padded(parts: Sequence[Tensor], side: str, fill: int) -> Tensor:
    longest = max(part.shape[1] for part in parts)
    gaps = [longest - part.shape[1] for part in parts]
    pads = [(gap, 0) if side == "left" else (0, gap) for gap in gaps]
    return torch.cat([torch.nn.functional.pad(p, gap, value=fill) for p, gap in zip(parts, pads, strict=True)])


def batch_of_pictures(items: Sequence[Item], hold: frozenset[str] = frozenset()) -> dict[str, Tensor]:
    """Return the picture inputs of several requests, one below the other; smaller ones are filled with zeros.

    Args:
        hold: Names of inputs that get the right shape and no content.
    """
    items = [item for item in items if item.picture]
    if not items:
        return {}
    return {
        name: _hollow([item.picture[name] for item in items])
        if name in hold
        else _stacked([item.picture[name] for item in items])
        for name in items[0].picture
    }


def _stacked(parts: Sequence[Tensor]) -> Tensor:
    shape = [max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True)]
    filled = []
    for part in parts:
        gaps = [size - own for size, own in zip(shape, part.shape[1:], strict=True)]
        pads = [side for gap in reversed(gaps) for side in (0, gap)]
        filled.append(torch.nn.functional.pad(part, pads) if any(gaps) else part)
    return torch.cat(filled)


def _hollow(parts: Sequence[Tensor]) -> Tensor:
    """Return a tensor of the shape of the stacked parts that takes no memory."""
    shape = [max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True)]
    return parts[0].new_zeros(()).expand(sum(len(part) for part in parts), *shape)
