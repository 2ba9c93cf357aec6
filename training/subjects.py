"""The two trained models as evaluation uses them: pictures in, captions or similarities out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from transformers import AutoImageProcessor, AutoTokenizer

from recaption.demo.captions import Aspect

BATCH = 64
"""Pictures at a time."""


@dataclass
class Captioner:
    """The captioner with its tokenizer."""

    model: Any
    tokenizer: Any
    pixels: Tensor

    def write(self, aspect: Aspect, samples: int = 1, temperature: float = 0.0) -> list[list[str]]:
        """Return `samples` captions of every picture; the likeliest words at temperature 0."""
        prompt = self.tokenizer.convert_tokens_to_ids([self.tokenizer.bos_token, f"<{aspect}>"])
        how = (
            {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
        )
        found: list[str] = []
        for batch in self.pixels.split(BATCH):
            start = torch.tensor([prompt] * len(batch), device=batch.device)
            ids = self.model.generate(
                pixel_values=batch, decoder_input_ids=start, num_return_sequences=samples, **how
            )
            found += self.tokenizer.batch_decode(ids, skip_special_tokens=True)
        return [found[i : i + samples] for i in range(0, len(found), samples)]


@dataclass
class DualEncoder:
    """The dual encoder with its tokenizer and the embeddings of the pictures."""

    model: Any
    tokenizer: Any
    images: Tensor

    def embed(self, texts: Sequence[str]) -> Tensor:
        """Return (texts, size), of unit length."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        rows: list[Tensor] = []
        for start in range(0, len(order), 256):
            some = [texts[i] for i in order[start : start + 256]]
            given = self.tokenizer(some, padding=True, truncation=True, return_tensors="pt").to(
                self.images.device
            )
            rows.append(self.model.get_text_features(**given).pooler_output)
        back = torch.empty(len(order), dtype=torch.long)
        back[torch.tensor(order)] = torch.arange(len(order))
        return torch.nn.functional.normalize(torch.cat(rows)[back.to(self.images.device)], dim=-1)

    def score(self, texts: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """Return the similarity of every picture with its own texts, (pictures, texts each)."""
        flat = self.embed([t for row in texts for t in row]).view(len(texts), len(texts[0]), -1)
        return torch.einsum("bnd,bd->bn", flat, self.images).double().cpu().numpy()


def load(path: Path, kind: Any, pictures: list[Image.Image], device: torch.device) -> tuple[Any, Any, Tensor]:
    """Return a model, its tokenizer and the pictures as it wants them."""
    model = kind.from_pretrained(path).eval().to(device)
    pixels = AutoImageProcessor.from_pretrained(path)(images=pictures, return_tensors="pt").pixel_values
    return model, AutoTokenizer.from_pretrained(path), pixels.to(device)
