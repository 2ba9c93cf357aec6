"""Image processors on Pillow: they need no torchvision, and give the same pixels whatever else is installed."""

from __future__ import annotations

from typing import Any

import transformers

from recaption.models.hf.identity import ModelFiles

__all__ = ["pillow_processor"]


def pillow_processor(files: ModelFiles) -> Any | None:
    """Return the processor that a model's files name, in its form on Pillow; None where there is no such form.

    The automatic class could find it too, but up to release 5.17 that one wants torchvision for whatever it is asked.
    """
    config, _ = transformers.ImageProcessingMixin.get_image_processor_dict(files.folder, local_files_only=True)
    name = str(config.get("image_processor_type", "")).removesuffix("Fast").removesuffix("Pil")
    kind: Any = getattr(transformers, f"{name}Pil", None)
    return None if kind is None else kind.from_pretrained(files.folder, local_files_only=True)
