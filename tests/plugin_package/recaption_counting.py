"""A third-party expert, found through its entry point: tells what it sees, and logs every call it was paid for."""

import os
import time
from collections.abc import Sequence

from recaption.core.digests import digest_bytes
from recaption.core.protocols import Pixels
from recaption.core.types import Evidence
from recaption.recipes.strict import StrictModel


class CountingExpert:
    name = "counting"
    max_side_px: int | None = 64

    class Params(StrictModel):
        log: str
        """One line per call is appended here: the digest of the pixels."""
        delay_s: float = 0.0

    def __init__(self, params: Params) -> None:
        self.params = params
        self.fingerprint = "counting-1"

    def examine(self, images: Sequence[Pixels]) -> Sequence[Sequence[Evidence]]:
        found = []
        for image in images:
            time.sleep(self.params.delay_s)
            digest = digest_bytes(image.array.tobytes())
            log = os.open(self.params.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(log, f"{digest}\n".encode())
            os.close(log)
            found.append([Evidence(kind="tag", label=f"seen {digest[:8]}", source="counting")])
        return found
