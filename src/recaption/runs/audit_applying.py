"""Bring what people decided in an audit into the run that was audited, doing nothing else again.

The rulings become a file of the run folder, and the run goes on with them: a kill at any moment costs what was being
done, and the same call again ends in the same bytes. Whoever runs the recipe later, changed or not, heeds them too.

A run may be audited several times: an audit's rulings replace those it gave before, and stand beside those of others.
Each remembers the picture it is on, as it is when its verdicts are first applied: nothing tells sooner what bytes lay
at a path. Only pictures that were ruled on are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recaption.audit.project import About
from recaption.audit.rulings import rulings_in
from recaption.core.digests import digest_bytes
from recaption.core.errors import BudgetError, ImageError, RunFolderError, UserError
from recaption.core.protocols import Reader
from recaption.core.types import Image
from recaption.datasets.atomic import make_folder, remove_stale_parts
from recaption.datasets.detect import open_dataset
from recaption.datasets.meter import Budget
from recaption.datasets.readers.options import ReaderOptions
from recaption.datasets.rulings import Ruling, read_rulings, rulings_place, write_rulings
from recaption.datasets.run_folder import RunFolder
from recaption.media.image_bytes import read_bytes
from recaption.recipes.recipe import load_recipe
from recaption.recipes.strict import validated
from recaption.runs.heeding import APPLYING, AUDIT, FAILED, NOTHING_LEFT, OVERRULED
from recaption.runs.run import Progress, RunOptions, Summary, run

if TYPE_CHECKING:
    from recaption.audit.store import AuditStore

__all__ = ["Applied", "apply"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of all rulings that hold for a run, and what it took to heed those that were new.

    Where several audits ruled on one record, each of their rulings counts for what it did when its turn came.
    """

    rulings: int
    accepted: int
    edited: int
    to_candidate: int
    """Rejected; another candidate stands."""
    to_original: int
    """Rejected; the text that came with the data stands."""
    dropped: int
    """Rejected; nothing else may stand."""
    not_chosen: int
    """Rejected, and no longer chosen anyway, because the recipe has changed since."""
    preferred: int
    failed: int
    """Edited; the new text could not be scored."""
    overruled: int
    """On records that a ruling of another audit dropped, or whose new text could not be scored."""
    stale: int
    """On captions, pictures or records that are there no more; nothing was done."""
    redone: int
    """Records this call has touched."""
    calls_paid: int
    summary: Summary
    """Of the run as a whole."""


def apply(
    folder: RunFolder,
    said: AuditStore | Iterable[Ruling],
    *,
    workers: int | None = None,
    budget: Budget | None = None,
    even_so: bool = False,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Applied:
    """Heed what people decided.

    Args:
        said: The store of an audit: its rulings replace those it gave before, and other audits' stay. Or all rulings
            there are: what was given before and is not among them no longer holds.
        budget: The most that a generator's calls may cost; without one, no generator is asked for anything.
        even_so: Apply a store though by what it says another folder was audited: the run's folder was moved since.

    Raises:
        RunFolderError: There is no run, it has not ended (unless it was this that was stopped), another one is
            writing to the folder, or the store holds items of something else; nothing was changed.
        UserError: Another folder was audited, or the input of the run cannot be read any more, and nothing was
            changed; or input, recipe or models have changed since, and captions would have to be written.
        BackendError: A scorer is gone; the same call goes on later.
    """
    about = folder.describe()
    if not about.get(APPLYING):
        folder.require_complete()
    recipe = load_recipe(str(folder.root / "recipe.yaml"))
    store = None if isinstance(said, Iterable) else said
    if store is not None and not even_so:
        _refuse_another(folder, store)
    new = list(said) if isinstance(said, Iterable) else _rulings(folder, said, recipe.images.max_bytes)
    rulings: list[Ruling] = []
    try:
        summary = run(
            _reader(about["input"]),
            recipe,
            folder,
            _options(about, workers, budget),
            source=about["input"],
            watch=watch,
            before=lambda: rulings.extend(_written(new, store, folder, about)),
            applying=True,
        )
    except BudgetError as error:
        if budget is not None:
            raise
        raise UserError(
            f"{folder.root} is no longer done: its input, recipe or models have changed, and captions would have to "
            "be written. Run it again; the verdicts lie in it, and every run heeds them"
        ) from error
    return _applied(len(rulings), summary)


def _rulings(folder: RunFolder, store: AuditStore, max_bytes: int) -> list[Ruling]:
    """Return the rulings that an audit comes to, each with the digest of its picture, as far as it can be read."""
    known = {(r.key, r.verdicts): r.picture for r in _lying(folder) if r.audit == store.created_ms}

    def picture(ruling: Ruling, image: Image) -> str:
        # Read once: by the next time another one may lie there, which these people have not seen.
        if digest := known.get((ruling.key, ruling.verdicts)):
            return digest
        try:
            return digest_bytes(read_bytes(image, max_bytes))
        except ImageError:
            return ""

    return rulings_in(store, picture)


def _lying(folder: RunFolder) -> list[Ruling]:
    return [ruling for several in read_rulings(rulings_place(folder.root)).values() for ruling in several]


def _of_others(folder: RunFolder, store: AuditStore) -> list[Ruling]:
    """Return the rulings in a run folder that other audits gave.

    Older ones do not say which audit they are of. The log tells: it keeps every word, and when it was said.
    """
    lying = [ruling for ruling in _lying(folder) if ruling.audit != store.created_ms]
    if all(ruling.audit for ruling in lying):
        return lying
    log = {(verdict.key, verdict.id, verdict.at_ms / 1000) for verdict in store.verdicts()}
    return [r for r in lying if r.audit or not any((r.key, verdict, r.at) in log for verdict in r.verdicts)]


def _options(about: Mapping[str, Any], workers: int | None, budget: Budget | None) -> RunOptions:
    """Return how the run was done, so that it is found done."""
    options = RunOptions(
        seed=about["seed"],
        shard_size=about["shard_size"],
        batch_size=about.get("batch_size", RunOptions().batch_size),
        budget=budget or Budget(),
        ask_generators=budget is not None,
    )
    return options if workers is None else replace(options, workers=workers)


def _written(
    new: Sequence[Ruling], store: AuditStore | None, folder: RunFolder, about: Mapping[str, Any]
) -> list[Ruling]:
    """Write the rulings into a run folder that is still as it was described; return all that hold now."""
    if folder.describe() != about:
        raise RunFolderError(
            f"another run has written to {folder.root} meanwhile; nothing was applied. "
            "Once it has ended, apply again"
        )
    rulings = [*new, *([] if store is None else _of_others(folder, store))]
    place = rulings_place(folder.root)
    if rulings or place.is_file():
        make_folder(place.parent)
        remove_stale_parts(place.parent)
        write_rulings(place, rulings)
    return rulings


def _refuse_another(folder: RunFolder, store: AuditStore) -> None:
    """Refuse verdicts on something else: its records may bear the same keys. Who says nothing is believed."""
    source = About.of(store.settings.about).source
    if source and Path(source).resolve() != folder.root.resolve():
        raise UserError(
            f"the audit is of {source}, not of {folder.root.absolute()}; nothing was changed. Apply it to the run it "
            "is of, or name the folder of this run's audit: --audit DIR. If it is this run, moved since: --even-so"
        )


def _reader(spec: Mapping[str, Any]) -> Reader:
    return open_dataset(spec["path"], options=validated(ReaderOptions, spec["options"], "options"))


def _applied(rulings: int, summary: Summary) -> Applied:
    effects = summary.stats.get(AUDIT, {})

    def count(*names: str) -> int:
        return sum(effects.get(name, 0) for name in names)

    return Applied(
        rulings=rulings,
        accepted=count("accepted", "accepted, not chosen"),
        edited=count("edited"),
        to_candidate=count("rejected, another candidate stands"),
        to_original=count("rejected, the original stands"),
        dropped=count(NOTHING_LEFT),
        not_chosen=count("rejected, not chosen"),
        preferred=count("preferred", "preferred, not chosen"),
        failed=count(FAILED),
        overruled=count(OVERRULED),
        # Those on records that are not there, or that the recipe rejects now, have left no trace in the records.
        stale=rulings - sum(n for name, n in effects.items() if name != "stale"),
        redone=summary.redone,
        calls_paid=summary.calls_paid,
        summary=summary,
    )
