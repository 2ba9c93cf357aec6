"""Do the fluency metrics tell real captions from damaged ones, what do the rules find, and how fast are they?

    python -m benchmarks.grammar_metrics CAPTIONS … [--model FOLDER] [--languagetool ADDRESS] [--texts N] [--seed 0]

CAPTIONS are files of captions taken to be good: JSON with `annotations[].caption` and `image_id`, JSON objects with a
`text` one after the other, parquet with a column TEXT, or one caption a line.

Captions are damaged as Cho et al. 2022 (CLIP reward) made negatives for their grammar head: a run of one to three
words is repeated up to three times; one to three words are removed, put in, or swapped; all words are shuffled. The
first figure is the AUC over texts (the chance that a damaged text has more of it than a real one; half is chance),
the second the share of texts that get more when they are damaged. The n-gram model learns from the real captions, in
five folds by image. Then slips of one kind each are put into captions, and the share is counted that the rule finds.
Seconds are of processor time of one process, for 100,000 texts in one column.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recaption.datasets.ledger import SqliteLedger
from recaption.datasets.meter import SqliteMeter
from recaption.evaluation.metric import Metric
from recaption.evaluation.metrics.grammar import Grammar
from recaption.evaluation.metrics.junk import Junk
from recaption.evaluation.metrics.language import Language
from recaption.evaluation.metrics.languagetool import LanguageToolMetric
from recaption.evaluation.metrics.length import Length
from recaption.evaluation.metrics.ngram_perplexity import NgramPerplexity
from recaption.evaluation.metrics.perplexity import Perplexity
from recaption.evaluation.metrics.readability import Readability
from recaption.evaluation.options import Options
from recaption.evaluation.subject import Item, Subject
from recaption.evaluation.text.grammar_rules import slips
from recaption.evaluation.tools import Tools
from recaption.media.images import BatchImages
from recaption.media.words import plural
from recaption.models.hf.perplexity import PerplexityScorer

Values = NDArray[np.float64]

CORRUPTIONS = ("repeat", "remove", "insert", "swap", "shuffle")
SINGULAR = "dog cat man woman boy girl person car bus bench table chair train plane boat bike horse cow bird"
NOUNS = SINGULAR.split(" ")
MANY = ("two", "three", "four", "several")
TIMED = 100_000


def corrupted(text: str, kind: str, draw: random.Random, vocabulary: Sequence[str]) -> str:
    """Return a text damaged in one way; one of a single word may come back as it was."""
    words = text.split()
    size = len(words)
    times = draw.randint(1, 3)
    if kind == "repeat":
        start = draw.randrange(max(1, size - times + 1))
        run = words[start : start + times]
        words[start + times : start + times] = run * draw.randint(1, 3)
    elif kind == "remove":
        for _ in range(min(times, size - 1)):
            del words[draw.randrange(len(words))]
    elif kind == "insert":
        for _ in range(times):
            words.insert(draw.randrange(len(words) + 1), draw.choice(vocabulary))
    elif kind == "swap":
        for _ in range(times):
            i, j = draw.randrange(size), draw.randrange(size)
            words[i], words[j] = words[j], words[i]
    elif kind == "shuffle":
        draw.shuffle(words)
    else:
        raise ValueError(f"no corruption {kind!r}")
    return " ".join(words)


def chance_of_more(real: Values, damaged: Values) -> float:
    """Return the chance that one of `damaged` is larger than one of `real`, a tie being half."""
    values, places, counts = np.unique(np.concatenate([real, damaged]), return_inverse=True, return_counts=True)
    del values
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    n = len(damaged)
    return float((ranks[len(real) :].sum() - n * (n + 1) / 2) / (len(real) * n))


def share_that_rose(real: Values, damaged: Values) -> float:
    """Return the share of texts with more when damaged, a tie being half."""
    return float(((damaged > real) + 0.5 * (damaged == real)).mean())


def captions(path: Path) -> list[list[str]]:
    """Return the captions of a file, those of one image together."""
    if path.suffix == ".parquet":
        return [[str(text)] for text in pq.read_table(path, columns=["TEXT"])["TEXT"].to_pylist()]
    raw = path.read_text(encoding="utf-8")
    if path.suffix != ".json":
        return [[line] for line in raw.splitlines() if line.strip()]
    first, _ = json.JSONDecoder().raw_decode(raw.lstrip())
    if "annotations" not in first:
        return [[str(value["text"])] for value in _objects(raw)]
    found: dict[Any, list[str]] = {}
    for note in first["annotations"]:
        found.setdefault(note["image_id"], []).append(" ".join(note["caption"].split()))
    return list(found.values())


def _objects(raw: str) -> Iterator[Any]:
    decoder, place = json.JSONDecoder(), 0
    while place < len(raw):
        if raw[place].isspace():
            place += 1
            continue
        value, place = decoder.raw_decode(raw, place)
        yield value


def subject(columns: Mapping[str, list[list[str]]], seed: int = 0) -> Subject:
    """Return a subject with the texts of every image in every column."""
    sizes = len(next(iter(columns.values())))
    items = (Item(key=str(i), texts=tuple(tuple(c[i]) for c in columns.values())) for i in range(sizes))
    return Subject(columns=tuple(columns), items=tuple(items), seed=seed)


def damaged_columns(real: list[list[str]], seed: int) -> dict[str, list[list[str]]]:
    """Return the real captions and five columns of damaged ones."""
    draw = random.Random(seed)
    vocabulary = [word for texts in real for text in texts for word in text.split()]
    return {
        "real": real,
        **{
            kind: [[corrupted(t, kind, draw, vocabulary) for t in texts] for texts in real]
            for kind in CORRUPTIONS
        },
    }


def fluency(given: Subject, tools: Tools) -> dict[str, dict[str, Values]]:
    """Return, by measure and column, one value a text; more should be worse."""
    ngram = NgramPerplexity().extract(given, tools)
    grammar, junk = Grammar().extract(given, tools), Junk().extract(given, tools)
    found = {
        "n-gram bits per word": {c: b.bits / b.tokens for c, b in ngram.bits.items()},
        "n-gram bits per character": {
            c: (b.bits + b.spelling) / ngram.characters[c] for c, b in ngram.bits.items()
        },
        "grammar slips per word": {c: f.slips / np.maximum(f.words, 1) for c, f in grammar.columns.items()},
        "junk, that is loops": {c: f.kinds["loop"].astype(np.float64) for c, f in junk.columns.items()},
    }
    if tools.language_model is not None:
        told = Perplexity().extract(given, tools)
        found[told.model] = {c: np.nan_to_num(f.per_token) for c, f in told.columns.items()}
    if tools.options.languagetool is not None:
        checked = LanguageToolMetric().extract(given, tools)
        found[checked.version] = {c: f.matches / np.maximum(f.words, 1) for c, f in checked.columns.items()}
    return found


def show_fluency(name: str, found: Mapping[str, Mapping[str, Values]]) -> None:
    texts = len(next(iter(found.values()))["real"])
    print(f"\n{name}: {texts:,} captions; AUC / share that rises when damaged")
    print(f"| measure | {' | '.join(CORRUPTIONS)} |")
    print("|---|" + "---|" * len(CORRUPTIONS))
    for measure, columns in found.items():
        real = columns["real"]
        cells = [
            f"{chance_of_more(real, columns[kind]):.3f} / {share_that_rose(real, columns[kind]):.2f}"
            if len(columns[kind]) == len(real)
            else "some could not be judged"
            for kind in CORRUPTIONS
        ]
        print(f"| {measure} | {' | '.join(cells)} |", flush=True)


def other_article(text: str) -> str:
    """Return the text with `a` for `an` and `an` for `a`."""
    return re.sub(r"\b([Aa])(n?) (?=[a-z])", lambda m: m[1] + ("" if m[2] else "n") + " ", text)


def one_of_many(text: str) -> str:
    """Return the text with `a dogs` for `a dog`."""
    return re.sub(rf"\b([Aa]) ({'|'.join(NOUNS)})\b(?!')", lambda m: f"{m[1]} {plural(m[2])}", text)


def many_of_one(text: str) -> str:
    """Return the text with `two dog` for `two dogs`."""
    forms = {plural(noun): noun for noun in NOUNS}
    return re.sub(rf"\b({'|'.join(MANY)}) ({'|'.join(forms)})\b(?!')", lambda m: f"{m[1]} {forms[m[2]]}", text)


def twice(text: str) -> str:
    """Return the text with `the the`, `is is` and the like."""
    return re.sub(r"\b(the|is|on|with|and|in|of) ", r"\1 \1 ", text, count=1)


def glued(text: str) -> str:
    """Return the text without blanks behind commas."""
    return re.sub(r", (?=[A-Za-z])", ",", text)


def cut_short(text: str) -> str:
    """Return the first two thirds of the words of a text, without the marks at the end."""
    words = text.split()
    return " ".join(words[: max(1, 2 * len(words) // 3)]).rstrip(".,;:!?")


def unclosed(text: str) -> str:
    """Return the text with a bracket that nothing closes."""
    return re.sub(r" (\w+)([.!?]?)\Z", r" (\1\2", text)


SEEDED: Mapping[str, Callable[[str], str]] = {
    "article": other_article,
    "number, a dogs": one_of_many,
    "number, two dog": many_of_one,
    "repeated_word": twice,
    "no_blank_after_mark": glued,
    "cut, no_final_stop": cut_short,
    "unbalanced, cut": unclosed,
}


def show_slips(name: str, texts: Sequence[str]) -> None:
    clean = [text for text in texts if not slips(text, is_english=True)]
    print(
        f"\n{name}: slips in {1 - len(clean) / len(texts):.2%} of the captions as they are; found of those put in:"
    )
    for rules, damage in SEEDED.items():
        names = {rule.partition(" ")[0] for rule in rules.split(", ")}
        changed = [new for old in clean if (new := damage(old)) != old]
        found = sum(any(s.rule in names for s in slips(new, is_english=True)) for new in changed)
        if changed:
            print(f"  {rules}: {found:,} of {len(changed):,} ({found / len(changed):.1%})", flush=True)


def show_seconds(name: str, texts: Sequence[str], tools: Callable[[], Tools], count: int) -> None:
    """Print processor seconds for so many texts, each with one word of another so that no two are alike."""
    draw = random.Random(0)
    varied = []
    for i in range(count):
        words = texts[i % len(texts)].split(" ")
        words[draw.randrange(len(words))] = draw.choice(draw.choice(texts).split() or ["x"])
        varied.append([" ".join(words)])
    given = subject({"texts": varied})
    metrics: list[Metric] = [Length(), Language(), Readability(), Junk(), Grammar(), NgramPerplexity()]
    shared = tools()
    print(f"\n{name}: processor seconds for {TIMED:,} texts (counts are shared by the metrics after the first)")
    for metric in metrics:
        start = time.process_time()
        facts = metric.extract(given, shared)
        middle = time.process_time()
        metric.score(given, facts)
        end = time.process_time()
        scale = TIMED / count
        print(
            f"  {metric.name}: extract {(middle - start) * scale:.1f}, score {(end - middle) * scale:.1f}",
            flush=True,
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captions", type=Path, nargs="+")
    parser.add_argument("--model", help="a causal language model: a folder, or a repository in the local cache")
    parser.add_argument(
        "--languagetool", help="address of a LanguageTool server on this machine, or its folder"
    )
    parser.add_argument("--texts", type=int, default=20_000, help="texts that are timed; 0 times none")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        ledger, meter = SqliteLedger(Path(name) / "calls.sqlite"), SqliteMeter(Path(name) / "spent.sqlite")
        model: Any = PerplexityScorer(PerplexityScorer.Params(model=options.model)) if options.model else None

        def tools() -> Tools:
            return Tools(
                ledger=ledger,
                meter=meter,
                make_images=BatchImages,
                language_model=model,
                options=Options(languagetool=options.languagetool),
            )

        for path in options.captions:
            real = captions(path)
            texts = [text for several in real for text in several if text.strip()]
            given = subject(damaged_columns(real, options.seed), options.seed)
            show_fluency(path.name, fluency(given, tools()))
            show_slips(path.name, texts)
            if options.texts:
                show_seconds(path.name, texts, tools, options.texts)
        ledger.close()
        meter.close()


if __name__ == "__main__":
    main()
