"""Models that an evaluation asks, as the command line names them: who embeds, who scores pairs, who judges."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from recaption.core.errors import UserError
from recaption.core.protocols import Embedder, Generator, Scorer
from recaption.core.registry import known_names
from recaption.recipes.backends import BackendKind, BackendValue, backend
from recaption.recipes.recipe import Recipe

__all__ = ["Judges", "Models", "built"]

_LABEL: Final = re.compile(r"[^A-Za-z0-9_-]+")
_PREFERENCE: Final = "preference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judges:
    """Models as the command line names them."""

    scorers: Sequence[str] = ()
    """Image-text scorers; the first encoder gives the figures without a label. Empty: those of the run's recipe."""
    language_model: str | None = None
    judge: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The same, built. What is heavy is loaded when one is first asked."""

    image_text: Mapping[str, Scorer] = field(default_factory=dict)
    """By label, those that embed images and texts."""
    pairs: Mapping[str, Scorer] = field(default_factory=dict)
    """By label, those that only score a text about an image."""
    language_model: Scorer | None = None
    judge: Generator | None = None

    def all(self) -> list[object]:
        """Return every model."""
        return [*self.image_text.values(), *self.pairs.values(), self.language_model, self.judge]


def built(judges: Judges, recipe: Recipe | None) -> Models:
    """Return the models named; without scorers those of the recipe that embed.

    Raises:
        UserError: A name means nothing, or a scorer that sees no images.
    """
    image_text, pairs = _scorers(judges.scorers) if judges.scorers else (_of_recipe(recipe), {})
    language_model = _built("scorers", judges.language_model, "perplexity", "--language-model")
    return Models(
        image_text=image_text,
        pairs=pairs,
        language_model=cast("Scorer | None", language_model),
        judge=cast("Generator | None", _built("generators", judges.judge, None, "--judge")),
    )


def _scorers(named: Sequence[str]) -> tuple[dict[str, Scorer], dict[str, Scorer]]:
    image_text: dict[str, Scorer] = {}
    pairs: dict[str, Scorer] = {}
    for name in named:
        label, value = _labelled(name)
        if label in image_text or label in pairs:
            raise UserError(f"--scorer {name}: two scorers have the label {label!r}.")
        scorer = cast(Scorer, backend("scorers", value, "--scorer").build())
        if isinstance(scorer, Embedder):
            image_text[label] = scorer
        elif scorer.sees_images:
            pairs[label] = scorer
        else:
            raise UserError(
                f"--scorer {name}: it sees no images, and embeds no images and texts. CLIP, SigLIP and their kin do; "
                "a language model is named with --language-model."
            )
    return image_text, pairs


def _labelled(name: str) -> tuple[str, BackendValue]:
    """Return what figures call a scorer, and how a recipe would name it."""
    kind, equals, file = name.partition("=")
    if kind == _PREFERENCE:
        if not file:
            raise UserError(
                f"--scorer {name}: say where the learned file is: --scorer preference=OUT/audit/preference.json "
                "(`recaption audit learn` writes it)."
            )
        return _LABEL.sub("-", Path(file).stem).strip("-") or kind, {kind: {"file": file}}
    return _LABEL.sub("-", Path(file if equals and file else name).name).strip("-") or "scorer", name


def _of_recipe(recipe: Recipe | None) -> dict[str, Scorer]:
    named = recipe.scorers if recipe else {}
    found = {
        label: backend("scorers", value, f"score.scorers.{label}").build() for label, value in named.items()
    }
    return {label: scorer for label, scorer in found.items() if isinstance(scorer, Embedder)}


def _built(kind: BackendKind, name: str | None, default: str | None, option: str) -> Any:
    """Return the model that a word of the command line means; `default` takes a model's name that stands alone."""
    if name is None:
        return None
    bare = default is not None and "=" not in name and name not in known_names(kind)
    return backend(kind, {default: {"model": name}} if bare and default else name, option).build()
