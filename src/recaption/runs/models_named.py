"""Models, prices and budgets said in short, put where a recipe takes them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recaption.core.errors import UserError
from recaption.datasets.meter import Budget
from recaption.recipes.backends import Backend, BackendValue, backend
from recaption.recipes.recipe import Recipe, builtin_recipes, load_recipe

__all__ = ["budget_of", "captioner_of", "caveat_of", "recipe_with"]


def recipe_with(
    name: str,
    settings: Mapping[str, object],
    *,
    captioner: str | None = None,
    scorer: str | None = None,
    experts: Sequence[str] = (),
    prices: Mapping[str, float] | None = None,
) -> Recipe:
    """Load a recipe with these models in it. What `settings` say by dotted path counts before them.

    Args:
        captioner: Who writes, as `recaption.recipes.backends` reads it.
        scorer: Who gives the score `image_text`.
        experts: `NAME` or `NAME=MODEL`, asked beside those of the recipe.
        prices: `input_per_million` and `output_per_million` of the captioner.

    Raises:
        UserError: The recipe has no stage that would take a model, or its captioner takes no prices.
    """
    overrides: dict[str, object] = {}
    for entry in experts:
        expert, _, model = entry.partition("=")
        overrides[f"gather.experts.{expert}"] = {"model": str(Path(model).absolute())} if model else {}
    if captioner is not None:
        _require_stage(name, "caption", "--captioner")
        overrides["caption.captioner"] = _from_anywhere(captioner)
    if scorer is not None:
        _require_stage(name, "score", "--scorer")
        overrides["score.scorers.image_text"] = _from_anywhere(scorer)
    overrides |= settings
    recipe = load_recipe(name, overrides)
    if not prices:
        return recipe
    return load_recipe(name, {**overrides, "caption.captioner": _priced(recipe, prices)})


def captioner_of(recipe: Recipe) -> Backend | None:
    """Return the model that a recipe lets write; None if there is none."""
    for spec in recipe.stages:
        if spec.captioner is not None:
            return backend("generators", spec.captioner, f"{spec.name}.captioner")
    return None


def caveat_of(recipe: Recipe) -> str | None:
    """Return what to know before models that ship with the package judge or write; None if the recipe uses others."""
    named = {
        "--captioner": [spec.captioner for spec in recipe.stages],
        "--scorer": recipe.scorers.values(),
    }
    used = [option for option, values in named.items() if any(map(_is_embedded, values))]
    if not used:
        return None
    return (
        "the embedded models know the demo's drawn scenes only and are wrong about other pictures; "
        f"name yours: {', '.join(used)}"
    )


def _is_embedded(named: BackendValue | None) -> bool:
    return named == "embedded" or (isinstance(named, Mapping) and "embedded" in named)


def budget_of(recipe: Recipe, requests: int | None, tokens: int | None, cost: float | None) -> Budget:
    """Return a budget for a recipe's calls.

    Raises:
        UserError: The recipe pays nobody, or a cost is limited and no price is known.
    """
    budget = Budget(requests=requests, tokens=tokens, cost=cost)
    if budget.unlimited:
        return budget
    captioner = captioner_of(recipe)
    if captioner is None:
        raise UserError(
            f"a budget limits a captioner's calls, and the recipe {recipe.name!r} has no captioner."
        )
    price = getattr(captioner.params, "price", None)
    if cost is not None and not (price and (price.input_per_million or price.output_per_million)):
        raise UserError(
            "--max-cost: no price is known, so nothing would ever stop. Give --price-in and --price-out."
        )
    return budget


def _priced(recipe: Recipe, prices: Mapping[str, float]) -> dict[str, Any]:
    captioner = captioner_of(recipe)
    if captioner is None or "price" not in type(captioner.params).model_fields:
        raise UserError(
            "--price-in, --price-out: prices belong to a captioner behind an address: --captioner http://HOST/v1#MODEL"
        )
    said = captioner.params.model_dump(mode="json", exclude_unset=True)
    return {captioner.name: {**said, "price": {**said.get("price", {}), **prices}}}


def _from_anywhere(model: str) -> str:
    """Return a model's name; a folder so that it still holds from elsewhere."""
    name, equals, folder = model.partition("=")
    if equals and Path(folder).is_dir():
        return f"{name}={Path(folder).absolute()}"
    return str(Path(model).absolute()) if "/" in model and Path(model).is_dir() else model


def _require_stage(recipe: str, stage: str, option: str) -> None:
    """Raise UserError if a recipe has no such stage, naming those that have."""
    if any(spec.name == stage for spec in load_recipe(recipe).stages):
        return
    having = [n for n in builtin_recipes() if any(spec.name == stage for spec in load_recipe(n).stages)]
    raise UserError(
        f"{option}: the recipe {recipe!r} has no stage `{stage}`. "
        f"Recipes that have one: {', '.join(having) or 'none'}."
    )
