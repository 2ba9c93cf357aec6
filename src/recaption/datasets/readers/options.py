"""What the caller may say about an input instead of leaving it to detection."""

from pathlib import Path

from pydantic import Field

from recaption.recipes.strict import StrictModel

__all__ = ["ReaderOptions"]


class ReaderOptions(StrictModel):
    """How to read an input; everything has a default that is detected."""

    format: str | None = None
    """Registry name of the reader to use."""
    table: Path | None = None
    """Table to join onto a folder of images."""
    key_column: str | None = None
    caption_column: str | None = None
    image_column: str | None = None
    image_root: Path | None = None
    """Folder that image paths in tables start from, and must stay in; default: the table's own folder."""
    limit: int | None = Field(default=None, ge=1)
    """Stop after this many records; rejected items do not count."""
    recursive: bool = True
    sidecar_extension: str | None = None
    """Read only sidecars with this extension, with or without its dot."""
