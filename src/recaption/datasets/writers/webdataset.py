"""Tars of `KEY.jpg KEY.txt KEY.json`, side by side, as WebDataset and img2dataset have them."""

import io
import itertools
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import Field

from recaption.core.types import Record
from recaption.datasets.atomic import staged_folder, write_atomic_stream
from recaption.datasets.writers.content import (
    caption_json,
    chosen_text,
    image_of,
    json_bytes,
    one_line,
    with_metadata,
)
from recaption.datasets.writers.names import GivenNames, stem
from recaption.media.evidence_json import evidence_to_json
from recaption.recipes.strict import StrictModel

__all__ = ["WebDatasetWriter"]


@dataclass(frozen=True, slots=True)
class _Sample:
    stem: str
    members: tuple[tuple[str, bytes], ...]


class WebDatasetWriter:
    """Writes `00000.tar`, `00001.tar`… into a new folder. Image bytes are those of the source, unchanged.

    Member names have no dots but the one before the extension; the key as it was stands in the JSON, beside the
    original caption, every other caption and the source's own columns. The same records give the same bytes.
    """

    class Params(StrictModel):
        """How shards are cut."""

        samples_per_shard: int = Field(default=10_000, ge=1)

    def __init__(self, params: Params) -> None:
        self.params = params

    def write(self, records: Iterable[Record], target: Path) -> Mapping[str, int]:
        """Write every record with an image and a text; return counts.

        `written`, `shards`, and what was left out: `no_image`, `unreadable_image`, `no_text`, `duplicate_key`.
        """
        counts = Counter({"written": 0, "shards": 0})
        samples = self._samples(records, counts)
        with staged_folder(target) as folder:
            for first in samples:
                shard = itertools.islice(samples, self.params.samples_per_shard - 1)
                path = folder / f"{counts['shards']:05d}.tar"
                with write_atomic_stream(path, sync_parent=False) as file:
                    counts["written"] += _write_tar(file, itertools.chain([first], shard))
                counts["shards"] += 1
        return dict(counts)

    def _samples(self, records: Iterable[Record], counts: Counter[str]) -> Iterator[_Sample]:
        given = GivenNames()
        for record in records:
            made = _sample(record, given)
            if isinstance(made, str):
                counts[made] += 1
            else:
                yield made


def _sample(record: Record, given: GivenNames) -> _Sample | str:
    """Return a record's members, or the count that says why it has none."""
    text = chosen_text(record)
    line = "" if text is None else one_line(text)
    if not line:
        return "no_text"
    image = image_of(record)
    if isinstance(image, str):
        return image
    name = given.claim(stem(record.key))
    if name is None:
        return "duplicate_key"
    description = json_bytes(_description(record, text))
    return _Sample(name, ((image.extension, image.data), ("txt", line.encode()), ("json", description)))


def _description(record: Record, text: str | None) -> dict[str, object]:
    row: dict[str, object] = {
        "key": record.key,
        "caption": text,
        "original_caption": record.original_text,
        "chosen": record.chosen,
        "captions": [caption_json(c) for c in record.captions],
        "evidence": [evidence_to_json(e) for e in record.evidence],
    }
    if record.size is not None:
        row["width"], row["height"] = record.size
    if record.image is not None and record.image.url is not None:
        row["url"] = record.image.url
    return with_metadata(row, record.metadata)


def _write_tar(file: IO[bytes], samples: Iterable[_Sample]) -> int:
    count = 0
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for sample in samples:
            for extension, data in sample.members:
                # A fresh TarInfo has time 0, user 0 and no names: nothing of this machine gets in.
                member = tarfile.TarInfo(f"{sample.stem}.{extension}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
            count += 1
    return count
