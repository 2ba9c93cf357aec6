"""What an evaluation's figures cannot show, as far as it is known beforehand: who chose, who was taught by what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from recaption.core.protocols import Scorer
from recaption.datasets.run_folder import RunFolder
from recaption.evaluation.background import foundation_of, model_of, selecting_scorers
from recaption.evaluation.loading import Loaded
from recaption.evaluation.result import Evaluation
from recaption.evaluation.subject import Subject
from recaption.evaluation.tools import Tools
from recaption.models.preference import PreferenceScorer
from recaption.models.preference_head import read_head

__all__ = ["known_limits", "with_caveat"]

_EVEN: Final = 0.05
"""Texts an item by which columns may differ before it is said."""


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A scorer of the evaluation by which, or by whose encoder, captions were chosen."""

    label: str
    scorer: Scorer
    by: str
    """Name of the scorer that chose."""

    @property
    def same(self) -> bool:
        """It is that very scorer; else only the encoder is the same."""
        return model_of(self.by) == model_of(self.scorer.name)

    @property
    def told(self) -> str:
        if self.same:
            return (
                f"Captions were chosen by the very scorer that {self.label} is here ({self.scorer.name}): "
                "its figures favour them. Name another one with --scorer."
            )
        chooser, encoder = model_of(self.by), foundation_of(self.by)
        rests = f", which rests on {encoder}" if encoder != chooser else ""
        return (
            f"Captions were chosen by {chooser}{rests}; {self.label} rests on that encoder as well "
            f"({self.scorer.name}), so its figures favour them. Name another one with --scorer."
        )

    @property
    def caveat(self) -> tuple[str, str]:
        """A sentence for the verdict, and a few words for the headline."""
        if self.same:
            return (
                "By the scorer that chose these captions, so it favours them; ask another one with --scorer.",
                "by the scorer that chose the captions",
            )
        return (
            "By the encoder that the choice of these captions rests on, so it favours them; ask another one with "
            "--scorer.",
            "by the encoder that the choice of the captions rests on",
        )


def known_limits(loaded: Loaded, tools: Tools, folders: Sequence[RunFolder]) -> list[str]:
    """Return what the figures do not show, a sentence each."""
    subject = loaded.subject
    found = [chosen.told for chosen in _choosers(loaded, tools)]
    found += [_taught(label, scorer, folders) for label, scorer in _learned(tools)]
    found += _uneven(subject)
    if any(foundation_of(scorer.name).startswith("embedded@") for _, scorer in _scorers(tools)):
        found.append(
            "The embedded scorer knows the demo's drawn scenes only; of photos its figures say nothing."
        )
    if subject.label_source:
        found.append(
            f"What is in the images is known from: {subject.label_source}. What it misses counts as invented."
        )
    found.append(
        "Every interval is at 95 % by itself: of twenty figures that do not change, one is expected to seem clear."
    )
    if loaded.refused:
        told = "; ".join(f"{why} ({keys})" for why, keys in loaded.refused.items())
        found.append(f"{loaded.counts['unreadable']:,} records could not be read: {told}.")
    return found


def with_caveat(
    evaluation: Evaluation, loaded: Loaded, tools: Tools, folders: Sequence[RunFolder]
) -> Evaluation:
    """Say in the verdict itself where it is by whoever chose the captions, or was taught by verdicts on them."""
    row = next((row for row in evaluation.rows if row.about.name == evaluation.headline), None)
    if row is None or row.about.group not in ("retrieval", "agreement"):
        return evaluation
    speaker = next(iter(_scorers(tools)), None)
    if speaker is None:
        return evaluation
    label, scorer = speaker
    caveats = [chosen.caveat for chosen in _choosers(loaded, tools) if chosen.label == label]
    if isinstance(scorer, PreferenceScorer) and _teacher(scorer, folders) is not None:
        caveats.insert(
            0,
            (
                "By a score that was taught by people's verdicts on this very run; ask an encoder with --scorer.",
                "by a score taught by verdicts on this run",
            ),
        )
    if not caveats:
        return evaluation
    sentence, words = caveats[0]
    return replace(evaluation, verdict=f"{evaluation.verdict} {sentence}", caveat=words)


def _scorers(tools: Tools) -> Iterator[tuple[str, Scorer]]:
    """Yield all that look at texts and images; the headline is by the first."""
    yield from tools.image_text.items()
    yield from tools.pair_scorers.items()


def _learned(tools: Tools) -> Iterator[tuple[str, PreferenceScorer]]:
    for label, scorer in tools.pair_scorers.items():
        if isinstance(scorer, PreferenceScorer):
            yield label, scorer


def _choosers(loaded: Loaded, tools: Tools) -> list[_Chosen]:
    """Return the scorers by which captions of some column were chosen, or whose encoder was behind that."""
    names = frozenset[str]().union(
        *(selecting_scorers(list(records.values())) for records in loaded.records.values())
    )
    found = []
    for label, scorer in _scorers(tools):
        related = sorted(name for name in names if foundation_of(name) == foundation_of(scorer.name))
        related.sort(key=lambda name: model_of(name) != model_of(scorer.name))
        if related:
            found.append(_Chosen(label, scorer, related[0]))
    return found


def _teacher(scorer: PreferenceScorer, folders: Sequence[RunFolder]) -> Path | None:
    """Return the file of the run whose verdicts taught a head; None where none of these runs did."""
    for folder in folders:
        file = folder.root / "audit" / "preference.json"
        if file.is_file() and model_of(scorer.name) == f"preference@{read_head(file).digest[:8]}":
            return file
    return None


def _taught(label: str, scorer: PreferenceScorer, folders: Sequence[RunFolder]) -> str:
    file = _teacher(scorer, folders)
    if file is not None:
        return (
            f"{label} was taught by people's verdicts on this very run ({file}): of the captions that they judged it "
            "repeats what they said, which is no proof. Judge others, or ask an encoder with --scorer."
        )
    return (
        f"{label} was learned from people's verdicts ({scorer.name}). If those were on captions that are evaluated "
        "here, it repeats what they said."
    )


def _uneven(subject: Subject) -> list[str]:
    """Say where columns have different numbers of texts for the same items: some figures hang on that alone."""
    counts = {}
    for column in subject.columns:
        some = [len(texts) for texts in subject.texts(column) if texts]
        counts[column] = sum(some) / len(some) if some else 0.0
    if max(counts.values()) - min(counts.values()) <= _EVEN:
        return []
    told = ", ".join(f"{column} {n:.3g}" for column, n in counts.items())
    return [
        f"Columns have different numbers of texts an item ({told}): what is counted over a column as a whole "
        "(openings, duplicates, vocabulary, Vendi) is not to be compared. Rows that share a key are one item."
    ]
