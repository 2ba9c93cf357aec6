"""Vision-language models of transformers in this process: one class for every family. Loaded at the first call.

A text depends on its request alone: rows of one batch share nothing but time, as far as the arithmetic of the device
allows (in float32 nothing was seen to change; in bfloat16 a near tie may fall differently in another batch).
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from recaption.core.digests import digest_json
from recaption.core.errors import BudgetError, ImageError, MissingExtraError
from recaption.core.protocols import Generation, GenerationRequest, Meter, Usage
from recaption.models.hf.batching import BatchSize, Row, in_batches, in_order
from recaption.models.hf.families import family_of
from recaption.models.hf.identity import find_model, require_safetensors
from recaption.models.hf.sampling import check_sampling, draws, mode
from recaption.recipes.strict import StrictModel

if TYPE_CHECKING:
    from recaption.models.hf.engine import Drawn, Engine
    from recaption.models.hf.inputs import Item

__all__ = ["TransformersGenerator"]

_VERSION: Final = "1"
"""Of how prompts are packed and texts are drawn: another one may give other texts."""
_SHARE_OF_A_BATCH: Final = 3
"""A run has six records under way for each request wanted, for the sake of slow servers. Here two batches do, one at
work and one in preparation: every thread more keeps tens of megabytes to itself."""
_WINDOW: Final = 4
"""So many batches are prepared together, so that like can be put with like."""


class TransformersGenerator:
    """Captions by a model in a folder or in the local Hugging Face cache."""

    capabilities = frozenset({"images", "logprobs", "seed", "beams", "guidance"})

    class Params(StrictModel):
        """Which model, and how it runs."""

        model: str
        """A folder, or the name of a repository that is in the local cache."""
        revision: str | None = None
        dtype: Literal["auto", "float32", "bfloat16", "float16", "int8", "int4"] = "auto"
        """`auto`: bfloat16 where the hardware multiplies it and the model is not tiny, else float32 (float16 on older
        GPUs). `int8` and `int4` need bitsandbytes on a GPU; on a processor there is `int8`, by torch."""
        device: str = "auto"
        """`auto`, `cpu`, `cuda`, `cuda:1`, `mps`; or `map`: spread over all devices by accelerate."""
        batch_size: int = Field(default=32, ge=1)
        """Most texts that are drawn at once, times the beams; fewer where memory is short. Guidance doubles it.

        A run hands over so many records at a time as `--batch-size` says: raise both."""
        image_size_px: int | None = Field(default=None, ge=16)
        """Side of the square that pictures are shown in, where the family can be told. Less is faster."""
        chat_template: Literal["auto"] | bool = "auto"
        """`false` hands the model the prompt as it stands."""
        trust_remote_code: bool = False
        """Run Python code that comes with the model. Needs `revision`: the 40 digits of a commit you have read."""

    def __init__(self, params: Params) -> None:
        self._params = params
        self._files = find_model(params.model, params.revision, trust_remote_code=params.trust_remote_code)
        require_safetensors(self._files)
        self._family = family_of(self._files.config)
        self.name = self._files.name
        self.prompt_style = self._family.style
        self.in_flight = max(1, params.batch_size // _SHARE_OF_A_BATCH)
        chosen = params.model_dump(include={"dtype", "image_size_px", "chat_template"})
        self.fingerprint = digest_json(["transformers", _VERSION, self._files.digest, chosen])
        self._engine: Engine | None = None
        self._loading, self._preparing, self._running = threading.Lock(), threading.Lock(), threading.Lock()
        self._size = BatchSize(params.batch_size)
        self.encodes = 0
        """Pictures looked at so far."""

    def generate(
        self, requests: Sequence[GenerationRequest], meter: Meter
    ) -> Iterator[tuple[int, Sequence[Generation]]]:
        """Yield (position, its `sampling.n` generations) for every request, each as soon as it is done.

        Raises:
            RecipeError: The sampling asks for what this generator does not do.
            UserError: The model cannot be loaded.
            BackendError: The model is gone.
            BudgetError: The budget is spent. What was yielded stands.
        """
        for request in requests:
            check_sampling(request.sampling)
        if not requests:
            return
        engine = self._loaded()
        size = max(1, self._params.batch_size * _WINDOW // max(max(r.sampling.n for r in requests), 1))
        for start in range(0, len(requests), size):
            most, spent = self._set_aside(requests[start : start + size], meter)
            window = _Window(requests[start : start + len(most)])
            for position, generations in self._answered(engine, window):
                used = Usage(
                    requests=1,
                    prompt_tokens=sum(g.prompt_tokens or 0 for g in generations),
                    completion_tokens=sum(g.completion_tokens or 0 for g in generations),
                )
                meter.settle(self.name, most[position], used)
                yield start + position, generations
            if spent is not None:
                raise spent

    def _set_aside(
        self, requests: Sequence[GenerationRequest], meter: Meter
    ) -> tuple[list[Usage], BudgetError | None]:
        """Return what the requests that fit the budget cost at most, and why the next does not fit."""
        aside: list[Usage] = []
        for request in requests:
            most = Usage(requests=1, completion_tokens=request.sampling.n * request.sampling.max_tokens)
            try:
                meter.reserve(self.name, most)
            except BudgetError as error:
                return aside, error
            aside.append(most)
        return aside, None

    def _loaded(self) -> Engine:
        with self._loading:
            if self._engine is None:
                try:
                    from recaption.models.hf.engine import Engine
                except ImportError as error:
                    package = (error.name or "transformers").partition(".")[0]
                    raise MissingExtraError(f"the model {self._params.model}", package, "hf") from error
                params = self._params
                self._engine = Engine(
                    self._files,
                    self._family,
                    device=params.device,
                    dtype=params.dtype,
                    template=None if params.chat_template == "auto" else params.chat_template,
                    image_size_px=params.image_size_px,
                    trust_remote_code=params.trust_remote_code,
                )
            return self._engine

    def _answered(self, engine: Engine, window: _Window) -> Iterator[tuple[int, Sequence[Generation]]]:
        yield from self._prepared(engine, window)
        rows = in_order(window.rows(equal=self._family.padding == "equal", room=engine.room))
        left = Counter(row.picture for row in rows)
        batches = in_batches(rows, self._size, lambda batch: self._run(engine, window, batch, left))
        while True:
            # One batch at a time under the lock: whoever reads the results may take long.
            with self._running:
                done = next(batches, None)
            if done is None:
                return
            if done.results is None:
                drawn: Sequence[Sequence[Drawn] | None] = [None] * len(done.rows)
            else:
                drawn = done.results
            yield from window.received(done.rows, drawn)

    def _prepared(self, engine: Engine, window: _Window) -> Iterator[tuple[int, Sequence[Generation]]]:
        """Turn the requests into tensors; yield those that cannot be."""
        with self._preparing:
            for position, request in enumerate(window.requests):
                if not request.sampling.n:
                    failed: Sequence[Generation] | None = []
                else:
                    failed = self._prepare(engine, window, position, request)
                if failed is not None:
                    window.failed.append((position, failed))
            engine.wording.forget()
        yield from window.failed

    def _prepare(
        self, engine: Engine, window: _Window, position: int, request: GenerationRequest
    ) -> Sequence[Generation] | None:
        picture = request.image
        if picture is None and self._family.input != "chat":
            return _errors(request, "this model writes about pictures, and the request has none")
        try:
            seen = None if picture is None else (picture.digest, picture.pixels)
            item = engine.wording.item(request.prompt, seen, guided=request.sampling.guidance != 1)
        except ImageError as error:
            return _errors(request, f"image: {error}", retryable=error.retryable)
        except (ValueError, IndexError, KeyError, TypeError) as error:
            return _errors(request, f"the model's processor refused the request: {_line(error)}")
        if engine.room(item) < 1:
            return _errors(request, f"the prompt of {item.length:,} tokens leaves the model no room to write")
        window.items[position] = item
        return None

    def _run(
        self, engine: Engine, window: _Window, rows: Sequence[Row], left: Counter[str]
    ) -> list[list[Drawn]]:
        """Draw a batch. Called with the lock held."""
        before = engine.seen.encodes
        drawn = engine.run(rows, window.items, [window.requests[row.request].sampling for row in rows])
        left.subtract(row.picture for row in rows)
        engine.seen.forget(but=[picture for picture, count in left.items() if count > 0])
        self.encodes += engine.seen.encodes - before
        return drawn


@dataclass(slots=True)
class _Window:
    """Requests that are prepared together, and what has become of them."""

    requests: Sequence[GenerationRequest]
    items: dict[int, Item] = field(default_factory=dict)
    failed: list[tuple[int, Sequence[Generation]]] = field(default_factory=list)
    found: dict[int, dict[int, list[Generation]]] = field(default_factory=lambda: defaultdict(dict))

    def rows(self, *, equal: bool, room: Callable[[Item], int]) -> list[Row]:
        """Return all rows. Prompts of different lengths are of different modes where all must be `equal`.

        So they are where the model would run out of positions, as `room` tells, before the last row is done.
        """
        most = max((request.sampling.max_tokens for request in self.requests), default=0)
        return [
            Row(
                request=position,
                draw=draw,
                mode=(
                    *mode(self.requests[position].sampling),
                    item.length if equal or room(item) < most else 0,
                ),
                picture=item.key,
                length=item.length,
            )
            for position, item in self.items.items()
            for draw in range(draws(self.requests[position].sampling))
        ]

    def received(
        self, rows: Sequence[Row], drawn: Sequence[Sequence[Drawn] | None]
    ) -> Iterator[tuple[int, Sequence[Generation]]]:
        """Note what was drawn, and yield the requests that are complete."""
        for row, texts in zip(rows, drawn, strict=True):
            request = self.requests[row.request]
            got = self.found[row.request]
            got[row.draw] = (
                [_error("out of memory, even alone", retryable=True)]
                if texts is None
                else [_said(t) for t in texts]
            )
            if len(got) == draws(request.sampling):
                generations = [one for draw in sorted(got) for one in got[draw]]
                copies = request.sampling.n // len(generations)
                yield row.request, generations * copies
                del self.items[row.request], self.found[row.request]


def _said(drawn: Drawn) -> Generation:
    if drawn.broken:
        return _error("the model gave numbers that are none (NaN or infinite). Use another dtype.")
    return Generation(
        text=drawn.text,
        finish_reason="stop" if drawn.ended else "length",
        prompt_tokens=drawn.prompt_tokens,
        completion_tokens=len(drawn.logprobs),
        logprobs=drawn.logprobs,
    )


def _errors(request: GenerationRequest, reason: str, *, retryable: bool = False) -> list[Generation]:
    return [_error(reason, retryable=retryable)] * request.sampling.n


def _error(reason: str, *, retryable: bool = False) -> Generation:
    return Generation(text=None, finish_reason="error", error=reason, retryable=retryable)


def _line(error: BaseException) -> str:
    detail: Any = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {detail}"
