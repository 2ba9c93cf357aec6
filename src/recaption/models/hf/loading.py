"""Models and processors of transformers, from files to memory. Safetensors only; nothing is downloaded."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final, Literal, TypeAlias, cast

import torch
import transformers
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
    GenerationConfig,
)

from recaption.core.errors import BackendError, RecaptionError, UserError
from recaption.models.hf.families import Family, is_ours
from recaption.models.hf.identity import ModelFiles
from recaption.models.hf.image_processors import pillow_processor
from recaption.models.hf.precision import Precision, placed

__all__ = ["Endings", "Format", "Parts", "load_model", "load_processor", "own_settings"]

_log = logging.getLogger(__name__)

Format: TypeAlias = Literal["auto", "float32", "bfloat16", "float16", "int8", "int4"]

_KEPT: Final = (
    "bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id", "suppress_tokens",
    "begin_suppress_tokens",
)  # fmt: skip
"""What a model's own generation settings may say; how it draws is the request's to say."""


@dataclass(frozen=True, slots=True)
class Endings:
    """Tokens with a meaning of their own in what a model writes."""

    opening: tuple[int, ...]
    """Stand before the first token that is drawn."""
    ends: tuple[int, ...]
    """Any of them ends the text."""
    pad: int | None


class Parts:
    """An image processor and a tokenizer that come without a processor over both."""

    def __init__(self, image_processor: Any, tokenizer: Any) -> None:
        self.image_processor, self.tokenizer = image_processor, tokenizer
        self.chat_template = None


def load_model(files: ModelFiles, device: str, dtype: Format, *, trust_remote_code: bool) -> Any:
    """Return the model, ready to generate.

    Args:
        device: As `placed` takes it; or `map`, spread over all devices by accelerate.

    Raises:
        UserError: The device, the format or a library is not there, or the files are no such model.
    """
    spread = device == "map"
    place = placed("auto" if spread else device, _floating(dtype, files))
    kind = place.device.partition(":")[0]
    settings: dict[str, Any] = {"dtype": place.dtype}
    if dtype in ("int8", "int4") and kind == "cuda":
        settings["quantization_config"] = _bitsandbytes(dtype)
        settings["device_map"] = "auto" if spread else {"": place.device}
    elif dtype == "int4":
        raise UserError("dtype int4 needs a CUDA GPU and bitsandbytes. Use int8 or bfloat16.")
    elif spread:
        settings["device_map"] = "auto"
    elif dtype == "int8":
        settings["dtype"] = torch.float32
    model = _loaded(files, settings, trust_remote_code)
    if dtype == "int8" and kind == "cpu":
        model = _quantised(model)
    elif dtype == "int8" and kind != "cuda":
        raise UserError(f"dtype int8 is not there on {place.device}. Use cpu or cuda, or another dtype.")
    if "device_map" not in settings:
        model = model.to(place.device)
    return model.eval()


def own_settings(model: Any) -> Endings:
    """Take a model's generation settings away, and return what of them still holds."""
    opening = getattr(model.generation_config, "forced_bos_token_id", None)
    ends: set[int] = set()
    pad = None
    for module in model.modules():
        own = vars(module).get("generation_config")
        if own is not None:
            ends.update(_ids(own.eos_token_id))
            pad = own.pad_token_id if pad is None else pad
            module.generation_config = GenerationConfig(
                **{name: value for name in _KEPT if (value := getattr(own, name, None)) is not None}
            )
    return Endings(_ids(opening), tuple(sorted(ends)), pad)


def _ids(said: Any) -> tuple[int, ...]:
    return () if said is None else tuple(said) if isinstance(said, list) else (int(said),)


def _floating(dtype: Format, files: ModelFiles) -> Precision:
    if dtype == "auto" and files.is_small:
        return "float32"
    return "auto" if dtype in ("auto", "int8", "int4") else cast(Precision, dtype)


def _loaded(files: ModelFiles, settings: dict[str, Any], trust_remote_code: bool) -> Any:
    if is_ours(files.config):
        from recaption.models.embedded import architecture  # noqa: F401 - makes itself known to transformers
    with _quiet():
        try:
            found: Any = AutoModelForImageTextToText.from_pretrained(
                files.folder,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=trust_remote_code,
                output_loading_info=True,
                **settings,
            )
        except RecaptionError:
            raise
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise BackendError(f"model {files.model} does not fit into memory: {_line(error)}") from error
        except Exception as error:  # transformers, torch and safetensors raise classes of their own
            raise UserError(f"model {files.model} cannot be loaded: {_line(error)}") from error
    model, report = found
    missing = sorted(report["missing_keys"])
    if missing:
        _log.warning("model %s lacks %d weights, such as %s", files.model, len(missing), missing[0])
    return model


def _quantised(model: Any) -> Any:
    """Return the model with linear layers in int8 (weights per tensor, activations as they come)."""
    if set(torch.backends.quantized.supported_engines) <= {"none"}:
        raise UserError("dtype int8: this build of torch has no int8 engine for the processor. Use bfloat16.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a future release of torch
        return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)


def _bitsandbytes(dtype: Format) -> Any:
    if find_spec("bitsandbytes") is None:
        raise UserError(
            f"dtype {dtype} needs the library 'bitsandbytes', which is not installed. "
            "Install it with: pip install bitsandbytes"
        )
    # It warns at every product that its inputs become float16 for it, which is how its int8 works.
    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
    if dtype == "int8":
        return transformers.BitsAndBytesConfig(load_in_8bit=True)
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
    )


def load_processor(files: ModelFiles, family: Family, *, trust_remote_code: bool) -> Any:
    """Return what turns pictures and texts into the model's inputs.

    Raises:
        UserError: The files hold none, or it needs a library that is not there.
    """
    settings = {"local_files_only": True, "trust_remote_code": trust_remote_code}
    with _quiet():
        try:
            if family.processor == "parts":
                return Parts(
                    _image_processor(files, settings),
                    AutoTokenizer.from_pretrained(files.folder, **settings),
                )
            if find_spec("torchvision") is None:
                return _without_video(files, settings)
            return AutoProcessor.from_pretrained(files.folder, **settings)
        except RecaptionError:
            raise
        except Exception as error:
            raise UserError(f"model {files.model}: its processor cannot be loaded: {_line(error)}") from error


def _image_processor(files: ModelFiles, settings: dict[str, Any]) -> Any:
    """Return the image processor; the one on Pillow where there is no torchvision."""
    own = pillow_processor(files) if find_spec("torchvision") is None else None
    return AutoImageProcessor.from_pretrained(files.folder, **settings) if own is None else own


def _without_video(files: ModelFiles, settings: dict[str, Any]) -> Any:
    """Return the processor, without the part for videos: those need torchvision."""
    config = AutoConfig.from_pretrained(files.folder, **settings)
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    kind: Any = PROCESSOR_MAPPING.get(type(config), None)
    if kind is None or "video_processor" not in kind.get_attributes():
        return AutoProcessor.from_pretrained(files.folder, **settings)
    own, _ = kind.get_processor_dict(files.folder, local_files_only=True)
    parts = {*kind.get_attributes(), "self", "chat_template"}
    said = {
        name: own[name]
        for name in inspect.signature(kind.__init__).parameters
        if name in own and name not in parts
    }
    return _pictures_only(kind, said).from_pretrained(files.folder, local_files_only=True)


def _pictures_only(kind: Any, said: Mapping[str, Any]) -> Any:
    """Return a subclass of a processor that has no video processor: its parts are read from the names in `__init__`.

    Args:
        said: Its settings, which are read from those names too.
    """

    def begin(self: Any, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None) -> None:
        kind.__init__(self, image_processor, tokenizer, None, chat_template=chat_template, **said)

    plain = transformers.ProcessorMixin.apply_chat_template
    return type(kind.__name__, (kind,), {"__init__": begin, "apply_chat_template": plain})


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from talking while it loads: what matters is raised or returned."""
    log = transformers.utils.logging
    verbosity, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(verbosity)
        if bars:
            log.enable_progress_bar()


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
