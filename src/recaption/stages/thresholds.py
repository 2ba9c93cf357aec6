"""Thresholds on scores. Each belongs to the model it was set for: no two encoders share a scale."""

from collections.abc import Mapping

from pydantic import Field

from recaption.core.errors import UserError
from recaption.core.types import Caption, JsonValue
from recaption.recipes.strict import StrictModel

__all__ = ["Threshold", "Thresholds", "ruled_out", "scorer_of", "told"]


class Threshold(StrictModel):
    """A value, and what it holds for."""

    value: float | None = None
    """For every aspect that is not named below; none leaves those alone."""
    aspects: dict[str, float] = Field(default_factory=dict)
    """Aspect to its own value: short and long texts score differently."""
    scorer: str | None = None
    """Name of the scorer it was set for, or how that begins: `openai/clip-vit-base-patch32`, with or without what
    follows behind `@`. Scores by another one are refused."""

    def of(self, aspect: str) -> float | None:
        """Return the value for an aspect."""
        return self.aspects.get(aspect, self.value)


Thresholds = Mapping[str, "float | Threshold"]


def ruled_out(caption: Caption, least: Thresholds, most: Thresholds) -> str | None:
    """Return why a caption misses a threshold, or None. A score that is missing misses it.

    Raises:
        UserError: A threshold was set for another scorer than the one that gave the score.
    """
    for limits, sign, word in ((least, 1, "below"), (most, -1, "above")):
        for label, limit in limits.items():
            threshold = limit if isinstance(limit, Threshold) else Threshold(value=limit)
            value = threshold.of(caption.aspect)
            if value is None:
                continue
            score = caption.scores.get(label)
            if score is None or score.value is None:
                return f"no {label}: {score.reason if score else 'it was never scored'}"
            by = _checked(caption, label, threshold)
            if sign * score.value < sign * value:
                return f"{label} {score.value:.4g} is {word} {value:g}{by}"
    return None


def told(least: Thresholds, most: Thresholds, caption: Caption) -> dict[str, JsonValue]:
    """Return the thresholds a caption has met, each with the scorer it was measured by."""
    found: dict[str, JsonValue] = {}
    for name, limits in (("min", least), ("max", most)):
        for label, limit in limits.items():
            value = limit.of(caption.aspect) if isinstance(limit, Threshold) else limit
            if value is not None:
                found[f"{name} {label}"] = {"value": value, "scorer": scorer_of(caption, label)}
    return found


def scorer_of(caption: Caption, label: str) -> str | None:
    """Return the name of the scorer that gave a score; None where that was not said."""
    scorers = caption.provenance.details.get("scored_by")
    name = scorers.get(label) if isinstance(scorers, Mapping) else None
    return name if isinstance(name, str) else None


def _checked(caption: Caption, label: str, threshold: Threshold) -> str:
    by = scorer_of(caption, label)
    wanted = threshold.scorer
    if wanted is not None and by != wanted and not (by or "").startswith((f"{wanted}@", f"{wanted},")):
        raise UserError(
            f"select: the threshold of {label} was set for {wanted!r}, but the scores are by "
            f"{by or 'a scorer without a name'}. Set one for it: every model has its own scale."
        )
    return f" ({by})" if by else ""
