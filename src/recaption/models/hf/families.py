"""What sets one family of models apart from another, as data; known from `config.json` before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Literal

import yaml

from recaption.recipes.strict import StrictModel, validated

__all__ = ["Family", "family_of", "is_ours"]


class Family(StrictModel):
    """How models of one family are asked; `families.yaml` says what each value means."""

    style: str
    input: Literal["chat", "text", "prefix", "decoder"]
    text: str = "{prompt}"
    padding: Literal["left", "right", "equal"]
    vision: str
    blind: Literal["text", "blank"]
    resize: Literal["interpolate", "longest_edge", "pixels"] | None = None
    ends: Literal["settings", "sep"] = "settings"
    processor: Literal["auto", "parts"] = "auto"


def family_of(config: Mapping[str, Any]) -> Family:
    """Return the family of a model by its `config.json`; the default one if it is not known."""
    families = _families()
    kind = str(config.get("model_type", ""))
    encoder = config.get("encoder")
    inner = str(encoder.get("model_type", "")) if isinstance(encoder, Mapping) else ""
    return families.get(f"{kind}/{inner}") or families.get(kind) or families["default"]


def is_ours(config: Mapping[str, Any]) -> bool:
    """Return whether a model, or a part of it, is of a class that comes with this package."""
    parts = (config, *config.values())
    kinds = [str(part.get("model_type", "")) for part in parts if isinstance(part, Mapping)]
    return any(kind.startswith("recaption-") for kind in kinds)


@cache
def _families() -> dict[str, Family]:
    data = yaml.safe_load(resources.files(__package__).joinpath("families.yaml").read_text("utf-8"))
    return {name: validated(Family, values, f"families.yaml: {name}") for name, values in data.items()}
