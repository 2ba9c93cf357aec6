"""Is memory flat in the number of records? Peak of the whole process at two sizes, text-only small records.

python -m benchmarks.memory --sizes 10000 100000
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["CHILD", "peak_mb", "peak_of"]

CHILD = f"""
import runpy, sys
sys.path.insert(0, {str(Path(__file__).resolve().parents[1])!r})
from benchmarks.memory import peak_of
sys.argv = ["recaption", *sys.argv[1:]]
try:
    runpy.run_module("recaption", run_name="__main__")
finally:
    print("peak_mb", peak_of())
"""


def peak_of(pid: int | str = "self") -> float:
    """Return the most resident memory in MB that a process has had so far; 0 if it is gone.

    Not what getrusage says: on Linux its peak begins with that of the process that forked this one.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def peak_mb(folder: Path, records: int, recipe: str) -> float:
    """Run a recipe over so many small records in a process of its own and return its peak resident memory in MB."""
    table = folder / f"{records}.jsonl"
    with table.open("w", encoding="utf-8") as file:
        for i in range(records):
            file.write(
                json.dumps({"key": f"k{i:07d}", "text": f"A red bicycle number {i} by the old wall"}) + "\n"
            )
    done = subprocess.run(
        [sys.executable, "-c", CHILD, "run", str(table), str(folder / f"out{records}"), "--recipe", recipe],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return float(done.stdout.split("peak_mb")[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--recipe", default="text")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for size in options.sizes:
            print(f"{size:>9,} records: peak {peak_mb(Path(folder), size, options.recipe):.0f} MB", flush=True)


if __name__ == "__main__":
    main()
