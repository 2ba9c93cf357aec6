"""Fit long captions to CLIP's 77 tokens, against cutting them off there.

    python benchmarks/fit_clip77.py CAPTIONS [--show N]

CAPTIONS holds JSON objects with a `text`, one after the other or one per line.
"""

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from instant_clip_tokenizer import Tokenizer

from recaption.media.budgets import clip77
from recaption.media.fitting import Fitted, fit
from recaption.media.labels import coco_matcher
from recaption.media.salience import content_words

USABLE = 75
REPEATS = 5


def read(path: Path) -> list[str]:
    """Return the texts of a file of JSON objects, whatever stands between them."""
    text, decoder, place = path.read_text(encoding="utf-8"), json.JSONDecoder(), 0
    found: list[str] = []
    while match := re.compile(r"\s*").match(text, place):
        if match.end() == len(text):
            return found
        value, place = decoder.raw_decode(text, match.end())
        found.append(value["text"])
    return found


def objects(text: str) -> set[str]:
    """Return the COCO classes a text names."""
    return {mention.label for mention in coco_matcher().mentions(text)}


def cut_off(tokenizer: Tokenizer, text: str) -> str:
    """Return what the encoder reads of a text that is too long."""
    return str(tokenizer.decode(tokenizer.encode(text)[:USABLE]))


def sentences(text: str) -> list[str]:
    """Split at full stops; written anew here, so that the check does not trust what it checks."""
    return [part.strip() for part in re.split(r"(?<=[.!?])[\"')]*\s+(?=[A-Z\"'(])", text) if part.strip()]


CLAUSE_GOES_ON = re.compile(
    r"\s*[,;:–—-]|\s+(?:and|or|but|while|which|where|who|whose|because|although|as|with)\b", re.IGNORECASE
)


def kinds(text: str, fitted: str) -> Iterator[str]:
    """Say of each sentence of a result whether it is whole, ends where a clause did, or is cut inside one."""
    whole = sentences(text)
    for said in sentences(fitted):
        body = said.rstrip(".!?")
        longer = [s for s in whole if s.startswith(body)]
        if said in whole:
            yield "whole"
        elif any(CLAUSE_GOES_ON.match(s[len(body) :]) for s in longer):
            yield "clause end"
        else:
            yield "mid-clause"


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captions", type=Path)
    parser.add_argument(
        "--show", type=int, default=0, metavar="N", help="print every so many-th pair, N in all"
    )
    options = parser.parse_args()
    texts, budget, tokenizer = read(options.captions), clip77(), Tokenizer()
    results = [fit(text, budget) for text in texts]
    report(texts, results, tokenizer)
    best = min(timed(texts) for _ in range(REPEATS))
    print(f"{'captions/s, one core, best of ' + str(REPEATS):52}{len(texts) / best:10.0f}")
    for i in range(0, len(texts), max(1, len(texts) // options.show) if options.show else len(texts) + 1):
        if options.show:
            print(f"\n{i} [{results[i].cut_at}] {texts[i]!r}\n  -> {results[i].texts!r}")
    return 0


def timed(texts: Sequence[str]) -> float:
    """Return the processor seconds one pass takes."""
    budget, begun = clip77(), time.process_time()
    for text in texts:
        fit(text, budget)
    return time.process_time() - begun


def report(texts: Sequence[str], results: Sequence[Fitted], tokenizer: Tokenizer) -> None:
    """Print all figures but the speed."""
    budget, count = clip77(), len(texts)
    over = [i for i in range(count) if budget.count(texts[i]) > budget.limit]
    fitted = [result.texts[0] if result.texts else "" for result in results]
    ends = Counter(kind for i in over for kind in kinds(texts[i], fitted[i]))
    cut = {i: cut_off(tokenizer, texts[i]) for i in over}
    cut_ends = Counter(list(kinds(texts[i].lower(), cut[i]))[-1:][0] if cut[i] else "" for i in over)

    def line(name: str, value: str) -> None:
        print(f"{name:52}{value:>10}")

    line("captions", str(count))
    line("over 77 tokens before", f"{len(over) / count:.1%}")
    line("over 77 tokens after", f"{sum(budget.count(t) > budget.limit for t in fitted) / count:.1%}")
    line("empty after", str(sum(not t for t in fitted)))
    line("tokens before, mean", f"{sum(r.tokens_before for r in results) / count:.1f}")
    line("tokens after, mean of those cut", f"{sum(results[i].tokens_after for i in over) / len(over):.1f}")
    for level, number in Counter(results[i].cut_at for i in over).most_common():
        line(f"  cut at {level}", f"{number / len(over):.1%}")
    for kind, number in ends.most_common():
        line(f"  sentences of the result: {kind}", f"{number}")
    line(
        "results with a sentence cut mid-clause",
        str(sum("mid-clause" in kinds(texts[i], fitted[i]) for i in over)),
    )
    line("cut off at 77: last sentence cut", f"{1 - cut_ends['whole'] / len(over):.1%}")
    for name, measure in (("COCO objects", objects), ("content words", content_words)):
        total = sum(len(measure(texts[i])) for i in over)
        kept = sum(len(measure(texts[i]) & measure(fitted[i])) for i in over)
        naive = sum(len(measure(texts[i]) & measure(cut[i])) for i in over)
        line(f"{name} kept: fit", f"{kept / total:.1%}")
        line(f"{name} kept: cut off at 77", f"{naive / total:.1%}")


if __name__ == "__main__":
    sys.exit(main())
