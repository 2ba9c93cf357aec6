"""The comparison as a whole: train on every column from every seed, test all alike, remember what is done.

What to test with decides who looks good: on a column's own held-out texts, detail is rewarded in whatever style it
comes, and texts that say nothing cannot be found by anybody. So every model is tested with every set of texts there
is: the references, others that the caller gives, and each column's own. The headline is a test that all columns share
and none has written, the references or what the caller gives; without one it is the baseline's own texts, the hardest
for any other column.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from recaption.core.digests import canonical_json, digest_json
from recaption.core.errors import DataError, MissingExtraError, RunFolderError
from recaption.core.protocols import Images
from recaption.core.types import JsonValue
from recaption.datasets.atomic import make_folder, write_atomic
from recaption.datasets.typed_json import from_plain, to_plain
from recaption.evaluation.downstream.data import Pairs, Tests, prepare
from recaption.evaluation.downstream.options import DownstreamOptions
from recaption.evaluation.downstream.outcome import MEASURES, Outcome, Trained, figures
from recaption.evaluation.downstream.uncertainty import FEW_SEEDS
from recaption.evaluation.subject import Subject

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["REFERENCES", "DownstreamProgress", "downstream"]

REFERENCES: Final = "references"
"""Name of the test whose texts are the items' references."""
_VERSION: Final = 1
"""Raised whenever the same input trains another way."""
_DEFAULTS: Final = DownstreamOptions()
_SHOWN_BY_THE_ARRAYS: Final = {"seeds", "held_out", "min_held_out", "max_items", "vocabulary"}
"""Options that decide a training through its arrays alone: more seeds pay for no old ones."""
_WORTH_SAYING: Final = 0.05
_NO_COMMON_TEST: Final = (
    "There are no texts to test with that no column has written; the headline is tested with those of {!r}, which "
    "favours that column. Look at the tests with the other columns' texts too."
)
_SMALL: Final = (
    "A small model and a small budget: the difference says which texts teach more, the recall itself nothing about "
    "what a real training would reach."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DownstreamProgress:
    """How far it is: pictures decoded, or steps trained of all trainings together."""

    what: str
    """`pictures`, or the column and the seed that are trained."""
    done: int
    total: int
    loss: float | None = None


def downstream(
    subject: Subject,
    options: DownstreamOptions = _DEFAULTS,
    *,
    make_images: Callable[[], Images],
    folder: Path | None = None,
    tests: Tests | None = None,
    watch: Callable[[DownstreamProgress], None] = lambda progress: None,
) -> Outcome:
    """Train the same model on each column with the same budget, and compare recall on the items held out.

    Args:
        make_images: Gives the images of one batch a place to be decoded.
        folder: Where finished trainings are remembered, each as soon as it is done; None: nowhere.
        tests: Texts to test all models with, item by item of the subject, the first of them the headline; the items'
            references if None.
        watch: Told about progress.

    Raises:
        BackendError: A training came to nothing; those before it are remembered.
        MissingExtraError: torch is not installed.
        RunFolderError: What the folder remembers is damaged, or it cannot be written.
        UserError: Too few items have an image and a text in every column, or a test does not fit.
    """
    training = _training()
    given = _references(subject) if tests is None else dict(tests)
    pairs = prepare(
        subject,
        given,
        options,
        make_images,
        lambda done, total: watch(DownstreamProgress(what="pictures", done=done, total=total)),
    )
    pairs, notes = _without_thin_tests(pairs, options)
    settings = options.model_dump(mode="json", exclude=_SHOWN_BY_THE_ARRAYS)
    pools = {name: len(set(texts.owners.tolist())) for name, texts in pairs.tests.items()}
    store = _Store(folder, [_VERSION, training.LIBRARY, settings, pairs.digest], pools)
    trained: dict[str, list[Trained]] = {column: [] for column in subject.columns}
    recalled, total = 0, options.seeds * len(subject.columns) * options.steps
    for seed in range(options.seeds):  # seed by seed, so that what an interrupted call leaves is in pairs
        for column in subject.columns:
            place = store.place(pairs.columns[column].digest, seed)
            done = sum(map(len, trained.values())) * options.steps
            known = store.recall(place)
            if known is None:
                told = _Told(watch, f"{column}, seed {seed}", done, total)
                known = training.train(pairs, column, seed, options, told)
                store.remember(place, known)
            else:
                recalled += 1
                watch(DownstreamProgress(what=f"{column}, seed {seed}", done=done + options.steps, total=total))
            trained[column].append(known)
    headline = next((name for name in given if name in pairs.tests), subject.columns[0])
    if headline == subject.columns[0]:
        notes.append(_NO_COMMON_TEST.format(headline))
    return Outcome(
        columns=subject.columns,
        headline=headline,
        figures=figures(subject.columns, list(pairs.tests), trained, subject.seed),
        notes=notes + _warnings(pairs, options),
        trained_on=len(pairs.train_pixels),
        held_out=len(pairs.test_pixels),
        left_out=pairs.left_out,
        losses={column: [some.loss for some in trainings] for column, trainings in trained.items()},
        cut={column: texts.cut for column, texts in pairs.columns.items()},
        unknown={test: texts.unknown for test, texts in pairs.tests.items()},
        seconds=sum(some.seconds for trainings in trained.values() for some in trainings),
        recalled=recalled,
        about={
            "options": options.model_dump(mode="json"),
            "split_seed": subject.seed,
            "vocabulary": pairs.words,
            "weights": trained[subject.columns[0]][0].weights,
            "library": training.LIBRARY,
        },
    )


def _training() -> ModuleType:
    try:
        from recaption.evaluation.downstream import training
    except ImportError as error:
        package = (error.name or "torch").partition(".")[0]
        raise MissingExtraError("training a dual encoder on each column", package, "hf") from error
    return training


def _references(subject: Subject) -> dict[str, list[tuple[str, ...]]]:
    """Return the references as a test; nothing if there are none, or a column has that name and is a test itself."""
    if REFERENCES in subject.columns or not any(item.references for item in subject.items):
        return {}
    return {REFERENCES: [item.references for item in subject.items]}


def _without_thin_tests(pairs: Pairs, options: DownstreamOptions) -> tuple[Pairs, list[str]]:
    """Leave out tests with too small a pool: among few, everything is found."""
    pools = {name: len(set(texts.owners.tolist())) for name, texts in pairs.tests.items()}
    thin = {name: pool for name, pool in pools.items() if pool < options.min_held_out}
    notes = [
        f"Not tested with {name!r}: only {pool} of {len(pairs.test_pixels)} items held out have a text there, and "
        f"{options.min_held_out} are needed."
        for name, pool in thin.items()
    ]
    return replace(pairs, tests={name: texts for name, texts in pairs.tests.items() if name not in thin}), notes


def _warnings(pairs: Pairs, options: DownstreamOptions) -> list[str]:
    """Return what limits the figures."""
    said = []
    if options.seeds == 1:
        said.append(
            "One training a column says nothing of how trainings differ: the intervals are of the items alone."
        )
    elif options.seeds < FEW_SEEDS:
        said.append(
            f"{options.seeds} trainings a column are few: where trainings differ more than items do, the intervals "
            "are too narrow. Look at the difference of each seed."
        )
    said += [
        f"{share:.0%} of the texts of {column!r} are longer than {options.text_words} words; "
        "their ends taught nothing."
        for column, share in ((name, texts.cut) for name, texts in pairs.columns.items())
        if share >= _WORTH_SAYING
    ]
    said += [
        f"{share:.0%} of the words tested with in {test!r} occur in no column's training texts."
        for test, share in ((name, texts.unknown) for name, texts in pairs.tests.items())
        if share >= _WORTH_SAYING
    ]
    said.append(_SMALL)
    return said


@dataclass(frozen=True, slots=True)
class _Told:
    """Hands on the progress of one training as that of all."""

    watch: Callable[[DownstreamProgress], None]
    what: str
    done: int
    total: int

    def __call__(self, step: int, loss: float) -> None:
        self.watch(DownstreamProgress(what=self.what, done=self.done + step, total=self.total, loss=loss))


class _Store:
    """Finished trainings by all that decides them, one file each."""

    def __init__(self, folder: Path | None, decides: Sequence[JsonValue], pools: Mapping[str, int]) -> None:
        self._folder, self._decides, self._pools = folder, list(decides), pools
        if folder is not None:
            make_folder(folder)

    def place(self, texts: str, seed: int) -> Path | None:
        """Return the file of a training on texts with this digest; None without a folder."""
        return (
            None
            if self._folder is None
            else self._folder / f"{digest_json([*self._decides, texts, seed])}.json"
        )

    def recall(self, place: Path | None) -> Trained | None:
        """Return what a training gave, if it is remembered. Raises RunFolderError."""
        if place is None:
            return None
        try:
            trained = from_plain(Trained, json.loads(place.read_bytes()))
            if any(trained.items_of(test) != [pool] * len(MEASURES) for test, pool in self._pools.items()):
                raise DataError("it holds other tests")
            return trained
        except FileNotFoundError:
            return None
        except (OSError, ValueError, DataError) as error:
            raise RunFolderError(f"{place} cannot be read ({error}). Remove it to train again.") from error

    def remember(self, place: Path | None, trained: Trained) -> None:
        """Keep what a training gave. Raises RunFolderError."""
        if place is not None:
            write_atomic(place, (canonical_json(to_plain(trained)) + "\n").encode())
