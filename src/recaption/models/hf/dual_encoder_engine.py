"""A dual encoder at work: images and texts to unit vectors whose inner product is their cosine."""

from __future__ import annotations

import inspect
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel

from recaption.core.errors import BackendError, UserError
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

__all__ = ["DualEncoder", "Vector", "open_dual_encoder"]

Vector = NDArray[np.float32]
"""An embedding of length 1."""
Value = TypeVar("Value")

_REMEMBERED_IMAGES: Final = 4096
_REMEMBERED_TEXTS: Final = 16384
"""Embeddings kept, about 2 kB each."""
_TEXTS_AN_IMAGE: Final = 4
"""A row of text is that much less work than an image, so that many more go together."""


def open_dual_encoder(files: ModelFiles, placement: Placement, *, trust_remote_code: bool) -> DualEncoder:
    """Return the model; one for all who ask for the same. Raises UserError."""
    key = ("dual_encoder", files.digest, placement.device, placement.dtype_name, trust_remote_code)
    return shared(key, lambda: DualEncoder(files, placement, trust_remote_code=trust_remote_code))


class DualEncoder:
    """Embeds images and texts, each once as long as it is remembered. Safe in several threads.

    Images are resized outside the lock, so that one thread prepares while another computes. `image_rows` and
    `text_rows` count what went through the model.
    """

    def __init__(self, files: ModelFiles, placement: Placement, *, trust_remote_code: bool) -> None:
        trusted = {"trust_remote_code": trust_remote_code}
        # Loaded in float32 for its scale and bias, which half precision would bend by up to 0.4 %.
        self._model = load_model(AutoModel, files, Placement(placement.device, torch.float32), **trusted)
        if not (hasattr(self._model, "get_image_features") and hasattr(self._model, "get_text_features")):
            raise UserError(
                f"model {files.model}: {type(self._model).__name__} is no dual encoder (it gives no embeddings of "
                "images and texts). Image-text matching models go by the name `itm`."
            )
        self.scale, self.bias = _scale(self._model)
        self._model.to(placement.dtype)
        self._placement = placement
        self._prepared = Preparation(
            load_image_processor(files, **trusted), exact=placement.dtype is torch.float32
        )
        tokenizer = load_tokenizer(files, **trusted)
        limit = text_limit(files, tokenizer, self._model.config.text_config)
        takes = list(inspect.signature(self._model.get_text_features).parameters)
        self.encoding = TextEncoding(tokenizer, limit, files, takes=takes)
        self._lock = threading.Lock()
        self._images: _Remembered[Vector] = _Remembered(_REMEMBERED_IMAGES)
        self._texts: _Remembered[tuple[Vector, Tokens]] = _Remembered(_REMEMBERED_TEXTS)
        self.image_rows = self.text_rows = 0

    def known_image(self, key: str) -> Vector | None:
        """Return the embedding of an image if it is remembered."""
        return self._images.get(key)

    def images(self, arrays: Sequence[tuple[str, NDArray[np.uint8]]], batch_size: int) -> dict[str, Vector]:
        """Return embeddings by key, of uint8 RGB arrays of shape (height, width, 3), and remember them."""
        found: dict[str, Vector] = {}
        for start in range(0, len(arrays), batch_size):
            part = arrays[start : start + batch_size]
            inputs = self._prepared([array for _, array in part])
            vectors = halving(list(range(len(part))), partial(self._embed_images, inputs))
            for (key, _), vector in zip(part, vectors, strict=True):
                found[key] = self._images.put(key, vector)
        return found

    def texts(self, texts: Iterable[str], batch_size: int) -> dict[str, tuple[Vector, Tokens]]:
        """Return embedding and tokens of every distinct text, and remember them."""
        found: dict[str, tuple[Vector, Tokens]] = {}
        new: list[str] = []
        for text in dict.fromkeys(texts):
            known = self._texts.get(text)
            if known is None:
                new.append(text)
            else:
                found[text] = known
        read = list(zip(new, self.encoding.tokens(new), strict=True))
        read.sort(key=lambda item: len(item[1].ids))  # equal lengths together: the less is padded
        step = batch_size * _TEXTS_AN_IMAGE
        for start in range(0, len(read), step):
            part = read[start : start + step]
            vectors = halving([tokens for _, tokens in part], self._embed_texts)
            for (text, tokens), vector in zip(part, vectors, strict=True):
                found[text] = self._texts.put(text, (vector, tokens))
        return found

    def forget(self) -> None:
        """Drop what is remembered."""
        self._images.clear()
        self._texts.clear()

    def _embed_images(self, inputs: dict[str, torch.Tensor], rows: list[int]) -> list[Vector]:
        device, dtype = self._placement.device, self._placement.dtype
        part = {
            name: (values[rows].to(device, dtype) if values.is_floating_point() else values[rows].to(device))
            for name, values in inputs.items()
        }
        with self._lock, torch.inference_mode():
            self.image_rows += len(rows)
            return _unit(self._model.get_image_features(**part))

    def _embed_texts(self, batch: list[Tokens]) -> list[Vector]:
        inputs = self.encoding.packed(batch, self._placement.device)
        with self._lock, torch.inference_mode():
            self.text_rows += len(batch)
            return _unit(self._model.get_text_features(**inputs))


def _unit(output: Any) -> list[Vector]:
    """Return the rows of a model's output at length 1, as float32."""
    given = getattr(output, "pooler_output", output)
    if not isinstance(given, torch.Tensor) or given.dim() != 2:
        raise UserError(
            "this model is no dual encoder (it gives no one embedding of an image or a text). "
            "Image-text matching models go by the name `itm`."
        )
    features = given.float()
    lengths = features.norm(dim=-1, keepdim=True)
    if not bool(torch.isfinite(lengths).all()) or bool((lengths == 0).any()):
        raise BackendError(
            "the model gave an embedding that is not a number, or zero. Half precision may be too narrow for it: "
            "set dtype: float32."
        )
    return list((features / lengths).cpu().numpy())


def _scale(model: Any) -> tuple[float, float | None]:
    """Return what a cosine is multiplied by to give the model's logit, and what is added; None if nothing ever is."""
    if hasattr(model, "logit_scale"):
        bias = getattr(model, "logit_bias", None)
        return float(model.logit_scale.detach().exp()), None if bias is None else float(bias.detach())
    if hasattr(model, "temperature"):
        return 1 / float(model.temperature.detach()), None
    return 1.0, None


class _Remembered(Generic[Value]):
    """The last values by key; safe in several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[str, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Value | None:
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: str, value: Value) -> Value:
        with self._lock:
            self._values[key] = value
            while len(self._values) > self._most:
                self._values.popitem(last=False)
            return value

    def clear(self) -> None:
        with self._lock:
            self._values.clear()
