"""The seam of metrics: what is expensive is extracted first, and scored by pure functions after.

A metric is one file in `evaluation/metrics` and one line in `core/builtins.py`; other packages add theirs through the
entry point group `recaption.metrics`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Protocol

from recaption.evaluation.measures import Result
from recaption.evaluation.subject import Subject
from recaption.evaluation.tools import Tools

__all__ = ["Metric", "Need"]

Need = Literal[
    "images",
    "references",
    "labels",
    "candidates",
    "image_text",
    "second_image_text",
    "language_model",
    "judge",
]
"""What a metric cannot do without: a scorer that embeds images and texts (`image_text`), another such encoder, a
causal language model, a generator that judges; and in the data images, references, labels, several candidates."""


class Metric(Protocol):
    """Built without arguments; has no state of its own."""

    name: ClassVar[str]
    needs: ClassVar[frozenset[Need]]

    def extract(self, subject: Subject, tools: Tools) -> Any:
        """Return facts: embeddings, log-probabilities, parsed words, replies. All calls go through the ledger.

        Raises:
            UserError: A model cannot be loaded.
            BackendError: A model or service is gone. What was paid for is remembered.
        """

    def score(self, subject: Subject, facts: Any) -> Sequence[Result]:
        """Return the figures. Pure: the same facts give the same figures, to the last digit."""
