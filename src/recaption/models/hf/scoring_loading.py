"""Loading a model that scores: from files on this machine, safetensors only, and every weight from the files."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar
from weakref import WeakValueDictionary

from transformers import AutoImageProcessor, AutoTokenizer
from transformers.utils.logging import disable_progress_bar, enable_progress_bar, is_progress_bar_enabled

from recaption.core.errors import BackendError, UserError
from recaption.models.hf.families import is_ours
from recaption.models.hf.identity import ModelFiles, require_safetensors
from recaption.models.hf.image_processors import pillow_processor
from recaption.models.hf.precision import Placement, is_out_of_memory

__all__ = ["halving", "load_image_processor", "load_model", "load_tokenizer", "shared"]

Engine = TypeVar("Engine")
Item = TypeVar("Item")
Result = TypeVar("Result")

_engines: WeakValueDictionary[object, Any] = WeakValueDictionary()
_engines_lock: Final = threading.Lock()


def shared(key: object, make: Callable[[], Engine]) -> Engine:
    """Return the engine of that key, made once as long as anybody holds it."""
    with _engines_lock:
        engine = _engines.get(key)
        if engine is None:
            engine = _engines[key] = make()
        found: Engine = engine
        return found


def load_model(loader: Any, files: ModelFiles, placement: Placement, *, trust_remote_code: bool = False) -> Any:
    """Return a model ready for inference.

    Args:
        loader: A class of `transformers` with `from_pretrained`.

    Raises:
        UserError: The files are not a model of that class, or do not hold all of its weights.
    """
    require_safetensors(files)
    if is_ours(files.config):
        from recaption.models.embedded import architecture  # noqa: F401 - makes itself known to transformers
    with _explained(files, "model"), _quietly():
        model, told = loader.from_pretrained(
            files.folder,
            dtype=placement.dtype,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=trust_remote_code,
            output_loading_info=True,
        )
    # What is missing would be filled with random numbers, and give scores that look like scores.
    missing = sorted(told["missing_keys"]) + sorted(str(key) for key in told["mismatched_keys"])
    if missing:
        raise UserError(
            f"model {files.model}: is no {type(model).__name__}, {len(missing)} of its weights are not in the files "
            f"({', '.join(missing[:3])}{'…' if len(missing) > 3 else ''})."
        )
    return model.to(placement.device).eval()


def load_tokenizer(files: ModelFiles, *, trust_remote_code: bool = False) -> Any:
    """Return the model's tokenizer. Raises UserError."""
    with _explained(files, "tokenizer"):
        return AutoTokenizer.from_pretrained(
            files.folder, local_files_only=True, trust_remote_code=trust_remote_code
        )


def load_image_processor(files: ModelFiles, *, trust_remote_code: bool = False) -> Any:
    """Return the model's image processor, the one on Pillow: the same pixels whatever else is installed."""
    with _explained(files, "image processor"):
        own = None if trust_remote_code else pillow_processor(files)
        if own is not None:
            return own
        return AutoImageProcessor.from_pretrained(
            files.folder, local_files_only=True, trust_remote_code=trust_remote_code, backend="pil"
        )


@contextmanager
def _explained(files: ModelFiles, part: str) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # on files that are not what they should be, transformers raises anything
        detail = " ".join(str(error).split())[:300] or type(error).__name__
        raise UserError(f"model {files.model}: its {part} cannot be loaded: {detail}") from error


@contextmanager
def _quietly() -> Iterator[None]:
    """Show no progress bar, which would run into our own."""
    shown = is_progress_bar_enabled()
    disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            enable_progress_bar()


def halving(items: list[Item], run: Callable[[list[Item]], list[Result]]) -> list[Result]:
    """Return the results of all items, run together; where memory runs out, half of them at a time.

    Raises:
        BackendError: Memory does not suffice for one item, or the model fails.
    """
    try:
        return run(items)
    except (RuntimeError, MemoryError) as error:
        detail = " ".join(str(error).split())[:200]
        if not is_out_of_memory(error):
            raise BackendError(f"the model fails: {detail}") from error
        if len(items) == 1:
            raise BackendError(f"too little memory for a single item: {detail}") from error
    middle = len(items) // 2
    return halving(items[:middle], run) + halving(items[middle:], run)
