"""What a run knows of people's decisions: which records they are on, which have changed, what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from recaption.core.digests import digest_json, digest_text
from recaption.core.protocols import Stage
from recaption.core.types import Record, Rejected
from recaption.datasets.rulings import Ruling, read_rulings, rulings_place
from recaption.recipes.recipe import Recipe
from recaption.stages.heed import DEPENDENT, Heed, effect_of

__all__ = ["APPLYING", "AUDIT", "FAILED", "NOTHING_LEFT", "OVERRULED", "Heeding"]

APPLYING: Final = "applying"
"""Key in `run.json`, true as long as a run that only applies rulings to what was done has not ended."""
AUDIT: Final = "audit"
"""Group of a shard's tallies that says what became of rulings."""
NOTHING_LEFT: Final = "rejected, nothing is left"
FAILED: Final = "failed"
"""What a person wrote could not be scored."""
OVERRULED: Final = "another ruling left nothing"
"""Said in another audit of a record that is not in the output, for one of the two reasons above."""
_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class Heeding:
    """The rulings that lie in a run folder, and the stage that applies them; None where there are none."""

    rulings: Mapping[str, Sequence[Ruling]]
    """By key, in the order in which they are heeded."""
    stage: Heed | None

    @classmethod
    def of(cls, run_folder: Path, recipe: Recipe, stages: Sequence[Stage]) -> Heeding:
        """Read the rulings of a run folder, if it has any.

        Args:
            stages: Those of the recipe, built; what people write goes through some of them.

        Raises:
            RunFolderError: The file is there but cannot be understood.
        """
        rulings = read_rulings(rulings_place(run_folder))
        after = [stage for stage in stages if stage.name in DEPENDENT]
        originals = all(getattr(spec.params, "original", None) != "never" for spec in recipe.stages)
        return cls(rulings, Heed(rulings, after, originals=originals) if rulings else None)

    def marks(self, items: Iterable[Record | Rejected]) -> dict[str, str]:
        """Return what a marker says of the rulings on its records: a digest for each, by digest of the key."""
        return {
            self.name(item.key): digest_json([Heed.version, *_digests(self.rulings[item.key])])[:_DIGITS]
            for item in items
            if isinstance(item, Record) and item.key in self.rulings
        }

    @staticmethod
    def name(key: str) -> str:
        """Return how a marker names a record: keys may be long, and hold anything."""
        return digest_text(key)[:_DIGITS]

    def told(self) -> dict[str, Any]:
        """Return what `run.json` says of the rulings: nothing where there are none."""
        if not self.rulings:
            return {}
        digests = [digest for key in sorted(self.rulings) for digest in _digests(self.rulings[key])]
        return {"audit": {"rulings": len(digests), "digest": digest_json(digests)}}

    def tally(self, results: Iterable[Record | Rejected]) -> dict[str, dict[str, int]]:
        """Return what became of the rulings on a shard's records, as a group of its tallies."""
        found: Counter[str] = Counter()
        for item in results:
            rulings = self.rulings.get(item.key, ())
            if isinstance(item, Record):
                found.update(filter(None, (effect_of(item, ruling) for ruling in rulings)))
            elif rulings and item.stage == Heed.name:
                found[NOTHING_LEFT if item.kind == "dropped" else FAILED] += 1
                found[OVERRULED] += len(rulings) - 1
        return {AUDIT: {name: n for name, n in sorted(found.items()) if n}} if found else {}


def _digests(rulings: Sequence[Ruling]) -> list[str]:
    return [ruling.digest for ruling in rulings]
