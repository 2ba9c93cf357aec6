"""What all scorers that run a model share: which model, where and how it runs, and nothing loaded before its time."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from recaption.core.errors import ImageError, MissingExtraError
from recaption.core.types import Score
from recaption.models.hf.identity import ModelFiles, find_model
from recaption.recipes.strict import StrictModel

if TYPE_CHECKING:
    from recaption.models.hf.precision import Placement

__all__ = [
    "DECIMALS",
    "EMPTY",
    "RunOptions",
    "ScoringModel",
    "ScoringParams",
    "with_libraries",
    "without_image",
]

DECIMALS: Final = 6
"""Digits a score is given with. In float32 the last may differ by one with the batch it came in."""
EMPTY: Final = Score(value=None, reason="the text is empty")


class RunOptions(StrictModel):
    """How a model is run."""

    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """`auto`: bfloat16 where the hardware multiplies it, else float32 (float16 on a GPU). Small models: float32."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`, `mps`."""
    batch_size: int = Field(default=16, ge=1)
    """Images (of a language model, texts) that go together. More gain nothing on a processor, much on a GPU."""


class ScoringParams(RunOptions):
    """Which model, and how it is run."""

    model: str = Field(min_length=1)
    """A folder, or a repository in the local Hugging Face cache: `openai/clip-vit-base-patch32`."""
    revision: str | None = None
    trust_remote_code: bool = False
    """Run code that comes with the model. A repository then needs its full commit as `revision`."""


class ScoringModel:
    """A model as a recipe names it: first its files are found, then its place, and it is opened last."""

    def __init__(self, params: ScoringParams) -> None:
        self.params = params

    @cached_property
    def files(self) -> ModelFiles:
        """Its files. Raises UserError if it is not on this machine."""
        params = self.params
        return find_model(params.model, params.revision, trust_remote_code=params.trust_remote_code)

    @cached_property
    def placement(self) -> Placement:
        """Where and in which format it runs. Raises UserError, MissingExtraError."""
        dtype = "float32" if self.params.dtype == "auto" and self.files.is_small else self.params.dtype

        def place() -> Placement:
            from recaption.models.hf.precision import placed

            return placed(self.params.device, dtype)

        placement: Placement = with_libraries(place)
        return placement

    def name(self, output: str) -> str:
        """Return model, revision, what is stated and in which precision."""
        return f"{self.files.name}, {output}, {self.placement.dtype_name}"

    @property
    def identity(self) -> list[str]:
        """What every answer depends on."""
        return [self.files.digest, self.placement.dtype_name]


def with_libraries(run: Callable[[], Any]) -> Any:
    """Return what `run` gives; raise MissingExtraError where it imports what is not installed."""
    try:
        return run()
    except ImportError as error:
        library = (error.name or "transformers").partition(".")[0]
        raise MissingExtraError("scoring captions by a model", library, "hf") from error


def without_image(error: ImageError) -> Score:
    """Return the score of a pair whose image cannot be had."""
    return Score(value=None, reason=f"image: {error}")
