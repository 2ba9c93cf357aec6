"""Real hostile files through the command line: every item is accounted for, nothing crashes, nothing hangs."""

import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.memory import CHILD
from recaption.datasets.run_folder import RunFolder
from recaption.runs.verify import verify

MAX_PEAK_MB = 700


def run(source: Path, out: Path, *extra: str) -> float:
    """Run the rule recipe in a process of its own; return its peak resident memory in MB."""
    arguments = ["run", str(source), str(out), "--max-failed", "1", "--show", "0", *extra]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return float(done.stdout.split("peak_mb")[1])


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_odd_image_is_captioned_or_rejected_with_a_reason(shared_data, tmp_path):
    source = shared_data / "bad_inputs" / "images"
    peak = run(source, tmp_path / "out")
    folder = RunFolder(tmp_path / "out")
    verdict = verify(folder)
    assert verdict.faults == ()
    assert verdict.items > 400
    rejects = pq.read_table(tmp_path / "out" / "rejects" / "00000.parquet").to_pylist()
    assert all(r["reason"] for r in rejects)
    assert not any("0x" in r["reason"] for r in rejects)
    assert peak < MAX_PEAK_MB


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_hostile_tar_is_read_as_far_as_it_goes(shared_data, tmp_path):
    for number, tar in enumerate(sorted((shared_data / "bad_inputs" / "tars").rglob("*.tar*"))):
        out = tmp_path / str(number)
        done = subprocess.run(
            [sys.executable, "-m", "recaption", "run", str(tar), str(out), "--max-failed", "1"],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        # 2: the tar holds no sample at all, which is said.
        assert done.returncode in {0, 2}, f"{tar.name}: {done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr, tar.name
        if done.returncode == 0:
            assert verify(RunFolder(out)).faults == (), tar.name
