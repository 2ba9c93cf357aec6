"""What must be remembered of an audit beside its items: how it was drawn, what is asked, which guideline was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, TypeAlias, cast

from recaption.core.digests import digest_json
from recaption.core.errors import RunFolderError, UserError
from recaption.core.types import JsonValue

__all__ = ["MAX_GUIDELINE_CHARS", "About", "Task"]

Task: TypeAlias = Literal["judge", "compare"]
"""`judge`: is the chosen caption right? `compare`: which of several is best, not knowing which is which?"""

MAX_GUIDELINE_CHARS: Final = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Fixed when the sample is drawn; lies in `Settings.about`."""

    task: Task = "judge"
    captions: int = 2
    """Cards side by side where captions are compared."""
    guideline: str = ""
    """Plain text; empty for the one that comes with the page."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Records in each stratum, what was drawn from: estimates are weighted back by them."""
    drawn: int = 0
    """Items in the sample; a store that holds fewer was not laid down to its end."""
    seed: int = 0
    design: Mapping[str, JsonValue] = field(default_factory=dict)
    """How the sample was drawn, as the user said it."""
    source: str = ""
    """The run whose captions are judged."""

    def __post_init__(self) -> None:
        if self.task not in {"judge", "compare"}:
            raise UserError(f"an audit's task is `judge` or `compare`, not {self.task!r:.60}")
        if not 2 <= self.captions <= 9:
            raise UserError(f"{self.captions} captions side by side: give 2 to 9, one for each digit key")
        if len(self.guideline) > MAX_GUIDELINE_CHARS:
            raise UserError(
                f"the guideline has {len(self.guideline):,} characters; at most {MAX_GUIDELINE_CHARS:,}"
            )

    @property
    def guideline_version(self) -> str:
        """Digest of the guideline; a verdict says which one its auditor had read."""
        return digest_json(self.guideline)[:12]

    def to_json(self) -> dict[str, JsonValue]:
        return cast(dict[str, JsonValue], asdict(self))

    @classmethod
    def of(cls, about: Mapping[str, JsonValue]) -> About:
        """Return what was remembered. Raises RunFolderError where another program wrote it."""
        try:
            return cls(**cast(dict[str, Any], about))
        except TypeError as error:
            raise RunFolderError(f"the store's description of the audit cannot be read: {error}") from error
