"""Names to implementations, imported only when named.

Built-in names stand in `recaption.core.builtins`; other packages add theirs through entry points of the group
`recaption.<kind>`. Two owners of one name is an error that names both, for whoever asks for that name.
"""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from recaption.core.builtins import BUILTINS
from recaption.core.errors import RecaptionError, UnknownNameError, UserError

__all__ = ["known_names", "locate", "resolve"]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a name lives, as `module:attribute`, and which distribution says so; None for this package."""

    location: str
    distribution: str | None = None

    def __str__(self) -> str:
        return f"{self.location} (from {self.distribution})" if self.distribution else self.location


@cache
def _places(kind: str) -> dict[str, tuple[_Place, ...]]:
    if kind not in BUILTINS:
        raise UnknownNameError("registry", kind, BUILTINS)
    found: dict[str, tuple[_Place, ...]] = {
        name: (_Place(location),) for name, location in BUILTINS[kind].items()
    }
    for point in entry_points(group=f"recaption.{kind}"):
        known = found.get(point.name, ())
        if point.value not in [place.location for place in known]:
            place = _Place(point.value, point.dist.name if point.dist else "an unknown package")
            found[point.name] = (*known, place)
    return found


def _place(kind: str, name: str) -> _Place:
    places = _places(kind)
    if name not in places:
        raise UnknownNameError(kind.rstrip("s"), name, places)
    if len(places[name]) > 1:
        owners = " and ".join(str(place) for place in places[name])
        raise UserError(f"two {kind} are called {name!r}: {owners}. Uninstall one.")
    return places[name][0]


def known_names(kind: str) -> list[str]:
    """Return every name of a kind, sorted."""
    return sorted(_places(kind))


def locate(kind: str, name: str) -> str:
    """Return where a name lives, as `module:attribute`.

    Raises:
        UnknownNameError: There is no such name; the message suggests close ones.
        UserError: The name has two owners.
    """
    return _place(kind, name).location


def resolve(kind: str, name: str) -> object:
    """Import and return what a name stands for.

    Raises:
        UnknownNameError: There is no such name; the message suggests close ones.
        UserError: The name has two owners.
        RecaptionError: The name is registered but cannot be imported.
    """
    place = _place(kind, name)
    module_name, _, attribute = place.location.partition(":")
    try:
        found: object = getattr(import_module(module_name), attribute)
    except RecaptionError:
        raise
    except Exception as error:  # a plug-in may raise anything while it is imported
        reason = " ".join(str(error).split()) or type(error).__name__
        message = f"{kind.rstrip('s')} {name!r} cannot be loaded from {place}: {reason}"
        raise RecaptionError(message) from error
    return found
