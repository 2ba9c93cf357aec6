"""Who may be served where, and the server as a process."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from recaption.audit.web.serving import PageServer, check_host, link, serve
from recaption.core.errors import UserError
from tests.unit.audit.web.pages import Client, audit, served, sheet_item


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.53", "localhost", "::1"])
def test_loopback_needs_nobody_named(judged, host):
    check_host(judged.store, host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "2001:db8::1", "audit.example", ""])
def test_elsewhere_it_must_be_said_who_may_judge(judged, host):
    with pytest.raises(UserError, match="who may judge"):
        PageServer(judged.store, judged.about, host=host)
    auditor, _ = judged.store.add_auditor("Ann")
    check_host(judged.store, host, ("audit.example",))
    judged.store.dismiss_auditor(auditor.id)
    with pytest.raises(UserError, match="who may judge"):
        check_host(judged.store, host, ("audit.example",))


def test_every_address_needs_a_name(judged):
    judged.store.add_auditor("Ann")
    with pytest.raises(UserError, match="give the name"):
        check_host(judged.store, "0.0.0.0")


@pytest.mark.parametrize("port", [70_000, -1])
def test_ports_that_cannot_be(judged, port):
    with pytest.raises(UserError, match="cannot listen"):
        serve(judged.store, judged.about, port=port)


def test_a_port_in_use(judged):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UserError, match="Try another"):
        serve(judged.store, judged.about, port=taken.getsockname()[1])


def test_a_link():
    assert link("http://127.0.0.1:8765", "abc") == "http://127.0.0.1:8765/#token=abc"


def test_named_hosts_are_answered(tmp_path):
    with audit(tmp_path, [sheet_item(0)]) as made, served(made, names=("https://audit.example",)) as origin:
        assert origin == "https://audit.example"


@pytest.mark.slow
def test_a_process_that_ends_when_told(judged):
    token = judged.token("Ann")
    root = Path(__file__).parents[4]
    command = [sys.executable, "-m", "recaption.audit.web", str(judged.place)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root
    ) as process:
        alarm = threading.Timer(60, process.kill)
        alarm.start()
        assert process.stdout is not None
        line = process.stdout.readline()
        ann = Client(line.split()[-1], token)
        assert ann.next()["item"] == 0
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate()
        alarm.cancel()
    assert process.returncode == 0
    assert out == ""
    assert errors == ""


def test_a_place_without_an_audit(tmp_path):
    command = [sys.executable, "-m", "recaption.audit.web", str(tmp_path / "none.sqlite")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "there is no audit" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_flood_of_pictures_keeps_no_verdict_waiting(ann, judged):
    item = ann.next()
    strangers = [threading.Thread(target=lambda: Client(ann.origin).get(item["image"])) for _ in range(60)]
    own = [threading.Thread(target=lambda: ann.get(f"{item['image']}/full")) for _ in range(60)]
    for thread in (*strangers, *own):
        thread.start()
    body = {"request": "r", "item": 0, "fence": item["fence"], "action": "accept"}
    assert ann.post("/api/verdict", body).status == 200
    for thread in (*strangers, *own):
        thread.join(timeout=60)
    assert ann.get("/api/progress").json["done"] == 1
