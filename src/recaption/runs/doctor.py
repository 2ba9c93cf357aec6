"""What is installed, what each part needs, and how to get it."""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from recaption.core.builtins import BUILTINS
from recaption.core.errors import MissingExtraError, UserError
from recaption.core.registry import known_names, resolve
from recaption.models.embedded import EMBEDDED, folder
from recaption.models.hf.identity import find_model
from recaption.recipes.backends import backend
from recaption.recipes.recipe import Recipe, builtin_recipes, load_recipe

__all__ = [
    "Finding",
    "Library",
    "Model",
    "check_hardware",
    "check_libraries",
    "check_models",
    "check_parts",
    "models_loaded",
]

_log = logging.getLogger(__name__)

LIBRARIES = (
    ("numpy", "core", "arrays"),
    ("pillow", "core", "image decoding"),
    ("pyarrow", "core", "parquet"),
    ("ftfy", "core", "mojibake"),
    ("instant-clip-tokenizer", "core", "CLIP token budgets"),
    ("rapidocr", "ocr", "reading words in pictures"),
    ("onnxruntime", "detect", "detectors and OCR"),
    ("datasets", "hf-data", "Hugging Face datasets"),
    ("tokenizers", "hf", "T5 and SigLIP token budgets"),
    ("torch", "hf", "captioners and scorers on this machine"),
    ("transformers", "hf", "captioners and scorers on this machine"),
    ("safetensors", "hf", "weights of models"),
    ("sentencepiece", "hf", "tokenizers of some models"),
    ("num2words", "hf", "the processor of SmolVLM"),
    ("accelerate", "hf", "models spread over devices"),
    ("aiohttp", "openai", "captioners behind an address"),
    ("sqlalchemy", "audit", "what people say in an audit"),
    ("fastapi", "audit", "the page of an audit"),
    ("jinja2", "audit", "the page of an audit"),
    ("uvicorn", "audit", "the page of an audit"),
    ("psycopg", "postgres", "audits in PostgreSQL"),
    ("lingua-language-detector", "langid", "telling Latin-script languages apart"),
)


@dataclass(frozen=True, slots=True)
class Library:
    """One library: its version, or None where it is not installed, and how to get it."""

    name: str
    version: str | None
    extra: str
    serves: str

    @property
    def install(self) -> str:
        """The command that installs it."""
        return "pip install recaption" if self.extra == "core" else f"pip install 'recaption[{self.extra}]'"


@dataclass(frozen=True, slots=True)
class Model:
    """A model that this package could use: what it is, or how to get it where it is not here."""

    name: str
    state: str
    """`embedded` or the architecture, the size of its weights, the revision."""
    serves: str
    """Built-in recipes that name it."""
    install: str = ""
    """How to get it; empty where it is here."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A registered part that cannot be loaded, and why."""

    kind: str
    name: str
    problem: str


def check_libraries() -> list[Library]:
    """Return every library this package can use, installed or not."""
    found = []
    for name, extra, serves in LIBRARIES:
        try:
            found.append(Library(name, version(name), extra, serves))
        except PackageNotFoundError:
            found.append(Library(name, None, extra, serves))
    return found


def check_parts() -> list[Finding]:
    """Load every registered part, plugins included, and return those that fail or whose name has two owners."""
    findings = []
    for kind in BUILTINS:
        for name in known_names(kind):
            try:
                resolve(kind, name)
            except Exception as error:
                findings.append(Finding(kind, name, " ".join(str(error).split())))
    return findings


def check_models() -> list[Model]:
    """Return the embedded models, those in the Hugging Face cache, and those that built-in recipes name."""
    wanted: dict[str, list[str]] = {}
    for recipe in builtin_recipes():
        for name in models_loaded(load_recipe(recipe)):
            wanted.setdefault(name, []).append(recipe)
    found = [_embedded(name) for name in EMBEDDED]
    names = sorted({*_cached_repositories(), *wanted})
    return found + [_model(name, ", ".join(wanted.get(name, []))) for name in names]


def models_loaded(recipe: Recipe) -> list[str]:
    """Return the repositories and folders that a recipe loads models from, each once."""
    names: dict[str, None] = {}
    for spec in recipe.stages:
        called = [backend("scorers", value, spec.name) for value in spec.scorers.values()]
        if spec.captioner is not None:
            called.insert(0, backend("generators", spec.captioner, spec.name))
        for named in called:
            model = getattr(named.params, "model", None)
            if isinstance(model, str) and named.name != "openai":
                names[model] = None
    return list(names)


def check_hardware() -> str:
    """Say where models run on this machine, and in which number format."""
    try:
        from recaption.models.hf.precision import placed
    except ImportError:
        return "models on this machine need the extra `hf`"
    place = placed()
    slow = place.device == "cpu" and place.dtype_name == "float32"
    return f"models run on {place.device} in {place.dtype_name}" + (
        "; this processor does not multiply bfloat16" if slow else ""
    )


def _embedded(name: str) -> Model:
    serves = f"`{'--captioner' if name == 'captioner' else '--scorer'} embedded`"
    try:
        weights = folder(name) / "model.safetensors"
    except UserError as error:
        return Model(f"embedded {name}", "not here", serves, str(error))
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    return Model(f"embedded {name}", f"{_size(weights.stat().st_size)}, sha256 {digest[:12]}", serves)


def _model(name: str, serves: str) -> Model:
    try:
        here = find_model(name)
    except MissingExtraError as error:
        return Model(name, "unknown", serves, str(error))
    except UserError:
        return Model(name, "not here", serves, f"hf download {name}")
    weights = [path.stat().st_size for path in here.folder.glob("*.safetensors")]
    if not weights:
        return Model(name, f"{here.model_type}, no weights as safetensors", serves, f"hf download {name}")
    return Model(name, f"{here.model_type}, {_size(sum(weights))}, {here.digest[:8]}", serves)


def _cached_repositories() -> Iterator[str]:
    """Yield the names of the models in the Hugging Face cache, none where there is no cache or no library for it."""
    try:
        from huggingface_hub import scan_cache_dir
        from huggingface_hub.errors import CacheNotFound
    except ImportError:
        return
    try:
        repositories = scan_cache_dir().repos
    except (CacheNotFound, OSError) as error:
        _log.info("the Hugging Face cache cannot be read: %s", error)
        return
    yield from (repository.repo_id for repository in repositories if repository.repo_type == "model")


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
