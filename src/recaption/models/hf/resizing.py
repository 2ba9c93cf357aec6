"""How large pictures are shown to a model, where its family can be told."""

from __future__ import annotations

from typing import Any

from recaption.core.errors import UserError
from recaption.models.hf.families import Family

__all__ = ["resize"]


def resize(image_processor: Any, family: Family, side_px: int | None) -> dict[str, Any]:
    """Make an image processor give pictures of another size, and return what `generate` must be told.

    Raises:
        UserError: This family takes pictures of one size only.
    """
    if side_px is None:
        return {}
    if family.resize is None:
        raise UserError("`image_size_px`: models of this family take pictures of one size. Leave it out.")
    if family.resize == "interpolate":
        image_processor.size = {"height": side_px, "width": side_px}
        return {"interpolate_pos_encoding": True}
    if family.resize == "longest_edge":
        image_processor.size = {"longest_edge": side_px}
    else:
        least = min(int(dict(image_processor.size)["shortest_edge"]), side_px * side_px)
        image_processor.size = {"shortest_edge": least, "longest_edge": side_px * side_px}
    return {}
