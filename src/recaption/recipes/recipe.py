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
from typing import Any, Literal, cast

import yaml
from pydantic import BaseModel, Field

from recaption.core.digests import digest_json
from recaption.core.errors import RecipeError, UnknownNameError, did_you_mean
from recaption.core.protocols import Stage
from recaption.core.registry import locate, resolve
from recaption.recipes.backends import BackendValue
from recaption.recipes.strict import StrictModel, validated

__all__ = ["ImageFormat", "ImagePolicy", "Recipe", "StageSpec", "builtin_recipes", "load_recipe"]

MAX_RECIPE_BYTES = 1 << 20

ImageFormat = Literal[
    "AVIF", "BMP", "DDS", "GIF", "ICNS", "ICO", "JPEG", "JPEG2000", "PNG", "PSD", "QOI", "TIFF", "WEBP"
]
"""Pillow's names of the formats that are known by their first bytes and can be decoded."""


class ImagePolicy(StrictModel):
    """What counts as an image, and how large it is decoded."""

    formats: tuple[ImageFormat, ...] = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
    """Formats that may reach a decoder."""
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

    @property
    def captioner(self) -> BackendValue | None:
        """Who writes here; None if nobody does."""
        return cast("BackendValue | None", getattr(self.params, "captioner", None))

    @property
    def scorers(self) -> Mapping[str, BackendValue]:
        """Label to model of all that judge here."""
        return cast("Mapping[str, BackendValue]", getattr(self.params, "scorers", {}))

    @property
    def experts(self) -> Mapping[str, Mapping[str, Any]]:
        """Name to parameters of all that look at the images here."""
        return cast("Mapping[str, Mapping[str, Any]]", getattr(self.params, "experts", {}))

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

    @property
    def scorers(self) -> dict[str, BackendValue]:
        """Label to model of all that judge captions."""
        return {label: value for spec in self.stages for label, value in spec.scorers.items()}

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
    for name in _builtin_names():
        data = _parse(_builtin_text(name), f"{name}.yaml")
        found[name] = str(data.get("description", ""))
    return found


def load_recipe(name_or_path: str, overrides: Mapping[str, object] | None = None) -> Recipe:
    """Load a built-in recipe by name or a recipe file by path, and resolve it.

    What ends in `.yaml` or `.yml` or holds a `/` is a path, anything else a name. A path that a recipe extends is
    relative to that recipe's folder.

    Args:
        overrides: Dotted path to value, applied last: `{"fit.budget": "longclip248"}`.

    Raises:
        RecipeError: The file is not YAML, holds unknown keys or bad values, or names unknown stages.
        UnknownNameError: There is no built-in recipe of that name.
    """
    return _resolve(_layers(name_or_path), name_or_path, overrides or {})


def _builtin_names() -> list[str]:
    files = [entry.name for entry in resources.files("recaption.recipes").joinpath("builtin").iterdir()]
    return sorted(name.removesuffix(".yaml") for name in files if name.endswith(".yaml"))


def _builtin_text(name: str) -> str:
    return resources.files("recaption.recipes").joinpath(f"builtin/{name}.yaml").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class _Source:
    """A recipe as it was found: how to call it, what tells it from others, and where its neighbours stand."""

    where: str
    identity: str
    folder: Path
    text: str


def _read(name: str, folder: Path) -> _Source:
    if "/" in name or name.endswith((".yaml", ".yml")):
        return _read_file(folder / name)
    known = _builtin_names()
    if name not in known:
        raise UnknownNameError("recipe", name if len(name) <= 100 else f"{name[:100]}…", known)
    return _Source(f"{name}.yaml", name, folder, _builtin_text(name))


def _read_file(path: Path) -> _Source:
    shown = str(path) if len(str(path)) <= 300 else f"{str(path)[:300]}…"
    try:
        if not path.is_file():
            raise RecipeError(f"no recipe file at {shown}. Built in: {', '.join(_builtin_names())}.")
        with path.open("rb") as file:
            data = file.read(MAX_RECIPE_BYTES + 1)
        identity = str(path.resolve())
    except OSError as error:
        raise RecipeError(f"{shown}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_RECIPE_BYTES:
        raise RecipeError(f"{shown}: larger than {MAX_RECIPE_BYTES} bytes; that is not a recipe.")
    try:
        return _Source(str(path), identity, path.parent, data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RecipeError(f"{shown}: not UTF-8 at byte {error.start}; save it as UTF-8.") from error


class _RecipeLoader(yaml.SafeLoader):
    """Plain YAML without aliases, a few lines of which can stand for gigabytes, and without keys said twice."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not allowed in a recipe")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [key for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
        seen: set[str] = set()
        for key in keys:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                problem = f"the key {key.value!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        data = yaml.load(text, Loader=_RecipeLoader)  # noqa: S506, TID251 - a SafeLoader
    except Exception as error:  # on bad scalars, as `!!int ''`, PyYAML raises anything
        raise RecipeError(f"{where}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise RecipeError(f"{where}: a recipe is a mapping with `stages`, not {type(data).__name__}.")
    return data


def _layers(name_or_path: str) -> list[tuple[str, _RecipeFile]]:
    """Return the recipe and all it extends, the base first."""
    layers: list[tuple[str, _RecipeFile]] = []
    seen: dict[str, str] = {}
    current: str | None = name_or_path
    folder = Path()
    while current is not None:
        source = _read(current, folder)
        if source.identity in seen:
            raise RecipeError(f"recipes extend each other in a circle: {' → '.join([*seen.values(), current])}")
        seen[source.identity] = current
        file = validated(_RecipeFile, _parse(source.text, source.where), source.where)
        if file.extends is None and not file.stages:
            raise RecipeError(
                f"{source.where}: has neither `stages` nor `extends`; a recipe needs one of them."
            )
        layers.insert(0, (source.where, file))
        current, folder = file.extends, source.folder
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
    place = f"{where} {path!r}"
    if head != "images" and head not in names:
        raise RecipeError(f"{place}: expected STAGE.PARAMETER.{did_you_mean(head, [*names, 'images'])}")
    if names.count(head) > 1:
        raise RecipeError(
            f"{place}: ambiguous, there are {names.count(head)} stages called {head!r}. "
            "Give the value in `stages`, in a recipe file."
        )
    target = images if head == "images" else next(p for n, p in steps if n == head)
    model = ImagePolicy if head == "images" else _stage_class(head, place).Params
    if not rest:
        takes = ", ".join(sorted(model.model_fields))
        raise RecipeError(f"{place}: expected STAGE.PARAMETER=VALUE; {head} takes: {takes}.")
    if len(rest) > 1 and rest[0] not in target:
        target[rest[0]] = _default(model, rest[0])
    for part in rest[:-1]:
        nested = target.setdefault(part, {})
        if not isinstance(nested, dict):
            raise RecipeError(f"{place}: {part!r} is a value, nothing can be set inside it.")
        target = nested
    target[rest[-1]] = copy.deepcopy(value)


def _default(model: type[BaseModel], name: str) -> object:
    """Return a copy of a parameter's default, to be changed in part; a mapping where there is none."""
    field = model.model_fields.get(name)
    default = None if field is None or field.is_required() else field.get_default(call_default_factory=True)
    if isinstance(default, BaseModel):
        return default.model_dump()
    return {} if default is None else copy.deepcopy(default)


def _spec(name: str, params: Mapping[str, Any], where: str) -> StageSpec:
    stage = _stage_class(name, where)
    return StageSpec(name, stage.version, validated(stage.Params, params, f"{where}.{name}"))


def _stage_class(name: str, where: str) -> Any:
    """Return the class of a stage, sure to have a `version` and `Params`."""
    try:
        stage = cast("Any", resolve("stages", name))
    except UnknownNameError as error:
        raise RecipeError(f"{where}: {error}") from error
    params = getattr(stage, "Params", None)
    whole = {
        "version": isinstance(getattr(stage, "version", None), str),
        "Params": isinstance(params, type) and issubclass(params, BaseModel),
    }
    for attribute, present in whole.items():
        if not present:
            raise RecipeError(
                f"{where}: stage {name!r} ({locate('stages', name)}) has no usable `{attribute}`; "
                "see the documentation on writing a stage."
            )
    return stage
