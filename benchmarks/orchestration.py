"""What the tool around a captioning server costs: time, calls, processor, memory.

    python -m benchmarks.orchestration --images 2000 --in-flight 64 --latency 0.2

A loopback server of its own process answers every request after a fixed time. Whole `recaption run` commands, with
ledger, checks and provenance, take turns with a bare aiohttp loop that does nothing but ask (the floor), since a busy
machine is told from a slow tool only side by side. Then the same under faults, killed half-way, with a hundred
pictures more, with large pictures, and with a simulated engine that computes so many answers a second.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.captioning import (
    Finished,
    captioned,
    command,
    finish,
    jpeg,
    make_pictures,
    median,
    photo,
)
from tests.servers.plans import Call, Plan
from tests.servers.running import ServerProcess, server_process

SMALL_FAULTS = {"429_retry_after": 0.02, "500": 0.01, "hang": 0.005, "empty_content": 0.005, "length": 0.005}
APPENDED = 100
ENGINE_IMAGES, ENGINE_SLOTS = 3000, 32


@dataclass(frozen=True)
class Setting:
    """What all parts share."""

    work: Path
    images: int
    in_flight: int
    latency_s: float
    repeats: int

    @property
    def ideal_s(self) -> float:
        """Seconds that nobody can be faster than."""
        return -(-self.images // self.in_flight) * self.latency_s

    def ours(
        self, server: ServerProcess, out: Path, pictures: Path | None = None, **settings: object
    ) -> list[str]:
        """Return our command line."""
        told = {"in_flight": self.in_flight, **settings}
        return command(pictures or self.work / "pictures", out, server.url + "/v1", **told)

    def floor(self, server: ServerProcess, pictures: Path | None = None) -> list[str]:
        """Return the command line of the bare loop."""
        module = [sys.executable, "-m", "benchmarks.orchestration_floor"]
        return [*module, str(pictures or self.work / "pictures"), server.url + "/v1", str(self.in_flight)]


def span_s(calls: Sequence[Call]) -> float:
    """Return the seconds from the first request to the last answer."""
    return max(c.ended_s or 0.0 for c in calls) - min(c.started_s for c in calls)


def paid_twice(calls: Sequence[Call]) -> int:
    """Return how many captions were delivered once more."""
    paid = Counter(call.key for call in calls if call.paid)
    return sum(paid.values()) - len(paid)


def checked(done: Finished) -> Finished:
    """Return it, if it went well."""
    if done.code != 0:
        raise RuntimeError(f"a run left with {done.code}:\n{done.said}")
    return done


def no_faults(setting: Setting) -> Iterator[str]:
    """Side by side with the floor."""
    rows: dict[str, list[tuple[float, Finished]]] = {"floor": [], "recaption run": []}
    right = most_live = 0
    for turn in range(setting.repeats):
        for who, found in rows.items():
            with server_process(
                Plan(latency_s=setting.latency_s), setting.work / f"{turn}{who[0]}.log"
            ) as server:
                out = setting.work / f"out{turn}"
                arguments = setting.floor(server) if who == "floor" else setting.ours(server, out)
                done = checked(finish(arguments))
                found.append((span_s(server.calls()), done))
                if who != "floor":
                    right = captioned(out, setting.work / "pictures").right
                    most_live = int(server.stats()["most_live"])
    for who, found in rows.items():
        span, wall = median([s for s, _ in found]), median([d.wall_s for _, d in found])
        cpu, peak = median([d.cpu_s for _, d in found]), median([d.peak_mb for _, d in found])
        yield (
            f"{who}: span {span:.2f} s = {span / setting.ideal_s:.3f} of ideal, wall {wall:.2f} s = "
            f"{wall / setting.ideal_s:.3f}, CPU {cpu:.1f} s, memory {peak:.0f} MB"
        )
    ratios = [o[0] / f[0] for f, o in zip(rows["floor"], rows["recaption run"], strict=True)]
    yield f"span against the floor, turn by turn: {', '.join(f'{r:.3f}' for r in ratios)}"
    yield f"right captions {right} of {setting.images}, most in flight {most_live}"


def faults(setting: Setting) -> Iterator[str]:
    """2 % 429, 1 % 500, 0.5 % hang 10 s, 0.5 % empty, 0.5 % cut."""
    plan = Plan(latency_s=setting.latency_s, rates=SMALL_FAULTS, seed=1, retry_after="1", hang_s=10.0)
    with server_process(plan, setting.work / "faults.log") as server:
        done = checked(finish(setting.ours(server, setting.work / "faults")))
        calls = server.calls()
    found = captioned(setting.work / "faults", setting.work / "pictures")
    hit = Counter(call.mode for call in calls if call.mode != "ok")
    yield f"faults {dict(hit)}: {found}, calls {len(calls)}, delivered twice {paid_twice(calls)}"
    yield f"wall {done.wall_s:.1f} s, span {span_s(calls):.1f} s, CPU {done.cpu_s:.1f} s"


def killed(setting: Setting) -> Iterator[str]:
    """SIGKILL at half, then the same command, then a hundred more pictures."""
    pictures, out = setting.work / "more", setting.work / "killed"
    make_pictures(pictures, setting.images)
    with server_process(Plan(latency_s=setting.latency_s), setting.work / "killed.log") as server:

        def half() -> bool:
            return server.stats()["calls"] >= setting.images // 2

        finish(setting.ours(server, out, pictures), until=half)
        before = server.calls()
        checked(finish(setting.ours(server, out, pictures)))
        after = server.calls()
        answered = sum(call.paid for call in before)
        yield (
            f"killed after {len(before)} calls, {answered} answered; then {len(after) - len(before)} calls: "
            f"{captioned(out, pictures)}, answered twice {paid_twice(after)}"
        )
        make_pictures(pictures, APPENDED, first=setting.images)
        checked(finish(setting.ours(server, out, pictures)))
        last = server.calls()
        yield f"{APPENDED} pictures more: {len(last) - len(after)} calls, {captioned(out, pictures)}"


def large(setting: Setting, count: int = 300) -> Iterator[str]:
    """Photographs of about 300 kB."""
    pictures = setting.work / "large"
    make_pictures(pictures, count, lambda rng: photo(rng, 1024, 768))
    bytes_each = sum(p.stat().st_size for p in pictures.glob("*.jpg")) / count
    yield f"{count} photographs of {bytes_each / 1e3:.0f} kB"
    for who in ("floor", "recaption run"):
        with server_process(Plan(latency_s=setting.latency_s), setting.work / f"large{who[0]}.log") as server:
            out = setting.work / "large-out"
            arguments = (
                setting.floor(server, pictures) if who == "floor" else setting.ours(server, out, pictures)
            )
            done = checked(finish(arguments))
            calls = server.calls()
        sent = sum(c.bytes for c in calls) / len(calls)
        yield (
            f"{who}: CPU {1e3 * done.cpu_s / count:.1f} ms a request with start-up; memory {done.peak_mb:.0f} MB; "
            f"{sent / 1e3:.0f} kB a request; span {span_s(calls):.2f} s"
        )


def engine(setting: Setting) -> Iterator[str]:
    """Feed an engine that computes so many answers a second: pictures as they are, and shrunk on the way."""
    pictures = setting.work / "engine"
    make_pictures(pictures, ENGINE_IMAGES, lambda rng: photo(rng, 640, 480))
    for rate, image in ((200.0, {}), (100.0, {"max_side_px": 384})):
        with server_process(Plan(engine=(rate, ENGINE_SLOTS)), setting.work / f"engine{rate:g}.log") as server:
            arguments = setting.ours(server, setting.work / f"engine-out{rate:g}", pictures, image=image)
            done = checked(finish(arguments))
            calls, busy_s = server.calls(), server.stats()["busy_s"]
        span, sent = span_s(calls), sum(c.bytes for c in calls) / len(calls)
        yield (
            f"engine of {rate:g} images/s, {ENGINE_SLOTS} slots, {len(calls)} calls of {sent / 1e3:.0f} kB: "
            f"busy {busy_s / (ENGINE_SLOTS * span):.3f}, {len(calls) / span:.0f} images/s, "
            f"CPU {done.cpu_s / done.wall_s:.2f} cores"
        )


PARTS: dict[str, Callable[[Setting], Iterator[str]]] = {
    "no_faults": no_faults,
    "faults": faults,
    "killed": killed,
    "large": large,
    "engine": engine,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(Path(folder), options.images, options.in_flight, options.latency, options.repeats)
        make_pictures(setting.work / "pictures", options.images, jpeg)
        for name in options.parts:
            print(f"{name}: {PARTS[name].__doc__}")
            for line in PARTS[name](setting):
                print(f"  {line}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
