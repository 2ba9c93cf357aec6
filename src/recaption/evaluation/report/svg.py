"""A writer of small SVG drawings. Colours come from the page's style sheet by class, so that themes reach them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

from markupsafe import Markup, escape

from recaption.evaluation.report.texts import cleaned

__all__ = ["Ids", "drawing", "element", "path_of", "place", "text"]


class Ids:
    """Names for elements, unique within one page and the same whenever the page is made again."""

    def __init__(self, prefix: str = "h") -> None:
        self._prefix = prefix
        self._numbers = count(1)

    def next(self, kind: str) -> str:
        """Return a name not given before by this object, nor by one with another prefix."""
        return f"{self._prefix}{kind}{next(self._numbers)}"


def place(value: float) -> str:
    """Return a coordinate with one decimal at most: a tenth of a pixel is more than anybody sees."""
    return f"{round(value, 1) + 0.0:g}"


def element(name: str, content: Markup | str = "", **attributes: object) -> Markup:
    """Return one element, everything escaped. A trailing `_` of a name goes; other `_` become `-`."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = content if isinstance(content, Markup) else escape(cleaned(content))
    return Markup(f"<{name}{said}>{inner}</{name}>" if inner else f"<{name}{said}/>")  # noqa: S704 - escaped above


def drawing(
    width: float,
    height: float,
    parts: Iterable[Markup],
    *,
    label: str,
    class_: str,
    ids: Ids | None = None,
    more: str = "",
    stretched: bool = False,
) -> Markup:
    """Return an SVG that scales with its box.

    Args:
        label: What it shows, for those who do not see it; empty where the text beside it says the same.
        more: A longer description.
        stretched: To the shape of its box, whatever its own.
    """
    attributes: dict[str, object] = {"class_": class_, "viewBox": f"0 0 {place(width)} {place(height)}"}
    if stretched:
        attributes["preserveAspectRatio"] = "none"
    head = Markup()
    if not label:
        attributes["aria_hidden"] = "true"
    elif ids is None or not more:
        attributes |= {"role": "img", "aria_label": label}
    else:
        title, desc = ids.next("t"), ids.next("d")
        attributes |= {"role": "img", "aria_labelledby": title, "aria_describedby": desc}
        head = element("title", label, id=title) + element("desc", more, id=desc)
    return element("svg", head + Markup().join(parts), **attributes)


def text(x: float, y: float, said: str, class_: str, anchor: str | None = None) -> Markup:
    """Return a line of text. `anchor`: `middle` or `end`."""
    return element("text", said, class_=class_, x=place(x), y=place(y), text_anchor=anchor)


def path_of(points: Iterable[tuple[float, float]]) -> str:
    """Return the data of a path through points."""
    return "M" + "L".join(f"{place(x)} {place(y)}" for x, y in points)


def _value(value: object) -> Markup:
    return escape(place(value) if isinstance(value, float) else cleaned(str(value)))
