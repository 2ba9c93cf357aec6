"""Where a model runs and in which number format, said before it is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch

from recaption.core.errors import UserError

__all__ = ["Placement", "Precision", "is_out_of_memory", "placed"]

Precision: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]


@dataclass(frozen=True, slots=True)
class Placement:
    """A device and a floating-point format."""

    device: str
    """As torch names it: `cpu`, `cuda`, `cuda:1`, `mps`."""
    dtype: torch.dtype

    @property
    def dtype_name(self) -> str:
        """`float32`, `bfloat16` or `float16`."""
        return str(self.dtype).removeprefix("torch.")


def placed(device: str = "auto", dtype: Precision = "auto") -> Placement:
    """Return where and how a model runs on this machine.

    `auto` takes the first GPU, and bfloat16 wherever the hardware multiplies it: on a processor that has
    AVX512-BF16 or AMX it is about four times as fast as float32, on others it is slower. On a GPU, convolutions of
    this process are kept from rounding float32 to TF32 (10 bits), as torch lets them by default: scores moved by
    5e-5 with it, and with the batch they were in.

    Raises:
        UserError: The device is not there.
    """
    device = _found() if device == "auto" else device
    kind = device.partition(":")[0]
    _check(device, kind)
    if kind == "cuda":
        torch.backends.cudnn.allow_tf32 = False
    if dtype != "auto":
        chosen: torch.dtype = getattr(torch, dtype)
    elif kind == "cpu":
        chosen = torch.bfloat16 if _cpu_multiplies_bfloat16() else torch.float32
    elif kind == "cuda":
        chosen = torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    else:
        chosen = torch.float16
    return Placement(device, chosen)


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error says that memory ran out. Only CUDA has a class of its own for it."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    told = str(error)
    return isinstance(error, RuntimeError) and ("allocate memory" in told or "out of memory" in told)


def _found() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _check(device: str, kind: str) -> None:
    try:
        index = torch.device(device).index
    except RuntimeError as error:
        raise UserError(f"device {device!r} is unknown. Use auto, cpu, cuda, cuda:1 or mps.") from error
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(kind, True):
        raise UserError(f"device {device!r} is not there (this machine has {_found()}). Use auto or cpu.")


def _cpu_multiplies_bfloat16() -> bool:
    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # there is no public way to ask
    return any(getattr(torch.cpu, name, bool)() for name in asked)
