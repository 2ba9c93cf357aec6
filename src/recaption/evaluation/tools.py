"""What metrics may use beside the texts: models, the ledger, and what other metrics have extracted already."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from recaption.core.protocols import Context, Generator, Images, Ledger, Meter, Scorer
from recaption.evaluation.options import Options
from recaption.evaluation.unreadable import Unreadable

__all__ = ["Tools"]

Made = TypeVar("Made")


@dataclass(frozen=True, kw_only=True)
class Tools:
    """One for an evaluation. Models load what is heavy at their first call, not before."""

    ledger: Ledger
    meter: Meter
    make_images: Callable[[], Images]
    """Gives the images of one batch a place to be read and decoded once; it goes with the batch."""
    image_text: Mapping[str, Scorer] = field(default_factory=dict)
    """Label to dual encoder. The first is the one whose figures carry no label."""
    pair_scorers: Mapping[str, Scorer] = field(default_factory=dict)
    """Label to a scorer that sees images and embeds nothing: it says how well a text fits its own image."""
    language_model: Scorer | None = None
    judge: Generator | None = None
    options: Options = field(default_factory=Options)
    unreadable: Unreadable = field(default_factory=Unreadable)
    """Items whose image could not be had, noted by whoever looked for it."""
    _made: dict[Hashable, Any] = field(default_factory=dict)

    def context(self) -> Context:
        """Return what a batch of questions is asked with."""
        return Context(images=self.make_images(), ledger=self.ledger, meter=self.meter, seed=self.options.seed)

    def once(self, name: Hashable, make: Callable[[], Made]) -> Made:
        """Return what `make` gives, made once for all metrics that ask by this name."""
        if name not in self._made:
            self._made[name] = make()
        return cast(Made, self._made[name])

    def suffix(self, label: str) -> str:
        """Return what the names of an encoder's figures end in: nothing for the first, `@label` for others."""
        return "" if label == next(iter(self.image_text)) else f"@{label}"
