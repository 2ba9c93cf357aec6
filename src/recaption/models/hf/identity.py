"""Which model this is: where its files are, what it is called, and a digest of what its answers depend on.

Needs neither torch nor the weights in memory, so that a run whose answers are all remembered loads nothing. Nothing
is downloaded: a model is a folder, or a repository that is in the local Hugging Face cache.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from recaption.core.digests import digest_json
from recaption.core.errors import MissingExtraError, UserError

__all__ = ["ModelFiles", "find_model", "require_safetensors"]

MAX_CONFIG_BYTES: Final = 8 << 20
MAX_INDEX_BYTES: Final = 64 << 20
_SMALL_BYTES: Final = 64 << 20
_IMPLEMENTATION: Final = "_implementation"
"""How settings end that say by which code a layer is computed: `attn_implementation`, for one."""
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_READ: Final = frozenset(
    {".json", ".safetensors", ".txt", ".model", ".jinja", ".tiktoken", ".vocab", ".spm", ".bpe", ".py"}
)
"""Endings of the files that `transformers` reads; other forms of the weights, and what is for people, are not."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model whose files are on this machine."""

    model: str
    """As the recipe names it: a folder or a repository."""
    folder: Path
    commit: str | None
    """Commit of the repository; None for a folder of one's own."""
    config: Mapping[str, Any]
    """Its `config.json`."""

    @property
    def model_type(self) -> str:
        """The architecture, as `transformers` calls it: `clip`, `blip-2`…"""
        return str(self.config.get("model_type", ""))

    @property
    def digest(self) -> str:
        """The commit, or a digest of the names and contents of all files that are read."""
        return self.commit or _folder_digest(self.folder)

    @property
    def weight_bytes(self) -> int:
        """Size of the weights on disk."""
        return sum(path.stat().st_size for path in self.folder.glob("*.safetensors"))

    @property
    def is_small(self) -> bool:
        """Whether it runs in float32 unless told otherwise: nothing is to be gained by less."""
        return self.weight_bytes < _SMALL_BYTES

    @property
    def name(self) -> str:
        """For provenance: `openai/clip-vit-base-patch32@3d74acf9`. A folder goes by its last part alone."""
        short = self.model if self.commit else self.folder.name
        return f"{short}@{self.digest[:8]}"


def find_model(model: str, revision: str | None = None, *, trust_remote_code: bool = False) -> ModelFiles:
    """Find a model's files on this machine.

    Args:
        model: A folder with a `config.json`, or a repository `OWNER/NAME`.
        revision: A commit, tag or branch of the repository; its `main` if None.
        trust_remote_code: Whether code from the repository is to be run; a repository then needs its full commit.

    Raises:
        UserError: The model is not here, is no model, or is trusted without saying which version of it.
        MissingExtraError: A repository is named and `huggingface_hub` is not installed.
    """
    if Path(model).is_dir():
        folder, commit = Path(model).resolve(), None
        if revision is not None:
            raise UserError(f"model {model}: a folder has no revision. Leave `revision` out.")
    else:
        if trust_remote_code and not (revision and _COMMIT.fullmatch(revision)):
            raise UserError(
                f"model {model}: `trust_remote_code` runs code from the repository, so it needs `revision`: the full "
                "commit (40 hex digits) that you have looked at."
            )
        folder, commit = _cached_snapshot(model, revision)
    config = _config(model, folder)
    kernel = None if trust_remote_code else _kernel(config)
    if kernel is not None:
        raise UserError(
            f"model {model}: its config.json wants the compiled code {kernel[:100]!r} fetched and run. Remove that "
            "setting, or say `trust_remote_code: true`."
        )
    return ModelFiles(model, folder, commit, config)


def require_safetensors(files: ModelFiles) -> None:
    """Refuse weights in any other format than safetensors, and such as lie elsewhere than beside the config.

    An index of parts may name any file, and `transformers` would open a pickle that is named in it.

    Raises:
        UserError: There are no weights that may be read.
    """
    if not any(files.folder.glob("*.safetensors")):
        raise UserError(
            f"model {files.model}: no weights as safetensors in {files.folder}; other formats can run code and are "
            "not loaded. Take a revision that has them, or convert it."
        )
    for path in sorted(files.folder.glob("*.safetensors.index.json")):
        try:
            index = _json_object(path, MAX_INDEX_BYTES)
        except OSError as error:
            raise UserError(f"model {files.model}: {path.name}: {error.strerror or error}") from error
        parts = index.get("weight_map") if index else None
        if not isinstance(parts, dict):
            raise UserError(f"model {files.model}: {path.name} is no index of weights.")
        for part in parts.values():
            if not isinstance(part, str) or Path(part).name != part or not part.endswith(".safetensors"):
                raise UserError(
                    f"model {files.model}: {path.name} names {str(part)[:100]!r}; weights are read from safetensors "
                    "files beside it and from nothing else."
                )


def _cached_snapshot(model: str, revision: str | None) -> tuple[Path, str]:
    try:
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError
    except ImportError as error:
        raise MissingExtraError(f"the model {model}", "huggingface_hub", "hf") from error
    try:
        found = try_to_load_from_cache(model, "config.json", revision=revision)
    except HFValidationError as error:
        raise UserError(f"model {model!r}: neither a folder nor the name of a repository.") from error
    if not isinstance(found, str):
        wanted = f" --revision {revision}" if revision else ""
        raise UserError(
            f"model {model!r} is neither a folder nor in the Hugging Face cache. "
            f"Fetch it with: hf download {model}{wanted}"
        )
    folder = Path(found).parent
    return folder, folder.name


def _config(model: str, folder: Path) -> Mapping[str, Any]:
    path = folder / "config.json"
    try:
        config = _json_object(path, MAX_CONFIG_BYTES)
    except OSError as error:
        raise UserError(
            f"model {model}: config.json cannot be read: {error.strerror or error}. Name a folder that was "
            "saved by transformers (`save_pretrained`)."
        ) from error
    if config is None:
        raise UserError(
            f"model {model}: config.json is not a JSON object of at most {MAX_CONFIG_BYTES:,} bytes."
        )
    return config


def _kernel(config: Mapping[str, Any]) -> str | None:
    """Return the repository of compiled code that a config, or a part of it, names as its implementation."""
    left: list[tuple[str, Any]] = list(config.items())
    while left:
        name, value = left.pop()
        if isinstance(value, Mapping):
            left.extend((name if name.endswith(_IMPLEMENTATION) else key, part) for key, part in value.items())
        elif name.endswith(_IMPLEMENTATION) and isinstance(value, str) and "/" in value:
            return value
    return None


def _json_object(path: Path, most: int) -> dict[str, Any] | None:
    """Return what a file holds; None where that is no JSON object or more than so many bytes. Raises OSError."""
    with path.open("rb") as file:
        data = file.read(most + 1)
    try:
        found = json.loads(data) if len(data) <= most else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _folder_digest(folder: Path) -> str:
    try:
        files = sorted(p for p in folder.iterdir() if p.suffix in _READ and p.is_file())
        return digest_json([[path.name, _file_digest(path, *_stamp(path))] for path in files])
    except OSError as error:
        raise UserError(f"model {folder}: {error.strerror or error}: {error.filename}") from error


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


@cache
def _file_digest(path: Path, size: int, changed_ns: int) -> str:
    """Return the sha256 of a file; read once as long as it does not change."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
