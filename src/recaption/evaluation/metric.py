"""The seam of metrics: what is expensive is extracted first, and scored by pure functions after.

A metric is one file in `evaluation/metrics` and one line in `core/builtins.py`; other packages add theirs through the
entry point group `recaption.metrics`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from recaption.core.errors import RecaptionError
from recaption.evaluation.measures import Result
from recaption.evaluation.subject import Subject
from recaption.evaluation.tools import Tools

__all__ = ["Metric", "Need", "Unavailable"]

Need = Literal[
    "images",
    "references",
    "labels",
    "candidates",
    "scorer",
    "image_text",
    "second_image_text",
    "language_model",
    "judge",
]
"""What a metric cannot do without: a scorer of texts about images of any kind (`scorer`), one that embeds both
(`image_text`), another such encoder, a causal language model, a generator that judges; and in the data images,
references, labels, several candidates."""


class Unavailable(RecaptionError):
    """This metric cannot run here; the message says why, and how to mend it. The evaluation goes on without it."""


class Metric(Protocol):
    """Built without arguments; has no state of its own."""

    @property
    def name(self) -> str:
        """Its registry name."""

    @property
    def needs(self) -> frozenset[Need]:
        """What it cannot do without."""

    def extract(self, subject: Subject, tools: Tools) -> Any:
        """Return facts: embeddings, log-probabilities, parsed words, replies. All calls go through the ledger.

        Raises:
            Unavailable: Something outside is missing (a program, a server).
            UserError: A model cannot be loaded.
            BackendError: A model or service is gone. What was paid for is remembered.
        """

    def score(self, subject: Subject, facts: Any) -> Sequence[Result]:
        """Return the figures. Pure: the same facts give the same figures, to the last digit."""
