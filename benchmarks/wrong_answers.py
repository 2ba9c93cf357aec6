"""Seeded wrong answers and true captions through the `check` stage: what is caught, what is lost, how fast.

    python -m benchmarks.wrong_answers [--cases 500] [--seed 1] [--alt-only] [--captions FILE …]

Wrong answers are made from true captions of the demo world. FILE holds captions that are taken to be good: JSON with
`text` (one object after another) or `annotations[].caption`, or one caption per line. With `--alt-only` nothing is
known of the pictures but noisy alt-texts; what was swapped can hardly be seen then. CPU seconds of one process.
"""

import argparse
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from recaption.core.digests import seed_from
from recaption.core.protocols import Context
from recaption.core.types import Caption, Evidence, Image, JsonValue, Kept, Provenance, Record
from recaption.demo.alt import noisy_alt
from recaption.demo.captions import ASPECTS, describe
from recaption.demo.dataset import evidence_of
from recaption.demo.world import Scene, sample_scenes
from recaption.media.checks.findings import About, findings
from recaption.media.checks.mending import mended
from recaption.prompts.library import prompt
from recaption.stages.caption import Retry
from recaption.stages.check import DEFAULT_POLICY, Check

BATCH = 64
FOREIGN = [
    "Un chien brun dort sur un canapé gris dans le salon.",
    "Ein roter Ball liegt auf dem Tisch neben einer blauen Flasche.",
    "Un perro negro está sentado en la hierba junto a un árbol.",
    "Красный мяч лежит на столе рядом с синей бутылкой.",
    "桌子上放着一个红色的球和一个蓝色的瓶子。",
    "赤いボールがテーブルの上にあります。",
    "빨간 공이 탁자 위에 놓여 있습니다.",
    "كرة حمراء على الطاولة بجانب زجاجة زرقاء.",
]
REFUSALS = [
    "I'm sorry, but I can't help with that.",
    "I cannot describe the content of this image.",
    "Sorry, I am unable to process this image.",
    "I can't provide a description of this picture as it violates our content policy.",
    "Unfortunately, I am not able to assist with this request.",
    "很抱歉，我无法描述这张图片。",
]
META = [
    "As an AI language model, I do not have the ability to see images.",
    "It seems that no image was provided. Please upload the image.",
    "I can't see the picture, but based on the alt text it may be a house.",
    "Let me know if you would like a longer description!",
    "Error: internal server error",
    "作为一个人工智能助手，我看不到图片。",
]


@dataclass(frozen=True)
class Answer:
    """What a model is made to say, and how it is said to have ended."""

    text: str
    finish: str = "stop"
    asked: str = "dense"


def _cut(text: str, rng: random.Random) -> str:
    words = text.split()
    cut = " ".join(words[: rng.randint(min(3, len(words) - 1), len(words) - 1)])
    return cut.rstrip(".,") if rng.random() < 0.7 else cut.rstrip(".")


def _loop(text: str, rng: random.Random) -> str:
    words = text.rstrip(".").split()
    start = rng.randint(2, max(2, len(words) - 4))
    unit = words[start : start + rng.randint(2, 6)]
    return " ".join(words[:start] + unit * rng.randint(6, 20))


def _sentence_loop(text: str, rng: random.Random) -> str:
    return " ".join([text] * rng.randint(3, 8))


def _megabyte(text: str, rng: random.Random) -> str:
    return f"{text} {rng.random()} " * (1_000_000 // len(text))


def _inside(mark: str) -> Callable[[str, random.Random], str]:
    def insert(text: str, rng: random.Random) -> str:
        place = rng.randint(1, len(text) - 1)
        return text[:place] + mark + text[place:]

    return insert


def _echo(rng: random.Random) -> Answer:
    aspect = rng.choice(["brief", "dense", "context", "product"])
    asked = prompt(aspect, "chat").text
    return Answer(asked if rng.random() < 0.5 else asked[: rng.randint(120, 400)], asked=aspect)


def _half_json(text: str, rng: random.Random) -> str:
    return f'{{"caption": "{text}'[: -rng.randint(1, 10)]


CLASSES: dict[str, Callable[[str, random.Random], Answer]] = {
    "cut, told": lambda t, r: Answer(_cut(t, r), "length"),
    "n-gram loop": lambda t, r: Answer(_loop(t, r), r.choice(["stop", "length"])),
    "sentence loop": lambda t, r: Answer(_sentence_loop(t, r)),
    "letter or mark run": lambda t, r: Answer(r.choice([t[:20] + "!" * 60, "!" * 200, "a" * 90, "? " * 40])),
    "refusal": lambda t, r: Answer(r.choice(REFUSALS)),
    "talk about itself": lambda t, r: Answer(r.choice(META)),
    "other language": lambda t, r: Answer(r.choice(FOREIGN)),
    "prompt echo": lambda t, r: _echo(r),
    "1 MB": lambda t, r: Answer(_megabyte(t, r)),
    "NUL": lambda t, r: Answer(_inside("\0")(t, r)),
    "half a surrogate": lambda t, r: Answer(_inside("\ud83d")(t, r)),
    "byte order mark": lambda t, r: Answer("\ufeff" + t if r.random() < 0.5 else _inside("\ufeff")(t, r)),
    "empty": lambda t, r: Answer(r.choice(["", " ", "\n\n", "\u200b", "\t \n"])),
    "half JSON": lambda t, r: Answer(_half_json(t, r), "length"),
    "chat marks": lambda t, r: Answer(
        r.choice([f"{t}<|im_end|>\n<|im_start|>user", f"ASSISTANT: {t}", f"{t}\nUser: ok"])
    ),
    "replacement characters": lambda t, r: Answer(_inside("\ufffd\ufffd")(t, r)),
}
TOGETHER = ("swapped", "stale")


@dataclass(frozen=True)
class Case:
    """One answer to one record: of which class, None where it is true; and what would have been true."""

    kind: str | None
    record: Record
    truth: str


def make_cases(wrong: int, seed: int, *, evidence: bool = True) -> list[Case]:
    """Return records with wrong answers of every class, and at least as many with true ones between them."""
    rng = random.Random(seed)
    kinds = [*CLASSES, *TOGETHER]
    scenes = list(sample_scenes(3 * wrong + 10, seed))
    truths = [describe(scene, "dense", i) for i, scene in enumerate(scenes)]
    cases: list[Case] = []
    made = position = turn = 0
    while made < wrong or position % BATCH:
        here, i = kinds[turn % len(kinds)], position
        if made >= wrong or rng.random() < 0.5 or i % BATCH > BATCH - 3:
            cases.append(_case(None, i, scenes[i], truths[i], Answer(truths[i])))
        elif here == "swapped":
            cases.append(_case(here, i, scenes[i], truths[i], Answer(truths[i + 1])))
            cases.append(_case(here, i + 1, scenes[i + 1], truths[i + 1], Answer(truths[i])))
        elif here == "stale":
            cases.append(_case(None, i, scenes[i], truths[i], Answer(truths[i])))
            cases.append(_case(here, i + 1, scenes[i + 1], truths[i + 1], Answer(truths[i])))
        else:
            cases.append(_case(here, i, scenes[i], truths[i], CLASSES[here](truths[i], rng)))
        turn += cases[position].kind is not None or len(cases) > position + 1
        made += sum(case.kind is not None for case in cases[position:])
        position = len(cases)
    return cases if evidence else [replace(case, record=replace(case.record, evidence=())) for case in cases]


def _case(kind: str | None, number: int, scene: Scene, truth: str, answer: Answer) -> Case:
    alt, _ = noisy_alt(scene, seed_from("wrong answers", number))
    details: dict[str, JsonValue] = {
        "generator": "g",
        "language": "en",
        "finish": answer.finish,
        "prompt": "dense/en@1",
    }
    written = Caption(
        text=answer.text,
        origin="model",
        aspect="dense",
        provenance=Provenance(stage="caption", details=details),
    )
    original = Caption(text=alt, origin="alt", provenance=Provenance(stage="source"))
    return Case(kind, replace(_known(scene, number), captions=(original, written)), truth)


def _known(scene: Scene, number: int) -> Record:
    evidence = tuple(
        Evidence(kind=piece["kind"], label=piece["label"], source="scene", attributes=piece["attributes"])  # type: ignore[arg-type, index, call-overload]
        for piece in evidence_of(scene)
    )
    name = f"{number:06d}.jpg"
    return Record(key=name, image=Image(data=name.encode(), name=name), evidence=evidence)


class Distinct:
    """Images of which no two are equal."""

    fingerprint = ""

    def digest(self, record: Record) -> str:
        return record.key


@dataclass(frozen=True)
class Verdict:
    """What became of an answer: `kept`, `mended` or `dropped`, and what was found."""

    case: Case
    outcome: str
    flags: tuple[str, ...]
    text: str | None
    """What stands in its place."""

    @property
    def asked_again(self) -> bool:
        return not set(self.flags).isdisjoint(Retry().on)

    @property
    def stored_as_good(self) -> bool:
        """Whether something stands, undoubted, that is neither true nor the beginning of what is true."""
        if self.text is None or "stray" in self.flags:
            return False
        truths = (self.case.truth, mended(self.case.truth, ["opener"]) or "")
        return self.outcome == "kept" or not any(truth.startswith(self.text.rstrip(".")) for truth in truths)


def judge(cases: Sequence[Case]) -> Iterator[Verdict]:
    """Yield what the stage makes of each, in batches."""
    stage = Check(Check.Params())
    context = Context(images=Distinct(), ledger=None, meter=None)  # type: ignore[arg-type]
    for start in range(0, len(cases), BATCH):
        batch = cases[start : start + BATCH]
        for case, outcome in zip(batch, stage.process([c.record for c in batch], context), strict=True):
            assert isinstance(outcome, Kept)
            first, *others = [c for c in outcome.record.captions if c.origin == "model"]
            left = next((c.text for c in others if c.kept), None)
            if first.kept:
                yield Verdict(case, "kept", tuple(first.flags), first.text)
            else:
                flags = tuple(name for c in (first, *others) for name in c.flags)
                yield Verdict(case, "mended" if left is not None else "dropped", flags, left)


def read_captions(path: Path) -> list[str]:
    """Return the captions of a file."""
    text = path.read_text("utf-8")
    if not text.lstrip().startswith("{"):
        return [line for line in text.splitlines() if line.strip()]
    decoder, place, found = json.JSONDecoder(), 0, []
    while text[place:].strip():
        place += len(text[place:]) - len(text[place:].lstrip())
        value, place = decoder.raw_decode(text, place)
        found += [a["caption"] for a in value["annotations"]] if "annotations" in value else [value["text"]]
    return found


def speed(texts: Sequence[str]) -> float:
    """Return texts per CPU second through `findings`, the best of five rounds."""
    about = About(language="en", finish_reason="stop", context_texts=("a photo from my holiday", "000017.jpg"))
    best = 0.0
    for _ in range(5):
        start = time.process_time()
        for text in texts:
            findings(text, about)
        best = max(best, len(texts) / (time.process_time() - start))
    return best


def false_alarms(texts: Sequence[str]) -> Counter[str]:
    """Return how many texts each finding is said of."""
    about = About(language="en", finish_reason="stop")
    return Counter(finding.name for text in texts for finding in findings(text, about))


def _print_verdicts(verdicts: Sequence[Verdict]) -> None:
    by_kind: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        by_kind[verdict.case.kind or "true"].append(verdict)
    print(
        f"{'class':24}{'cases':>6}{'dropped':>9}{'mended':>8}{'kept':>6}{'as good':>9}{'retried':>9}  findings"
    )
    for kind, group in by_kind.items():
        outcomes = Counter(verdict.outcome for verdict in group)
        wrong = sum(v.stored_as_good for v in group) if kind != "true" else 0
        named = Counter(name for verdict in group for name in dict.fromkeys(verdict.flags))
        found = ", ".join(f"{name} {number}" for name, number in named.most_common(4))
        again = sum(v.asked_again for v in group)
        print(
            f"{kind:24}{len(group):6}{outcomes['dropped']:9}{outcomes['mended']:8}{outcomes['kept']:6}"
            f"{wrong:9}{again:9}  {found}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--alt-only", action="store_true")
    parser.add_argument("--captions", type=Path, nargs="*", default=[])
    args = parser.parse_args()
    _print_verdicts(list(judge(make_cases(args.cases, args.seed, evidence=not args.alt_only))))
    sets = {
        "demo world": [
            describe(scene, aspect, i)
            for i, scene in enumerate(sample_scenes(100, args.seed))
            for aspect in ASPECTS
        ]
    }
    sets |= {path.name: read_captions(path) for path in args.captions}
    print(f"\n{'good captions':32}{'texts':>7}{'characters':>11}{'texts/s':>9}  findings (* drops, + mends)")
    marks = {"drop": "*", "fix": "+", "flag": ""}
    for name, texts in sets.items():
        found = false_alarms(texts).most_common()
        told = ", ".join(f"{f}{marks[DEFAULT_POLICY.get(f, 'drop')]} {n / len(texts):.2%}" for f, n in found)
        length = sum(map(len, texts)) / len(texts)
        print(f"{name:32}{len(texts):7}{length:11.0f}{speed(texts):9.0f}  {told or 'none'}")


if __name__ == "__main__":
    main()
