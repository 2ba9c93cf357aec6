"""Two small models that come with the package, trained on rendered scenes: a captioner and a dual encoder.

They know the demo's world and nothing else. `MODEL_CARD.md` beside this file says how they were made and how good
they are. Nothing heavy is imported here; `recaption.models.embedded.architecture` needs the `torch` extra.
"""

from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from recaption.core.errors import UserError

__all__ = ["EMBEDDED", "EmbeddedName", "folder"]

EmbeddedName: TypeAlias = Literal["captioner", "dual_encoder"]
EMBEDDED: Final[tuple[EmbeddedName, ...]] = get_args(EmbeddedName)
_FILES: Final = (
    "config.json",
    "model.safetensors",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
)


def folder(name: str) -> Path:
    """Return the folder that `from_pretrained` loads a model from, its tokenizer and image processor too.

    Raises:
        UserError: There is no such model, or the installed package lacks one of its files.
    """
    if name not in EMBEDDED:
        raise UserError(f"unknown embedded model {name!r}; known: {', '.join(EMBEDDED)}")
    found = Path(__file__).with_name(name)
    missing = [file for file in _FILES if not (found / file).is_file()]
    if missing:
        raise UserError(f"{found} lacks {', '.join(missing)}. Install the package again.")
    return found
