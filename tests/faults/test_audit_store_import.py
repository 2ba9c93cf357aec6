"""An import that is killed at any moment: of those written together all are there or none, and the same file once
more brings the rest."""

import csv
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recaption.audit.interchange import ExportOptions, export_items, import_verdicts
from recaption.audit.interchange.recording import AT_ONCE
from recaption.audit.opening import STORE_FILE, open_store
from tests.servers.audit_stores import troubles
from tests.unit.audit.interchange.audits import audit, captions

ROOT = Path(__file__).parents[2]
VERDICTS = 12 * AT_ONCE


def filled_in(store, folder: Path) -> Path:
    """Return a sheet with a word on every item."""
    export_items(store, folder / "items.csv", "csv", options=ExportOptions(images="none"))
    with (folder / "items.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    with (folder / "judged.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(row | {"verdict": "accept", "auditor": "Anna"} for row in rows)
    return folder / "judged.csv"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_imports_that_are_killed(tmp_path):
    place = tmp_path / "out" / STORE_FILE
    place.parent.mkdir(parents=True)
    with audit(tmp_path, captions(*["a cat"] * VERDICTS), overlap=1) as store:
        source = filled_in(store, tmp_path)
    next(tmp_path.glob("*.sqlite")).rename(place)
    command = [sys.executable, "-m", "recaption", "audit", "import", str(tmp_path / "out"), str(source)]
    with open_store(place) as store:
        for share in (0.1, 0.3, 0.6):
            with subprocess.Popen([*command, "--format", "csv"], cwd=ROOT, stdout=subprocess.DEVNULL) as worker:
                while store.progress().done < share * VERDICTS:
                    assert worker.poll() is None
                    time.sleep(0.001)
                worker.kill()
            done = store.progress().done
            assert done % AT_ONCE == 0
            assert share * VERDICTS <= done < VERDICTS
            assert len(list(store.verdicts())) == done
        assert troubles(store) == []
        counts = import_verdicts(store, source, "csv")
        print(dict(counts))
        assert (counts["unchanged"], counts["imported"]) == (done, VERDICTS - done)
        assert troubles(store) == []
