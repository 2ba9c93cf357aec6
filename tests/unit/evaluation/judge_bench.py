"""What tests of judged metrics share: a judge that answers by a function, items with pictures, a real ledger."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image as Pillow

from recaption.core.protocols import Generation, GenerationRequest, Generator, Meter
from recaption.core.types import Image, Record
from recaption.datasets.ledger import SqliteLedger
from recaption.datasets.meter import SqliteMeter
from recaption.evaluation.metric import Metric
from recaption.evaluation.options import Options
from recaption.evaluation.subject import Item, Subject
from recaption.evaluation.tools import Tools
from recaption.media.images import BatchImages
from tests.unit.evaluation.text_subject import named

__all__ = ["Bench", "TableJudge", "bench", "fenced", "photo", "pictured"]


class TableJudge:
    """Answers every request as a function says (None: not at all), and keeps what it was asked."""

    prompt_style = "chat"
    in_flight = 4

    def __init__(
        self,
        answer: Callable[[GenerationRequest], str | Generation | None],
        capabilities: frozenset[str] = frozenset({"images", "json"}),
        prompt_style: str = "chat",
    ) -> None:
        self._answer = answer
        self.name = "table@1"
        self.fingerprint = "t" * 64
        self.capabilities = capabilities
        self.prompt_style = prompt_style
        self.asked: list[GenerationRequest] = []

    def generate(
        self, requests: Sequence[GenerationRequest], meter: Meter
    ) -> Iterator[tuple[int, Sequence[Generation]]]:
        self.asked += requests
        for i in reversed(range(len(requests))):
            said = self._answer(requests[i])
            if said is None:
                said = Generation(text=None, finish_reason="error", error="no such luck")
            elif isinstance(said, str):
                said = Generation(text=said, finish_reason="stop")
            yield i, [said]


@dataclass(frozen=True)
class Bench:
    """A folder of finished calls, opened."""

    ledger: SqliteLedger
    meter: SqliteMeter

    def tools(self, judge: Generator | None, **options: Any) -> Tools:
        return Tools(
            ledger=self.ledger,
            meter=self.meter,
            make_images=BatchImages,
            judge=judge,
            options=Options(**options),
        )

    def scored(self, metric: Metric, subject: Subject, judge: Generator, **options: Any) -> dict[str, Any]:
        """Return what a metric says, by name."""
        return named(metric.score(subject, metric.extract(subject, self.tools(judge, **options))))


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """Open the ledger and the meter of a folder, as a run does."""
    ledger, meter = SqliteLedger(folder / "calls.sqlite"), SqliteMeter(folder / "spent.sqlite")
    try:
        yield Bench(ledger, meter)
    finally:
        ledger.close()
        meter.close()


def photo(number: int) -> bytes:
    """Return a picture that no other number gives."""
    out = io.BytesIO()
    Pillow.new("RGB", (8, 8), (number % 256, number // 256, 7)).save(out, "PNG")
    return out.getvalue()


def pictured(number: int, *columns: str | Sequence[str], **changes: Any) -> Item:
    """Return an item with a picture and the texts of its columns."""
    texts = tuple((c,) if isinstance(c, str) else tuple(c) for c in columns)
    record = Record(key=f"item {number}", image=Image(data=photo(number)))
    return Item(key=record.key, texts=texts, **{"record": record, **changes})


def fenced(prompt: str) -> list[str]:
    """Return the lines of data in a prompt."""
    mark = re.search(r"^(==[0-9a-f]{10}==)$", prompt, re.MULTILINE)
    if mark is None:
        return []
    return prompt.split(f"\n{mark[1]}\n", 1)[1].partition(f"\n{mark[1]}\n")[0].splitlines()
