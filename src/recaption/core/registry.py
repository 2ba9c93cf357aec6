"""Names to implementations, imported only when named.

Built-in names stand in `recaption.core.builtins`; other packages add theirs through entry points of the group
`recaption.<kind>`. Two owners of one name is an error that names both.
"""

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from recaption.core.builtins import BUILTINS
from recaption.core.errors import RecaptionError, UnknownNameError, UserError

__all__ = ["known_names", "locate", "resolve"]


@cache
def _locations(kind: str) -> dict[str, str]:
    if kind not in BUILTINS:
        raise UnknownNameError("registry", kind, BUILTINS)
    found = dict(BUILTINS[kind])
    for point in entry_points(group=f"recaption.{kind}"):
        if point.name in found and found[point.name] != point.value:
            raise UserError(
                f"two {kind} are called {point.name!r}: {found[point.name]} and {point.value} "
                f"(from {point.dist.name if point.dist else 'an unknown package'}). Uninstall one."
            )
        found[point.name] = point.value
    return found


def known_names(kind: str) -> list[str]:
    """Return every name of a kind, sorted."""
    return sorted(_locations(kind))


def locate(kind: str, name: str) -> str:
    """Return where a name lives, as `module:attribute`. Raises UnknownNameError with suggestions."""
    locations = _locations(kind)
    if name not in locations:
        raise UnknownNameError(kind.rstrip("s"), name, locations)
    return locations[name]


def resolve(kind: str, name: str) -> object:
    """Import and return what a name stands for.

    Raises:
        UnknownNameError: There is no such name; the message suggests close ones.
        RecaptionError: The name is registered but its module or attribute is not there.
    """
    location = locate(kind, name)
    module_name, _, attribute = location.partition(":")
    try:
        found: object = getattr(import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        message = f"{kind.rstrip('s')} {name!r} cannot be loaded from {location}: {error}"
        raise RecaptionError(message) from error
    return found
