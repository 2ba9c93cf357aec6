"""Label Studio's and Argilla's own libraries take what we export, and we take what they write."""

import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from recaption.audit.interchange import export_items, import_verdicts
from recaption.core.types import Image
from tests.unit.audit.interchange.audits import HOSTILE, audit, picture, sheet, standing
from tests.unit.audit.interchange.test_label_studio import annotation, taken_back

PYTHON = os.environ.get("RECAPTION_SDK_PYTHON", sys.executable)
HOW = (
    "install it apart, since its pins are not ours: python -m venv sdks; "
    "sdks/bin/pip install label-studio-sdk argilla requests; RECAPTION_SDK_PYTHON=sdks/bin/python pytest …"
)
ANNA, BO, CEM = (str(UUID(int=number)) for number in (1, 2, 3))


def said_by(library, *arguments):
    """Run the checks of one library; skip where it is not installed."""
    found = subprocess.run([PYTHON, "-c", f"import {library}"], capture_output=True, timeout=100, check=False)
    if found.returncode:
        pytest.skip(f"{library} cannot be imported by {PYTHON}; {HOW}")
    script = Path(__file__).with_name("sdk_checks.py")
    ran = subprocess.run(
        [PYTHON, str(script), *map(str, arguments)], capture_output=True, text=True, timeout=100, check=False
    )
    assert ran.returncode == 0, ran.stderr[-3_000:]
    print(ran.stdout)
    return json.loads(ran.stdout)


def hostile_audit(folder, task):
    sheets = [sheet(text, f"alt {n}", image=Image(data=picture())) for n, text in enumerate(HOSTILE)]
    return audit(folder, sheets, task=task, guideline='Be <fair> & "strict".\n$one\n' + "long " * 3_000)


@pytest.mark.parametrize("task", ["judge", "compare"])
def test_label_studio_takes_the_tasks(tmp_path, task):
    with hostile_audit(tmp_path, task) as store:
        export_items(store, tmp_path / "a.json", "label-studio")
        tasks = json.loads((tmp_path / "a.json").read_bytes())
        verdict = "accept" if task == "judge" else "A"
        text = "another" if task == "judge" else None
        answers = [[annotation(n, verdict=verdict, text=text)] for n in range(len(tasks))]
        source = taken_back(tasks, tmp_path / "b.json", *answers)
        said = said_by("label_studio_sdk", "label-studio", tmp_path / "a.json", tmp_path / "a.xml", source)
        assert import_verdicts(store, source, "label-studio")["imported"] == len(HOSTILE)
    assert said["tasks"] == said["annotations"] == len(HOSTILE)
    assert said["predictions"] == (len(HOSTILE) if task == "judge" else 0)


@pytest.mark.parametrize("task", ["judge", "compare"])
def test_argilla_takes_the_records_and_we_take_them_back(tmp_path, task):
    with hostile_audit(tmp_path, task) as store:
        export_items(store, tmp_path / "a", "argilla")
        records = json.loads((tmp_path / "a" / "records.json").read_bytes())
        right = {"verdict": "accept"} if task == "judge" else {"verdict": "A"}
        answers = {
            records[0]["id"]: [
                {"user_id": ANNA, "status": "submitted", "values": right},
                {"user_id": BO, "status": "submitted", "values": {**right, "text": "another", "note": "see"}},
            ],
            records[1]["id"]: [
                {"user_id": ANNA, "status": "discarded", "values": {}},
                {"user_id": BO, "status": "draft", "values": {"reason": "not yet"}},
                {
                    "user_id": CEM,
                    "status": "submitted",
                    "values": {"verdict": right["verdict"], "reason": "so"},
                },
            ],
        }
        (tmp_path / "answers.json").write_text(json.dumps(answers))
        said = said_by("argilla", "argilla", tmp_path / "a", tmp_path / "answers.json", tmp_path / "out")
        assert said["records"] == len(HOSTILE)
        assert said["suggestions"] == (len(HOSTILE) if task == "judge" else 0)
        for source, skipped in (("server.json", 1), ("flat.json", 0), ("disk", 0)):
            counts = import_verdicts(store, tmp_path / "out" / source, "argilla")
            assert counts["imported"] + counts["unchanged"] == 3
            assert (counts["refused"], counts["drafts"], counts["skipped"]) == (0, 1, skipped)
        found = standing(store)
    first = ("accept", None) if task == "judge" else ("prefer", None)
    second = ("edit", "another") if task == "judge" else first
    assert found == {
        ("key 0", f"argilla:{ANNA}"): first,
        ("key 0", f"argilla:{BO}"): second,
        ("key 1", f"argilla:{CEM}"): first,
    }
