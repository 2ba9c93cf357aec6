"""LanguageTool by HTTP: what is sent, how an answer is read, and every way in which none comes."""

import os
import socket
import sys
import threading
from pathlib import Path

import pytest

from recaption.evaluation.extract.languagetool import (
    DISABLED,
    CheckError,
    LanguageTool,
    Match,
    is_here,
    parsed_address,
)
from recaption.evaluation.extract.languagetool_server import JAR, opened
from recaption.evaluation.metric import Unavailable
from recaption.evaluation.options import Options
from tests.servers.languagetool_server import FAULTS, languagetool

SENTENCE = "A sentence with a error in it it."


def test_a_text_is_checked() -> None:
    with languagetool() as server:
        found = LanguageTool(server.url).check(SENTENCE)
    assert found.version == "LanguageTool 6.6 2025-03-27 11:00:00 +0100"
    assert found.matches == (
        Match("GRAMMAR", "EN_A_VS_AN", 16, 2),
        Match("GRAMMAR", "ENGLISH_WORD_REPEAT_RULE", 27, 5),
    )
    assert server.forms == [
        {
            "language": ["en-US"],
            "text": [SENTENCE],
            "disabledCategories": ["CASING,TYPOGRAPHY,PUNCTUATION,TYPOS"],
        }
    ]


def test_categories_are_left_out_even_where_the_server_does_not_listen() -> None:
    with languagetool("deaf") as server:
        found = LanguageTool(server.url).check("a error")
    assert {match.category for match in found.matches} == {"GRAMMAR"}
    assert "CASING" in DISABLED


def test_any_text_can_be_sent_and_a_long_one_is_cut() -> None:
    with languagetool() as server:
        client = LanguageTool(server.url + "/")
        client.check("\ud800 & = % \x00 猫 😀\n")
        client.check("x" * 1_000_000)
    assert server.texts == ["? & = % \x00 猫 😀\n", "x" * 20_000]


MESSAGES = {
    "500": r"HTTP 500: Error: Internal Error \\u001b\[31mred",
    "garbage": "not an answer of LanguageTool",
    "no_matches": "not an answer of LanguageTool: 'matches'",
    "wrong_types": "not an answer of LanguageTool",
    "nested": "not an answer of LanguageTool",
    "huge": "an answer of more than 8,388,608 bytes",
    "endless": "an answer of more than 8,388,608 bytes",
    "hang": "no answer in time",
    "drip": "no answer in time",
    "drip_headers": "no answer in time",
    "reset": r"closed|reset",
    "redirect": "HTTP 307",
}


@pytest.mark.parametrize("fault", sorted(MESSAGES))
def test_a_fault_is_an_error_in_one_line(fault: str) -> None:
    patience = 0.5 if MESSAGES[fault] == "no answer in time" else 60
    with languagetool(fault) as server:
        with pytest.raises(CheckError, match=MESSAGES[fault]) as error:
            LanguageTool(server.url, timeout_s=patience).check(SENTENCE)
        assert str(error.value).isprintable()
        assert len(str(error.value)) < 200


def test_every_fault_is_tried() -> None:
    assert {*MESSAGES, "deaf"} == set(FAULTS)


def test_nobody_there_is_an_error() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(CheckError, match="refused"):
        LanguageTool(f"http://127.0.0.1:{port}").check(SENTENCE)


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8081",
        "ftp://127.0.0.1",
        "http://",
        "http://127.0.0.1:port",
        "http://a@127.0.0.1",
        "http://h?x",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        LanguageTool(url)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8081", True),
        ("http://localhost:8081", True),
        ("http://[::1]:8081", True),
        ("http://127.8.9.1", True),
        ("http://10.0.0.1:8081", False),
        ("http://localhost.example.com", False),
        ("https://api.languagetool.org", False),
    ],
)
def test_only_the_loopback_is_here(url: str, here: bool) -> None:
    assert is_here(parsed_address(url)) is here


def test_proxies_are_passed_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with languagetool() as server:
        assert LanguageTool(server.url).check(SENTENCE).matches


def test_another_machine_is_asked_only_if_told_to() -> None:
    with (
        pytest.raises(Unavailable, match="is not on this machine, and the texts would be sent there"),
        opened(Options(languagetool="https://api.languagetool.org")),
    ):
        pass
    told = Options(languagetool="http://languagetool.invalid:8081", languagetool_elsewhere=True)
    with pytest.raises(Unavailable, match=r"languagetool\.invalid:8081: "), opened(told, timeout_s=5):
        pass


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (None, "no LanguageTool. Give the address of a running server .* install Java 17"),
        ("http://127.0.0.1:port", "languagetool 'http://127.0.0.1:port': "),
        ("/no/such/folder", "there is no languagetool-server.jar in /no/such/folder"),
    ],
)
def test_what_is_missing_is_told(named: str | None, message: str) -> None:
    with pytest.raises(Unavailable, match=message), opened(Options(languagetool=named)):
        pass


def test_a_server_that_is_none_is_told() -> None:
    with (
        languagetool("garbage") as server,
        pytest.raises(Unavailable, match="not an answer of LanguageTool"),
        opened(Options(languagetool=server.url)),
    ):
        pass


def java(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Put a program of that name on the path, and a jar beside it."""
    program = folder / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    (folder / "LanguageTool-6.6").mkdir()
    (folder / "LanguageTool-6.6" / JAR).write_bytes(b"PK")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return folder


def test_a_folder_is_started_and_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).resolve().parents[4]
    log = tmp_path / "arguments"
    serve = f'exec {sys.executable} -m tests.servers.languagetool_server "$5"'
    script = f'echo "$@" > {log}\necho $$ > {log}.pid\ncd {root}\n{serve}'
    folder = java(tmp_path, monkeypatch, script)
    with opened(Options(languagetool=str(folder))) as (client, version):
        assert version.startswith("LanguageTool 6.6")
        assert client.check(SENTENCE).matches
        jar = folder / "LanguageTool-6.6" / JAR
        port = client.url.rpartition(":")[2]
        assert log.read_text().split() == [
            "-cp",
            str(jar),
            "org.languagetool.server.HTTPServer",
            "--port",
            port,
        ]
        pid = int(Path(f"{log}.pid").read_text())
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not [t for t in threading.enumerate() if t.name == "recaption-server"]


def test_java_that_is_missing_or_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = java(tmp_path, monkeypatch, "echo UnsupportedClassVersionError >&2; exit 1")
    with (
        pytest.raises(Unavailable, match=r"does not start: .*exit code 1.*UnsupportedClassVersionError"),
        opened(Options(languagetool=str(folder))),
    ):
        pass
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    with pytest.raises(Unavailable, match="is here, Java is not"), opened(Options(languagetool=str(folder))):
        pass
