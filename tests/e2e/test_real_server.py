"""A recipe that starts a real server by itself: `transformers serve` with a tiny random vision-language model."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import pytest
import yaml

from recaption.datasets.run_folder import RunFolder
from recaption.demo.dataset import write_demo
from tests.conformance.checkpoints import build

PICTURES = 6

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("uvicorn") is None, reason="needs transformers[serving]"),
]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = build("LLaVA", tmp_path)
    # The server ignores a temperature unless the model's own settings say that it draws.
    settings = folder / "generation_config.json"
    known = json.loads(settings.read_text()) if settings.exists() else {}
    settings.write_text(json.dumps({**known, "do_sample": True}))
    return folder


def recaption(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    cache = cwd / "cache"
    cache.mkdir(exist_ok=True)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "recaption", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_recipe_starts_the_server_gets_every_candidate_and_stops_it(model, tmp_path):
    write_demo(tmp_path / "in", PICTURES, 5, evidence=False)
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(model)]
    command += ["--host", "127.0.0.1", "--port", "{port}", "--device", "cpu", "--log-level", "warning"]
    captioner = {
        "model": str(model),
        "url": "http://127.0.0.1:{port}/v1",
        "in_flight": 4,
        "server": {"command": command, "startup_timeout_s": 120, "log_file": str(tmp_path / "server.log")},
    }
    stages = [
        {
            "caption": {
                "captioner": {"openai": captioner},
                "n": 3,
                "temperature": 1.0,
                "max_tokens": 12,
                "retry": {"attempts": 0},
                "canary": False,
            }
        },
        {"select": {"prefer": [{"origin": "model"}, {}]}},
    ]
    (tmp_path / "served.yaml").write_text(yaml.safe_dump({"stages": stages}))
    done = recaption("run", "in", "out", "--recipe", "served.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr

    records = list(RunFolder(tmp_path / "out").records())
    assert len(records) == PICTURES
    for record in records:
        made = [c for c in record.captions if c.origin == "model"]
        draws = [number for c in made for number in cast(list[int], c.provenance.details["draws"])]
        assert sorted(draws) == [0, 1, 2], "the server ignores `n`; the client does not"

    again = recaption("run", "in", "out", "--recipe", "served.yaml", cwd=tmp_path)
    assert again.returncode == 0
    log = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert [entry["calls_paid"] for entry in log] == [PICTURES, 0]
    assert not _listening(tmp_path / "server.log"), "the server outlived the run"


def _listening(log: Path) -> bool:
    """Return whether a port named in the server's log still answers."""
    ports = {
        int(word) for word in log.read_text().replace(":", " ").split() if word.isdigit() and len(word) == 5
    }
    for port in ports:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
    return False
