"""What commands have in common: their options, and how these are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recaption.core.errors import UserError

if TYPE_CHECKING:
    from recaption.core.protocols import Reader
    from recaption.datasets.readers.options import ReaderOptions

__all__ = [
    "CaptionColumn",
    "Captioner",
    "Expert",
    "Format",
    "ImageColumn",
    "ImageRoot",
    "KeyColumn",
    "Limit",
    "MaxCost",
    "MaxRequests",
    "MaxTokens",
    "OutFolder",
    "PriceIn",
    "PriceOut",
    "Rate",
    "RecipeName",
    "Recursive",
    "Scorer",
    "Set",
    "Source",
    "Table",
    "format_of",
    "open_reader",
    "pairs",
    "spec_of",
]

OutFolder = Annotated[Path, typer.Argument(metavar="OUT", help="A run folder.")]
Source = Annotated[str, typer.Argument(metavar="INPUT", help="A folder, table, tar, COCO json or run folder.")]
RecipeName = Annotated[str, typer.Option("--recipe", help="A built-in recipe's name, or a YAML file.")]
Format = Annotated[str | None, typer.Option("--format", help="Read INPUT as this instead of detecting it.")]
Table = Annotated[Path | None, typer.Option("--table", help="A table with texts for a folder of images.")]
KeyColumn = Annotated[str | None, typer.Option("--key-column", help="Column that names the record.")]
CaptionColumn = Annotated[str | None, typer.Option("--caption-column", help="Column with the original text.")]
ImageColumn = Annotated[
    str | None, typer.Option("--image-column", help="Column with the image: bytes, path or URL.")
]
ImageRoot = Annotated[
    Path | None, typer.Option("--image-root", help="Folder that image paths in a table start from.")
]
Recursive = Annotated[bool, typer.Option(help="Look for images in folders below, too.")]
Expert = Annotated[
    list[str] | None,
    typer.Option("--expert", help="Ask one more expert: `ocr`, or `yolox=MODEL.onnx`. May be repeated."),
]
Captioner = Annotated[
    str | None,
    typer.Option(
        "--captioner",
        help="Who writes: `embedded`, OWNER/MODEL or a folder, `http://HOST:8000/v1#MODEL`, or NAME=MODEL.",
    ),
]
Scorer = Annotated[
    str | None, typer.Option("--scorer", help="Who scores images against texts: `embedded`, OWNER/MODEL, …")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change one value: `fit.budget=longclip248`. May be repeated."),
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first so many records.")]
PriceIn = Annotated[float | None, typer.Option("--price-in", min=0.0, help="Price of a million prompt tokens.")]
PriceOut = Annotated[
    float | None, typer.Option("--price-out", min=0.0, help="Price of a million tokens written.")
]
MaxRequests = Annotated[
    int | None,
    typer.Option("--max-requests", min=0, help="Stop before more requests in all, earlier runs included."),
]
MaxTokens = Annotated[
    int | None, typer.Option("--max-tokens", min=0, help="The same in tokens, prompts and answers together.")
]
MaxCost = Annotated[
    float | None, typer.Option("--max-cost", min=0.0, help="The same in money, at the prices given.")
]
Rate = Annotated[float | None, typer.Option("--rate", min=1e-6, help="Images a second, to foretell the time.")]


def open_reader(spec: dict[str, Any]) -> Reader:
    from recaption.datasets.detect import open_dataset

    return open_dataset(spec["path"], options=_reader_options(spec))


def format_of(spec: dict[str, Any]) -> str:
    """Return the registry name of the reader that `open_reader` would return."""
    from recaption.datasets.detect import detect_format

    options = _reader_options(spec)
    return options.format or detect_format(spec["path"], options)


def _reader_options(spec: dict[str, Any]) -> ReaderOptions:
    from recaption.datasets.readers.options import ReaderOptions
    from recaption.recipes.strict import validated

    return validated(ReaderOptions, spec["options"], "options")


def spec_of(
    source: str,
    format: str | None,
    table: Path | None,
    key_column: str | None,
    caption_column: str | None,
    image_column: str | None,
    image_root: Path | None,
    recursive: bool,
    limit: int | None,
) -> dict[str, Any]:
    """Return how to open the input, now and again later."""
    options = {
        "format": format,
        "table": str(table.resolve()) if table else None,
        "key_column": key_column,
        "caption_column": caption_column,
        "image_column": image_column,
        "image_root": str(image_root.resolve()) if image_root else None,
        "recursive": None if recursive else False,
        "limit": limit,
    }
    return {"path": _absolute(source), "options": {k: v for k, v in options.items() if v is not None}}


def _absolute(source: str) -> str:
    """Return a path that still holds from another folder; names that are no paths (`hf:…`) stay."""
    prefix = source.split(":", 1)[0]
    if ":" in source and "/" not in prefix and not Path(source).exists() and prefix.isalpha():
        return source
    return str(Path(source).absolute())


def pairs(settings: list[str]) -> dict[str, object]:
    import yaml

    found: dict[str, object] = {}
    for entry in settings:
        name, equals, value = entry.partition("=")
        if not equals:
            raise UserError(f"--set {entry!r}: expected NAME=VALUE")
        try:
            found[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise UserError(f"--set {entry!r}: the value is not valid YAML") from error
    return found
