"""Learning a preference model from an audit, from names to files.

```
out/audit/
  preference.json   the head: a recipe scores by it as `preference: {file: out/audit/preference.json}`
  calls.sqlite      embeddings and scores that are not paid for again
```
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from recaption import __version__
from recaption.audit.examples import Examples, examples_of, without
from recaption.audit.held_out import Comparison, Figure
from recaption.audit.learning import Lesson, learned, require_lesson
from recaption.audit.project import About
from recaption.core.errors import UserError
from recaption.core.protocols import Closing, EmbeddedText, Embedder
from recaption.core.types import Record
from recaption.datasets.atomic import make_folder, write_atomic
from recaption.datasets.ledger import SqliteLedger
from recaption.datasets.run_folder import RunFolder
from recaption.evaluation.extract.embeddings import embeddings
from recaption.evaluation.subject import Item, Subject
from recaption.evaluation.tools import Tools
from recaption.media.images import BatchImages
from recaption.models.preference import pinned
from recaption.models.preference_head import Head, features
from recaption.recipes.backends import BackendValue, backend
from recaption.recipes.recipe import ImagePolicy, Recipe, load_recipe
from recaption.runs.audit_scores import plain_scores
from recaption.runs.remembered import ClosedMeter
from recaption.runs.run import limits_of

if TYPE_CHECKING:
    from recaption.audit.store import AuditStore

__all__ = ["Learned", "learn"]

Floats: TypeAlias = NDArray[np.float64]

PREFERENCE_FILE: Final = "preference.json"
OURS: Final = ("store.sqlite", "quality.json", "rulings.jsonl", "calls.sqlite", PREFERENCE_FILE)
"""What marks the folder of an audit."""
_LABEL: Final = "encoder"
_BETWEEN: Final = (
    "it tells which captions people accept, for thresholds and triage; whether it also chooses better among the "
    "captions of one image, an audit that compares them can tell"
)
_KINDS: Final = {
    "accepted": "accepted above not accepted",
    "preferred": "preferred above another",
    "edited": "edited above the caption (decides nothing)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What was learned from an audit."""

    lesson: Lesson
    head: Head
    file: Path | None
    """Where the head was written; None where it was not."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Words or items that taught nothing: reason to how many."""
    notes: Sequence[str] = ()
    """What to know beside the figures: scorers that could not be asked about what people wrote."""
    paid: int = 0
    """Calls made of models; what was remembered is not among them."""

    @property
    def sentence(self) -> str:
        """What the head is worth and whether it was written, in a line for people."""
        found = self.lesson
        told = {
            "better": f"Better than {found.against} {found.scope}, on judgements that it had not learned from.",
            "no better": f"No better than {found.against} {found.scope}, on judgements that it had not learned from.",
            "too few": "Too few judgements to tell whether it is any better than the scores there are: it takes 50 "
            "captions accepted and 50 not, or 50 preferences.",
        }[found.verdict]
        if self.file is not None:
            return f"{told} Written to {self.file}."
        return f"{told} Nothing was written; --even-so writes it."

    def rows(self) -> list[list[str]]:
        """Return the comparisons as text, the header first: shares of held-out pairs where the better text wins."""
        header = ["held-out pairs", "items", "pairs", "learned", "best plain score", "", "gain"]
        return [header, *(_row(comparison) for comparison in self.lesson.comparisons)]


def learn(
    folder: Path,
    store: AuditStore,
    out_file: Path | None = None,
    *,
    scorer: BackendValue | None = None,
    seed: int = 0,
    even_so: bool = False,
    watch: Callable[[str], None] = lambda doing: None,
) -> Learned:
    """Learn what people accept from what stands in a store; learn again and no model is asked twice.

    A head that is no better than the plain scores, or of which that cannot be told yet, is written only if asked for:
    a recipe that ranks by it would be slower and no better.

    Args:
        folder: Of the audit; the recipe that lies there says which scorers there are and how images are read.
        out_file: Where the head goes; `FOLDER/audit/preference.json` if None.
        scorer: The encoder that the head is learned on, as a recipe names it; if None, the recipe's first that embeds
            images and texts.
        seed: Decides folds, resamples, and which items are taken of very many.
        even_so: Write it whatever it is worth.
        watch: Told what is being done.

    Raises:
        UserError: There is nothing to learn from yet, or no encoder, or it cannot be loaded.
        BackendError: A model or the ledger fails. What was paid for is remembered.
    """
    about = About.of(store.settings.about)
    examples = examples_of(store.items(), store.verdicts(standing_only=True), about, seed=seed)
    require_lesson(examples)
    recipe = _recipe(folder, about)
    named = scorer if scorer is not None else _first_encoder(recipe)
    with _opened(folder, named, recipe) as tools:
        watch(f"embedding {len(examples.keys):,} images and {len(examples.texts):,} texts")
        encoder = cast(Embedder, tools.image_text[_LABEL])
        examples, found = _embedded(examples, tools)
        plain, notes = plain_scores(examples, found[:, 0], recipe, tools)
        paid = cast(SqliteLedger, tools.ledger).paid
        watch("learning")
        lesson = learned(examples, found, plain, seed=seed)
        if lesson.verdict == "better" and lesson.scope == "between images":
            notes.append(_BETWEEN)
        if lesson.pairs["edit"] and not lesson.edits_taught:
            notes.append(
                "edited texts were not learned from: without them, other judgements are foretold better"
            )
        head = _head(lesson, pinned(named, encoder).model_dump(), examples, seed)
    file = out_file or folder / "audit" / PREFERENCE_FILE
    written = lesson.verdict == "better" or even_so
    if written:
        make_folder(file.parent)
        write_atomic(file, head.to_bytes())
    return Learned(
        lesson=lesson,
        head=head,
        file=file if written else None,
        left_out=examples.left_out,
        notes=notes,
        paid=paid,
    )


def _recipe(folder: Path, about: About) -> Recipe | None:
    """Return the recipe of the run that was audited; None where it is not here."""
    for place in (folder, Path(about.source)) if about.source else (folder,):
        if (place / "recipe.yaml").is_file():
            return load_recipe(str(place / "recipe.yaml"))
    return None


def _first_encoder(recipe: Recipe | None) -> BackendValue:
    for label, value in (recipe.scorers if recipe else {}).items():
        if isinstance(backend("scorers", value, f"score.scorers.{label}").build(), Embedder):
            return value
    raise UserError(
        "no scorer of this run embeds images and texts, and a preference model is learned on such embeddings. "
        "Name one: --scorer MODEL"
    )


@contextmanager
def _opened(folder: Path, named: BackendValue, recipe: Recipe | None) -> Iterator[Tools]:
    """Hold the audit's ledger and give the encoder until all is learned."""
    encoder = backend("scorers", named, "--scorer").build()
    if not isinstance(encoder, Embedder):
        raise UserError(f"--scorer: {encoder.name} embeds no images and texts. CLIP, SigLIP and their kin do.")
    policy = recipe.images if recipe is not None else ImagePolicy()
    limits = limits_of(policy)
    place = folder / "audit"
    with ExitStack() as open_until_done:
        open_until_done.enter_context(RunFolder(place).locked(ours=OURS))
        if isinstance(encoder, Closing):
            open_until_done.callback(encoder.close)
        ledger = SqliteLedger(place / "calls.sqlite")
        open_until_done.callback(ledger.close)
        yield Tools(
            ledger=ledger,
            meter=ClosedMeter("learning from an audit asks no generator"),
            make_images=lambda: BatchImages(limits, policy.max_side_px),
            image_text={_LABEL: encoder},
        )


def _embedded(examples: Examples, tools: Tools) -> tuple[Examples, Floats]:
    """Return the examples whose images can be read, and the features of their texts."""
    texts: list[list[str]] = [[] for _ in examples.keys]
    for judged in examples.texts:
        texts[judged.item].append(judged.text)
    items = tuple(
        Item(key=key, texts=(tuple(some),), record=Record(key=key, image=image))
        for key, image, some in zip(examples.keys, examples.images, texts, strict=True)
    )
    found = embeddings(Subject(columns=("judged",), items=items), _LABEL, tools)
    # Texts come back by item, in the order in which they went in; and so they lie in the examples.
    read = found.texts["judged"]
    known = found.images.known[read.owners]
    kept = without(examples, np.flatnonzero(~found.images.known).tolist(), "items whose image cannot be read")
    require_lesson(kept)
    told = [
        EmbeddedText(vector, int(tokens), int(unseen))
        for vector, tokens, unseen in zip(
            read.vectors[known], read.tokens[known], read.unseen[known], strict=True
        )
    ]
    images = found.images.vectors[read.owners[known]].astype(np.float64)
    return kept, features(images, [judged.text for judged in kept.texts], told)


def _head(lesson: Lesson, encoder: Mapping[str, Any], examples: Examples, seed: int) -> Head:
    return Head.model_validate(
        {
            "encoder": encoder,
            "mean": lesson.mean.tolist(),
            "scale": lesson.scale.tolist(),
            "weights": lesson.weights.tolist(),
            "bias": lesson.bias,
            "verdict": lesson.verdict,
            "against": lesson.against,
            "scope": lesson.scope,
            "learned": {
                "recaption": __version__,
                "seed": seed,
                "items": lesson.items,
                "accepted": lesson.accepted,
                "not accepted": lesson.rejected,
                "pairs": dict(lesson.pairs),
                "left out": dict(examples.left_out),
                "edits taught": lesson.edits_taught,
                "strength": lesson.strength,
                "held out": [asdict(comparison) for comparison in lesson.comparisons],
            },
        }
    )


def _row(found: Comparison) -> list[str]:
    few = "" if found.enough or found.kind == "edited" else " (too few to decide)"
    return [
        _KINDS[found.kind] + few,
        f"{found.items:,}",
        f"{found.pairs:,}",
        _share(found.learned),
        found.against,
        _share(found.best),
        _share(found.gain, sign="+"),
    ]


def _share(figure: Figure, sign: str = "") -> str:
    of = figure.interval
    told = f"{figure.value:{sign}.3f}"
    return told if of is None else f"{told} ({of.low:{sign}.3f} to {of.high:{sign}.3f})"
