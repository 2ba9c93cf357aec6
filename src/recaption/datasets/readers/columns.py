"""Which column serves as what: as asked, or by the names that data sets usually use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from recaption.core.errors import UserError, did_you_mean
from recaption.datasets.readers.conventions import conventions
from recaption.datasets.readers.options import ReaderOptions

__all__ = ["Roles", "choose_roles", "find_column", "join_roles", "side_roles"]

_OPTION_OF_ROLE: Final = {"key": "--key-column", "caption": "--caption-column", "image": "--image-column"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The columns that mean something to us; all others pass through."""

    key: str | None = None
    caption: str | None = None
    image: str | None = None
    tags: tuple[str, ...] = ()
    objects: str | None = None
    evidence: str | None = None
    asked: frozenset[str] = frozenset()
    """The roles that the caller chose; the rest were found by name."""

    @property
    def used(self) -> frozenset[str]:
        """The columns that do not pass through."""
        single = (self.key, self.caption, self.image, self.objects, self.evidence)
        return frozenset(name for name in (*single, *self.tags) if name is not None)

    def describe(self, *, with_image: bool = True) -> str:
        """Return `key 'id', caption 'text' (asked), no image column`."""
        parts = []
        for role in ("key", "caption", "image") if with_image else ("key", "caption"):
            column: str | None = getattr(self, role)
            if column is None:
                parts.append(f"no {role} column")
            else:
                parts.append(f"{role} {column!r}{' (asked)' if role in self.asked else ''}")
        parts += [f"evidence {name!r}" for name in (*self.tags, self.objects, self.evidence) if name]
        return ", ".join(parts)


def find_column(role: str, columns: Sequence[str]) -> str | None:
    """Return the column that usually plays a role: an exact name first, then one that differs in case."""
    names = conventions().columns[role]
    exact = next((name for name in names if name in columns), None)
    if exact is not None:
        return exact
    lowered = {column.lower(): column for column in reversed(columns)}
    return next((lowered[name.lower()] for name in names if name.lower() in lowered), None)


def choose_roles(columns: Sequence[str], options: ReaderOptions, where: str) -> Roles:
    """Return the roles of a table's columns.

    Args:
        where: The table's name, for messages.

    Raises:
        UserError: A column that was asked for is not there, or nothing can serve as caption or image.
    """
    asked = {"key": options.key_column, "caption": options.caption_column, "image": options.image_column}
    found = _roles(tuple(columns), _checked(asked, columns, where))
    if found.caption is None and found.image is None:
        raise UserError(
            f"{where}: no caption column and no image column among: {', '.join(columns) or 'nothing'}. "
            "Name one with --caption-column or --image-column."
        )
    return found


def join_roles(columns: Sequence[str], options: ReaderOptions, where: str) -> Roles:
    """Return the roles of a table that is joined onto images: its key column names the image.

    Raises:
        UserError: No column names the image, or one that was asked for is not there.
    """
    asked = {"key": options.key_column or find_column("join", columns), "caption": options.caption_column}
    if asked["key"] is None:
        raise UserError(
            f"{where}: no column names the image among: {', '.join(columns) or 'nothing'}. "
            "Name it with --key-column."
        )
    named = _checked(asked, columns, where)
    asked_roles = frozenset(role for role, name in named if name and getattr(options, f"{role}_column"))
    found = _roles(tuple(columns), named)
    return Roles(
        key=found.key,
        caption=found.caption,
        tags=found.tags,
        objects=found.objects,
        evidence=found.evidence,
        asked=asked_roles,
    )


def side_roles(columns: Sequence[str], caption_column: str | None) -> Roles:
    """Return the roles of a JSON object that lies beside an image: caption and evidence, never key or image."""
    return _side_roles(tuple(columns), caption_column if caption_column in columns else None)


@lru_cache(maxsize=256)
def _side_roles(columns: tuple[str, ...], caption: str | None) -> Roles:
    found = _roles(columns, (("caption", caption),))
    return Roles(caption=found.caption, tags=found.tags, objects=found.objects, evidence=found.evidence)


def _checked(
    asked: Mapping[str, str | None], columns: Sequence[str], where: str
) -> tuple[tuple[str, str | None], ...]:
    for role, name in asked.items():
        if name is not None and name not in columns:
            raise UserError(
                f"{where} has no column {name!r} ({_OPTION_OF_ROLE[role]}).{did_you_mean(name, columns)}"
            )
    return tuple(asked.items())


@lru_cache(maxsize=256)
def _roles(columns: tuple[str, ...], asked: tuple[tuple[str, str | None], ...]) -> Roles:
    given = {role: name for role, name in asked if name is not None}
    free = [column for column in columns if column not in given.values()]
    caption = given.get("caption") or find_column("caption", free)
    image = given.get("image") or find_column("image", columns)
    key = given.get("key") or find_column("key", columns)
    taken = {caption, image, key}
    lowered = set(conventions().columns["tags"])
    return Roles(
        key=key,
        caption=caption,
        image=image if image != caption else None,
        tags=tuple(column for column in columns if column.lower() in lowered and column not in taken),
        objects=find_column("objects", [c for c in columns if c not in taken]),
        evidence=find_column("evidence", [c for c in columns if c not in taken]),
        asked=frozenset(given),
    )
