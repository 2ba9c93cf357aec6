"""What a captioning run makes of a server that fails: captions lost, calls wasted, time.

    python -m benchmarks.faults --captions 2000 --parts mixed30 mixed60 retry_after blackout hung budget kills

A loopback server goes wrong by a seeded plan (`tests/servers/plans.py`) and logs every call; each line below is read
from that log and from the captions, which name the picture they are about.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.captioning import captioned, command, finish, jpeg, make_pictures, median
from benchmarks.memory import peak_of
from recaption.core.digests import digest_bytes
from recaption.core.errors import BackendError, BudgetError
from recaption.core.protocols import Generation, GenerationRequest, Meter, Usage
from recaption.core.types import Image, Record
from recaption.datasets.meter import Budget, SqliteMeter
from recaption.media.images import BatchImages
from recaption.recipes.backends import backend
from tests.servers.plans import Plan, RateLimit
from tests.servers.retry_after import FORMS, Form
from tests.servers.running import server_process, serving

QUICK: dict[str, Any] = {"backoff_s": 0.02, "hang_s": 0.25, "timeout_s": 1.0, "in_flight": 64}
"""Settings of the client that fit a server which answers within 10 ms."""


class NoLimit:
    """A meter that only counts."""

    def __init__(self) -> None:
        self.used = Usage()
        self._lock = threading.Lock()

    def reserve(self, name: str, most: Usage) -> None:
        """Allow everything."""

    def settle(self, name: str, most: Usage, used: Usage) -> None:
        """Add up."""
        with self._lock:
            self.used += used


@dataclass
class Asked:
    """What came of asking about some pictures."""

    digests: Sequence[str]
    answers: dict[int, Sequence[Generation]] = field(default_factory=dict)
    twice: int = 0
    """Positions yielded more than once."""
    wall_s: float = 0.0
    error: str | None = None

    @property
    def right(self) -> int:
        """Whole captions of the very picture."""
        return sum(
            self.digests[i][:16] in (g.text or "") and g.finish_reason == "stop"
            for i, generations in self.answers.items()
            for g in generations
        )

    @property
    def wrong(self) -> int:
        """Texts handed out as good that are not about the picture."""
        return sum(
            g.text is not None and g.finish_reason == "stop" and self.digests[i][:16] not in g.text
            for i, generations in self.answers.items()
            for g in generations
        )


def pictures(count: int, seed: int = 0) -> list[bytes]:
    """Return different small JPEGs."""
    return [jpeg(np.random.default_rng([seed, i])) for i in range(count)]


def ask(address: str, data: Sequence[bytes], meter: Meter | None = None, **settings: Any) -> Asked:
    """Ask for one caption of each picture through the client as a recipe builds it."""
    images = BatchImages()
    records = [Record(key=str(i), image=Image(data=bytes_)) for i, bytes_ in enumerate(data)]
    requests = [
        GenerationRequest(key=r.key, prompt="Describe this image.", image=images.picture(r)) for r in records
    ]
    told: dict[str, Any] = {"openai": {"url": address, "model": "m", **QUICK, **settings}}
    generator = backend("generators", told, "captioner").build()
    asked = Asked([digest_bytes(bytes_) for bytes_ in data])
    started = time.monotonic()
    try:
        for position, generations in generator.generate(requests, meter or NoLimit()):
            asked.twice += position in asked.answers
            asked.answers[position] = generations
    except (BackendError, BudgetError) as error:
        asked.error = f"{type(error).__name__}: {error}"
    finally:
        generator.close()
    asked.wall_s = time.monotonic() - started
    return asked


def mixed(rate: float, captions: int, **settings: Any) -> Iterator[str]:
    """Faults of nine kinds; the eight that matter in equal parts, 429 with and without `Retry-After`."""
    data = pictures(captions)
    with tempfile.TemporaryDirectory() as folder:
        with server_process(Plan(latency_s=0.01), Path(folder) / "clean.log") as server:
            clean = ask(server.url + "/v1", data, **settings)
        with server_process(Plan.mixed(rate, seed=1, latency_s=0.01), Path(folder) / "mixed.log") as server:
            asked = ask(server.url + "/v1", data, **settings)
            calls = server.calls()
    hit = Counter(call.mode for call in calls)
    yield (
        f"{rate:.0%} faults: delivered {asked.right} of {captions}, wrong {asked.wrong}, twice {asked.twice}, "
        f"calls per caption {len(calls) / captions:.3f} (mean of such draws {1 / (1 - rate):.3f}), "
        f"calls that could have been saved {hit['ok'] - captions}"
    )
    yield f"wall {asked.wall_s:.2f} s, without faults {clean.wall_s:.2f} s; {dict(hit.most_common())}"
    failed = Counter(g.error for gs in asked.answers.values() for g in gs if g.text is None)
    if failed or asked.error:
        yield f"not delivered: {dict(failed.most_common(5))} {asked.error or ''}"


def waited(form: Form, cap_s: float, **settings: Any) -> tuple[float, bool, int]:
    """Return how long the client waited after a 429 of this form, whether that was right, and how many calls came
    to that address in the meantime."""
    with serving(Plan(script=["429_retry_after"], retry_after=f"form:{form.name}")) as (server, url):
        asked = ask(url + "/v1", pictures(1), max_wait_s=cap_s, **settings)
        calls = list(server.calls)
    first, second = calls[0], calls[1]
    # The server may be kept from noting the end of its answer until long after the client has read it; at the most
    # the wait is what lies between the two arrivals, at the least what follows the noted end.
    gap_s = second.started_s - first.started_s
    surely_s = second.started_s - (first.ended_s or first.started_s)
    least = min(form.least_s, cap_s)
    most = cap_s if form.most_s is None else min(form.most_s, cap_s)
    # The client's own spread, and a machine that is busy with forty of these.
    right = least - 0.005 <= gap_s and surely_s <= most * 1.1 + 0.5 and asked.right == 1
    return gap_s, right, len(calls) - 2


def retry_after(captions: int) -> Iterator[str]:
    """Forty ways to say when to come back."""
    cap_s = 3.0
    found: dict[str, tuple[float, bool, int]] = {}

    def one(form: Form) -> None:
        found[form.name] = waited(form, cap_s)

    threads = [threading.Thread(target=one, args=(form,)) for form in FORMS]
    for group in range(0, len(threads), 10):
        for thread in threads[group : group + 10]:
            thread.start()
        for thread in threads[group : group + 10]:
            thread.join()
    good = sum(right for _, right, _ in found.values())
    yield f"{good} of {len(FORMS)} waited for as said, capped at {cap_s:g} s"
    for name, (gap_s, right, more) in found.items():
        if not right or more:
            yield f"not right: {name}: waited {gap_s:.3f} s, {more} calls more"


def blackout(captions: int, seconds: float = 6.0, in_flight: int = 256) -> Iterator[str]:
    """503 for everything, for a while, in the middle of a run."""
    data = pictures(captions)
    latency_s, step_s = 0.8, 0.5
    with (
        tempfile.TemporaryDirectory() as folder,
        server_process(Plan(latency_s=latency_s), Path(folder) / "calls.log") as server,
    ):
        timer = threading.Timer(2.5, server.control, kwargs={"blackout_s": seconds})
        timer.start()
        asked = ask(server.url + "/v1", data, in_flight=in_flight, timeout_s=30.0, hang_s=2.0)
        calls = server.calls()
    dark = [c.started_s for c in calls if c.mode == "blackout"]
    over_s = min(dark) + seconds
    answers = [c.ended_s or 0.0 for c in calls if c.mode == "ok"]
    full = in_flight / latency_s * step_s
    steps = [over_s + step_s * i for i in range(int((max(answers) - over_s) / step_s))]
    back = [t for t in steps if sum(t <= a < t + step_s for a in answers) >= 0.9 * full]
    yield (
        f"{seconds:g} s of 503, {in_flight} in flight: delivered {asked.right} of {captions}, {len(dark)} calls in "
        f"the dark, 90 % of the throughput {back[0] - over_s if back else float('nan'):.1f} s after its end"
    )


def pacing(captions: int) -> Iterator[str]:
    """A server that allows so many calls a second and says so in its headers; the client is told nothing."""
    allowed = 100.0
    limit = RateLimit(requests=allowed, window_s=1.0)
    with (
        tempfile.TemporaryDirectory() as folder,
        server_process(Plan(limit=limit, latency_s=0.05), Path(folder) / "calls.log") as server,
    ):
        asked = ask(server.url + "/v1", pictures(captions))
        calls = server.calls()
    first = min(c.started_s for c in calls)
    late = [c for c in calls if c.started_s - first > 5.0]
    span = max(c.started_s for c in late) - first - 5.0
    refused = sum(c.mode == "limited" for c in late)
    yield (
        f"{allowed:g} calls a second allowed: {(len(late) - refused) / span:.1f} a second after the first 5 s, "
        f"{refused / len(late):.2%} refused then; delivered {asked.right} of {captions}"
    )


def slots(captions: int) -> Iterator[str]:
    """One call in ten is told to come back in five seconds: the others shall not wait for it."""
    rates = {"429_retry_after": 0.1}
    latency_s = 0.2
    found: list[tuple[float, int]] = []
    with tempfile.TemporaryDirectory() as folder:
        for plan in (Plan(latency_s=latency_s), Plan(latency_s=latency_s, rates=rates, retry_after="5")):
            with server_process(plan, Path(folder) / f"{len(found)}.log") as server:
                asked = ask(server.url + "/v1", pictures(captions))
                calls = server.calls()
            first = min(c.started_s for c in calls)
            ends = sorted((c.ended_s or 0.0) - first for c in calls if c.mode == "ok" and c.attempt == 1)
            found.append((len(ends) / ends[-1], asked.right))
    (free, _), (held, right) = found
    yield (
        f"one in ten told to wait 5 s: the others at {held:.0f} a second, {held / free:.3f} of what they reach "
        f"without; delivered {right} of {captions}"
    )


def hung(captions: int) -> Iterator[str]:
    """Servers that never answer, stall, drip and never stop: every call ends by its deadline, in bounded memory."""
    for mode in ("hang", "stall_mid_body", "drip", "endless"):
        before_mb = peak_of()
        with serving(Plan(rates={mode: 1.0}, hang_s=60)) as (server, url):
            asked = ask(url + "/v1", pictures(8), timeout_s=0.5, deadline_s=3.0)
            calls = len(server.calls)
        grown_mb = peak_of() - before_mb
        told = Counter(g.error for gs in asked.answers.values() for g in gs)
        yield (
            f"{mode}: all ended after {asked.wall_s:.2f} s (deadline 3 s), {calls} calls, memory +{grown_mb:.0f} MB: "
            f"{asked.error or next(iter(told), None)}"
        )
    with serving(Plan(rates={"hang": 0.05, "stall_mid_body": 0.05, "endless": 0.02}, hang_s=60)) as (
        server,
        url,
    ):
        asked = ask(url + "/v1", pictures(min(captions, 500)))
        yield (
            f"12 % of calls hang, stall or never stop: delivered {asked.right} of {len(asked.digests)} in "
            f"{asked.wall_s:.1f} s, {len(server.calls)} calls"
        )


def budget(captions: int) -> Iterator[str]:
    """A budget in calls, at 30 % faults, that is raised once."""
    data = pictures(captions)
    first, second = captions // 2, captions // 2 + captions // 4
    with tempfile.TemporaryDirectory() as folder, serving(Plan.mixed(0.3, seed=1)) as (server, url):
        for most in (first, second):
            meter = SqliteMeter(Path(folder) / "spent.sqlite", Budget(requests=most))
            asked = ask(url + "/v1", data, meter=meter)
            meter.close()
            yield (
                f"budget of {most} calls: the server saw {len(server.calls)}, delivered {asked.right}, "
                f"wrong {asked.wrong}; {(asked.error or 'no error')[:60]}"
            )


@dataclass(frozen=True)
class Kill:
    """One run that was killed and run again."""

    before: int
    """Calls when it was killed."""
    total: int
    twice: int
    """Captions delivered a second time."""
    right: int


def kills(work: Path, captions: int, points: Sequence[float], latency_s: float = 0.02) -> Iterator[Kill]:
    """Kill a whole run when so many of its captions (shares) were asked for, then run it to its end."""
    make_pictures(work / "pictures", captions)
    for i, share in enumerate(points):
        out = work / f"out{i}"
        with server_process(Plan(latency_s=latency_s), work / f"calls{i}.log") as server:
            arguments = command(work / "pictures", out, server.url + "/v1", in_flight=32)
            arguments += ["--shard-size", str(max(20, captions // 5))]

            def reached(share: float = share) -> bool:
                return server.stats()["calls"] >= share * captions

            finish(arguments, until=reached)
            before = server.calls()
            done = finish(arguments)
            if done.code != 0:
                raise RuntimeError(done.said)
            calls = server.calls()
        paid = Counter(c.key for c in calls if c.paid)
        right = captioned(out, work / "pictures").right
        yield Kill(len(before), len(calls), sum(paid.values()) - len(paid), right)


def killed(captions: int) -> Iterator[str]:
    """SIGKILL at twenty points of a whole run."""
    rng = random.Random(0)
    count = min(captions, 400)
    with tempfile.TemporaryDirectory() as folder:
        found = list(kills(Path(folder), count, [rng.uniform(0, 1) for _ in range(20)]))
    yield (
        f"{len(found)} kills of {count} captions: right {min(k.right for k in found)} in every run, paid twice: "
        f"median {median([k.twice for k in found]):g}, most {max(k.twice for k in found)}"
    )


PARTS: dict[str, Callable[[int], Iterator[str]]] = {
    "mixed30": lambda captions: mixed(0.3, captions),
    "mixed60": lambda captions: mixed(0.6, captions),
    "retry_after": retry_after,
    "pacing": pacing,
    "slots": slots,
    "blackout": blackout,
    "hung": hung,
    "budget": budget,
    "kills": killed,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captions", type=int, default=2000)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    options = parser.parse_args()
    for name in options.parts:
        print(f"{name}:")
        for line in PARTS[name](options.captions):
            print(f"  {line}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
