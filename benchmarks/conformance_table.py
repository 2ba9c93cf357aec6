"""Families of vision-language models against the laws of a generator, on tiny checkpoints of the real classes.

    python benchmarks/conformance_table.py [--only LLaVA]

Runs `tests/conformance/test_transformers.py` for every family and prints one row each; below, the reason of every
failure. A cell stands for all tests of its property.
"""

import argparse
import contextlib
import io
import re
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROPERTIES: dict[str, tuple[str, ...]] = {
    "loads": ("it_says_what_it_is", "a_text_or_a_reason", "no_requests"),
    "= plain loop": ("captions_and_log_probabilities_are_those_of_the_plain_loop", "the_picture_matters"),
    "single = batch": ("alone_or_in_a_batch",),
    "n texts": ("as_many_texts_as_it_asks_for", "however_many_are_drawn"),
    "seeded": ("depends_on_the_seed", "another_seed"),
    "no echo": ("not_echoed",),
    "log-probs": ("log_probabilities_are_of", "a_limit_of_tokens"),
    "guidance": ("guidance_of_one",),
    "beams": ("beams_are", "diverse_beams"),
    "seen once": ("a_picture_is_seen_once",),
    "bad picture": ("a_bad_picture",),
    "threads": ("several_threads", "stops_listening"),
    "bf16": ("other_formats-bfloat16",),
    "int8": ("other_formats-int8",),
}
_TEST = re.compile(r"::test_(\w+)\[(.+?)(?:-(bfloat16|int8))?\]$")


class Results:
    """A pytest plugin that keeps what came of every test."""

    def __init__(self) -> None:
        self.passed: dict[str, dict[str, bool]] = defaultdict(dict)
        self.reasons: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note one phase of one test."""
        match = _TEST.search(report.nodeid)
        if match is None or (report.when != "call" and report.passed):
            return
        name, family, variant = match.groups()
        name = f"{name}-{variant}" if variant else name
        self.passed[family][name] = report.passed and self.passed[family].get(name, True)
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            reason = " ".join(str(crash.message if crash else report.longrepr).split())[:300]
            self.reasons.append(f"- {family}, {name}: {reason}")


def cell(tests: dict[str, bool], marks: tuple[str, ...]) -> str:
    """Return yes, no, or a dash where nothing was run."""
    found = [passed for name, passed in tests.items() if any(_matches(name, mark) for mark in marks)]
    return "-" if not found else "yes" if all(found) else "NO"


def _matches(name: str, mark: str) -> bool:
    return all(part in name for part in mark.split("-"))


def main() -> int:
    """Run the suite, print the table, and return 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="families whose name holds this")
    args = parser.parse_args()
    results = Results()
    suite = str(ROOT / "tests/conformance/test_transformers.py")
    chosen = ["-k", args.only] if args.only else []
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(io.StringIO()):
        pytest.main(["-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT), suite, *chosen], plugins=[results])
    if not results.passed:
        sys.exit(said.getvalue())
    print(f"| family | {' | '.join(PROPERTIES)} |\n|{'---|' * (len(PROPERTIES) + 1)}")
    for family, tests in results.passed.items():
        print(f"| {family} | {' | '.join(cell(tests, marks) for marks in PROPERTIES.values())} |")
    total = [passed for tests in results.passed.values() for passed in tests.values()]
    print(f"\n{sum(total)} of {len(total)} tests passed.")
    print("\n".join(results.reasons))
    return 1 if results.reasons else 0


if __name__ == "__main__":
    sys.exit(main())
