"""Recipes: what is done to a dataset, as validated data.

A recipe file names its stages in order, each with its parameters. `extends` starts from another recipe and
`set` changes single values by dotted path (`fit.budget: longclip248`). The resolved recipe has every default
filled in; its digest names the work and stands in every shard marker.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import BaseModel, Field

from recaption.core.digests import digest_json
from recaption.core.errors import RecipeError, UnknownNameError, did_you_mean
from recaption.core.protocols import Stage
from recaption.core.registry import resolve
from recaption.recipes.strict import StrictModel, validated

__all__ = ["ImagePolicy", "Recipe", "StageSpec", "builtin_recipes", "load_recipe"]

MAX_RECIPE_BYTES = 1 << 20


class ImagePolicy(StrictModel):
    """What counts as an image, and how large it is decoded."""

    formats: tuple[str, ...] = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
    """Formats that may reach a decoder, in Pillow's names."""
    max_bytes: int = Field(default=64 << 20, gt=0)
    max_pixels: int = Field(default=64_000_000, gt=0)
    """Width × height, read from the header before anything is decoded."""
    max_side_px: int | None = Field(default=1024, gt=0)
    """Longest side after decoding; none keeps every pixel."""


class _RecipeFile(StrictModel):
    name: str | None = None
    description: str = ""
    extends: str | None = None
    images: ImagePolicy = ImagePolicy()
    stages: list[str | dict[str, dict[str, Any] | None]] = Field(default_factory=list)
    set: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StageSpec:
    """One step: its registry name and all of its parameters."""

    name: str
    version: str
    params: BaseModel

    def build(self) -> Stage:
        """Return a new stage made from the parameters."""
        factory = cast("Any", resolve("stages", self.name))
        return cast("Stage", factory(self.params))


@dataclass(frozen=True, slots=True)
class Recipe:
    """A resolved recipe."""

    name: str
    description: str
    images: ImagePolicy
    stages: tuple[StageSpec, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return everything that decides the output, as plain data; reading it back gives the same recipe."""
        return {
            "name": self.name,
            "description": self.description,
            "images": self.images.model_dump(mode="json"),
            "stages": [{s.name: s.params.model_dump(mode="json")} for s in self.stages],
        }

    @property
    def digest(self) -> str:
        """Sha256 of what is done; name and description do not count, stage versions do."""
        stages = [[s.name, s.version, s.params.model_dump(mode="json")] for s in self.stages]
        return digest_json([self.images.model_dump(mode="json"), stages])

    def to_yaml(self) -> str:
        """Return the resolved recipe as YAML."""
        return yaml.safe_dump(self.as_dict(), sort_keys=False, allow_unicode=True, width=100)


def builtin_recipes() -> dict[str, str]:
    """Return name to description of every recipe that ships with the package."""
    found = {}
    for entry in sorted(_builtin_folder().iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".yaml"):
            data = _parse(entry.read_text(encoding="utf-8"), entry.name)
            found[entry.name.removesuffix(".yaml")] = str(data.get("description", ""))
    return found


def load_recipe(name_or_path: str, overrides: Mapping[str, object] | None = None) -> Recipe:
    """Load a built-in recipe by name or a recipe file by path, and resolve it.

    Args:
        overrides: Dotted path to value, applied last: `{"fit.budget": "longclip248"}`.

    Raises:
        RecipeError: The file is not YAML, holds unknown keys or bad values, or names unknown stages.
    """
    return _resolve(_layers(name_or_path), name_or_path, overrides or {})


def _builtin_folder() -> Any:
    return resources.files("recaption.recipes") / "builtin"


def _read(name_or_path: str) -> tuple[str, str]:
    """Return where a recipe stands and its text."""
    path = Path(name_or_path)
    if path.suffix in {".yaml", ".yml"} or path.is_file():
        if not path.is_file():
            raise RecipeError(f"no recipe file at {name_or_path}. Built in: {', '.join(builtin_recipes())}.")
        if path.stat().st_size > MAX_RECIPE_BYTES:
            raise RecipeError(f"{path}: larger than {MAX_RECIPE_BYTES} bytes; that is not a recipe.")
        return str(path), path.read_text(encoding="utf-8")
    entry = _builtin_folder() / f"{name_or_path}.yaml"
    if not entry.is_file():
        raise UnknownNameError("recipe", name_or_path, builtin_recipes())
    return f"{name_or_path}.yaml", entry.read_text(encoding="utf-8")


class _NoAliasLoader(yaml.SafeLoader):
    """Plain YAML without aliases: a few lines of them can stand for gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not allowed in a recipe")
        return super().compose_node(parent, index)


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        data = yaml.load(text, Loader=_NoAliasLoader)  # noqa: S506, TID251 - a SafeLoader
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise RecipeError(f"{where}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise RecipeError(f"{where}: a recipe is a mapping with `stages`, not {type(data).__name__}.")
    return data


def _layers(name_or_path: str) -> list[tuple[str, _RecipeFile]]:
    """Return the recipe and all it extends, the base first."""
    layers: list[tuple[str, _RecipeFile]] = []
    seen: list[str] = []
    current: str | None = name_or_path
    while current is not None:
        if current in seen:
            raise RecipeError(f"recipes extend each other in a circle: {' → '.join([*seen, current])}")
        seen.append(current)
        where, text = _read(current)
        file = validated(_RecipeFile, _parse(text, where), where)
        if file.extends is None and not file.stages:
            raise RecipeError(f"{where}: has neither `stages` nor `extends`; a recipe needs one of them.")
        layers.insert(0, (where, file))
        current = file.extends
    return layers


def _resolve(
    layers: Sequence[tuple[str, _RecipeFile]], requested: str, overrides: Mapping[str, object]
) -> Recipe:
    steps: list[tuple[str, dict[str, Any]]] = []
    images: dict[str, Any] = {}
    for where, file in layers:
        if file.stages:
            steps = [_step(entry, f"{where}: stages[{i}]") for i, entry in enumerate(file.stages)]
        if "images" in file.model_fields_set:
            images.update(file.images.model_dump(exclude_unset=True))
        for path, value in file.set.items():
            _put(steps, images, path, value, f"{where}: set")
    for path, value in overrides.items():
        _put(steps, images, path, value, "--set")
    where, last = layers[-1]
    return Recipe(
        name=last.name or Path(requested).stem,
        description=last.description,
        images=validated(ImagePolicy, images, f"{where}: images"),
        stages=tuple(_spec(name, params, f"{where}: stages[{i}]") for i, (name, params) in enumerate(steps)),
    )


def _step(entry: str | dict[str, dict[str, Any] | None], where: str) -> tuple[str, dict[str, Any]]:
    if isinstance(entry, str):
        return entry, {}
    if len(entry) != 1:
        raise RecipeError(
            f"{where}: one stage per list item, found {sorted(entry)}. Begin each with `- name:`."
        )
    ((name, params),) = entry.items()
    return name, copy.deepcopy(params or {})


def _put(
    steps: list[tuple[str, dict[str, Any]]], images: dict[str, Any], path: str, value: object, where: str
) -> None:
    """Set one value by dotted path; the first part names the stage, or `images`."""
    head, *rest = path.split(".")
    names = [name for name, _ in steps]
    if not rest or (head != "images" and head not in names):
        hint = did_you_mean(head, [*names, "images"])
        raise RecipeError(f"{where} {path!r}: expected STAGE.PARAMETER.{hint}")
    target = images if head == "images" else next(p for n, p in steps if n == head)
    for part in rest[:-1]:
        nested = target.setdefault(part, {})
        if not isinstance(nested, dict):
            raise RecipeError(f"{where} {path!r}: {part!r} is a value, nothing can be set inside it.")
        target = nested
    target[rest[-1]] = value


def _spec(name: str, params: Mapping[str, Any], where: str) -> StageSpec:
    try:
        stage = cast("Any", resolve("stages", name))
    except UnknownNameError as error:
        raise RecipeError(f"{where}: {error}") from error
    return StageSpec(name, stage.version, validated(stage.Params, params, f"{where}.{name}"))
