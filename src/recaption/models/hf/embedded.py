"""The small captioner that comes with the package. It knows the rendered scenes of the demo and nothing else."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from recaption.models.embedded import folder
from recaption.models.hf.generator import TransformersGenerator
from recaption.recipes.strict import StrictModel

__all__ = ["EmbeddedGenerator"]


class EmbeddedGenerator(TransformersGenerator):
    """The same class on the package's own folder. It takes aspects as tokens, in prompt style `embedded`."""

    class Params(StrictModel):
        """How it runs."""

        dtype: Literal["float32", "bfloat16"] = "float32"
        device: str = "auto"
        batch_size: int = Field(default=64, ge=1)
        """Most texts that are drawn at once."""

    def __init__(self, params: Params) -> None:
        model = str(folder("captioner"))
        super().__init__(
            TransformersGenerator.Params(
                model=model, dtype=params.dtype, device=params.device, batch_size=params.batch_size
            )
        )
        self.name = f"embedded@{self._files.digest[:8]}"
