"""What the calling threads and the loop hand each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TypeAlias

from recaption.core.protocols import Generation, GenerationRequest, Meter, Picture, Usage
from recaption.models.openai.body import RequestBody
from recaption.models.openai.choices import Draws
from recaption.models.openai.endpoint import Endpoint, Ticket
from recaption.models.openai.schedule import Job

__all__ = ["Asked", "Attempt", "AttemptJob", "Call", "Event", "Pictures", "job_for"]

Event: TypeAlias = "tuple[int, Sequence[Generation]] | Exception"
Uri: TypeAlias = "tuple[bytes, tuple[int, int]]"


@dataclass(eq=False)
class Call:
    """One `generate` at work in one calling thread."""

    meter: Meter
    _events: SimpleQueue[Event | None] = field(default_factory=SimpleQueue)

    def tell(self, event: Event | None) -> None:
        """Hand over an answer or the end; None only wakes the thread up."""
        self._events.put(event)

    def events(self, block: bool) -> Iterator[Event]:
        """Yield what has come in; where nothing has, wait for it or not."""
        try:
            event = self._events.get(block)
            while True:
                if event is not None:
                    yield event
                event = self._events.get_nowait()
        except Empty:
            return


@dataclass(slots=True, eq=False)
class Asked:
    """One request of a call, until all its draws are there."""

    call: Call
    position: int
    number: int
    """Of all requests of the client."""
    request: GenerationRequest
    body: RequestBody
    draws: Draws

    def deliver(self) -> None:
        """Hand all draws over, if all are there."""
        complete = self.draws.complete()
        if complete is not None:
            self.call.tell((self.position, complete))


AttemptJob: TypeAlias = Job[Asked]


@dataclass(slots=True, eq=False)
class Attempt:
    """One call under way."""

    job: AttemptJob
    endpoint: Endpoint
    ticket: Ticket
    most: Usage
    request_id: str
    lost_before: int
    """How often this job was given up before."""
    began: bool = False
    given_up: bool = False

    @property
    def kind(self) -> tuple[int, int]:
        """What its duration depends on: the most tokens, and how many draws."""
        return self.job.owner.request.sampling.max_tokens, len(self.job.draws)


def job_for(asked: Asked, draws: tuple[int, ...], after: AttemptJob | None = None) -> AttemptJob:
    """Return a job for some draws of a request; `after` is the one that left them open."""
    prompt, answer = asked.body.most_tokens
    job = Job(asked, draws, float(prompt + answer * len(draws)))
    if after is not None:
        job.first_sent, job.last_url = after.first_sent, after.last_url
        job.faults = Counter(after.faults)
    return job


class Pictures:
    """The data URIs of one call: each picture read once, and kept only while a later request needs it."""

    def __init__(self, requests: Sequence[GenerationRequest], make: Callable[[Picture], Uri]) -> None:
        self._make = make
        self._uses = Counter(request.image.digest for request in requests if request.image is not None)
        self._kept: dict[str, Uri] = {}

    def uri(self, picture: Picture) -> Uri:
        """Return a picture as a data URI, and the size it is sent at. Raises ImageError."""
        digest = picture.digest
        self._uses[digest] -= 1
        uri = self._kept.pop(digest, None) or self._make(picture)
        if self._uses[digest] > 0:
            self._kept[digest] = uri
        return uri
