"""Batch files: split where they must be, read back in any order, and exactly the unfinished written again."""

import json
import random

import pytest

from recaption.core.errors import UserError
from recaption.core.protocols import GenerationRequest, Sampling
from recaption.models.openai.batch_files import BatchFiles
from recaption.models.openai.generator import OpenAIGenerator
from recaption.models.openai.settings import BatchLimits
from tests.unit.models.openai.asking import completion, picture

PARAMS = OpenAIGenerator.Params(url="http://x/v1", model="m", price={"output_per_million": 1e6})


def asked(count, **sampling):
    return {
        f"r{i:05}": GenerationRequest(key=str(i), prompt=f"Say {i}.", sampling=Sampling(**sampling))
        for i in range(count)
    }


def lines_of(paths):
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def answer(line, text=None, status=200, body=None, error=None):
    prompt = line["body"]["messages"][0]["content"]
    body = completion(text or f"Answer to {prompt}") if body is None else body
    response = None if error else {"status_code": status, "request_id": "x", "body": body}
    return {"id": "b", "custom_id": line["custom_id"], "response": response, "error": error}


def put(batch, name, answers):
    text = "".join(json.dumps(a) + "\n" for a in answers)
    (batch.answers_folder / name).write_text(text)


@pytest.mark.parametrize(("count", "sizes"), [(49, [49]), (50, [50]), (51, [50, 1]), (0, []), (150, [50] * 3)])
def test_files_hold_so_many_lines_and_no_more(tmp_path, count, sizes):
    batch = BatchFiles(PARAMS, tmp_path, BatchLimits(max_lines=50))
    paths = batch.write(asked(count))
    assert [len(lines_of([path])) for path in paths] == sizes
    assert [line["custom_id"] for line in lines_of(paths)] == [f"r{i:05}::0" for i in range(count)]
    assert [p.name for p in batch.requests_folder.iterdir() if p.suffix != ".jsonl"] == []


def test_files_hold_so_many_bytes_and_no_more(tmp_path):
    (whole,) = BatchFiles(PARAMS, tmp_path / "a").write(asked(10))
    size = whole.stat().st_size
    exact = BatchFiles(PARAMS, tmp_path / "b", BatchLimits(max_bytes=size)).write(asked(10))
    assert [path.stat().st_size for path in exact] == [size]
    short = BatchFiles(PARAMS, tmp_path / "c", BatchLimits(max_bytes=size - 1)).write(asked(10))
    assert len(short) == 2
    assert sum(path.stat().st_size for path in short) == size
    with pytest.raises(UserError, match="more than a file may have"):
        BatchFiles(PARAMS, tmp_path / "d", BatchLimits(max_bytes=50)).write(asked(1))
    assert list((tmp_path / "d" / "requests").iterdir()) == []


def test_the_limits_are_those_of_the_service():
    assert (BatchLimits().max_lines, BatchLimits().max_bytes) == (50_000, 200_000_000)


def test_a_line_is_the_request_the_server_would_get(tmp_path):
    (path,) = BatchFiles(PARAMS, tmp_path).write(asked(1, temperature=0.5, seed=3, n=2, max_tokens=9))
    first, second = lines_of([path])
    assert (first["method"], first["url"]) == ("POST", "/v1/chat/completions")
    assert first["body"]["model"] == "m"
    assert (first["body"]["max_tokens"], first["body"]["seed"]) == (9, 3)
    assert "n" not in first["body"]
    assert (first["custom_id"], second["custom_id"]) == ("r00000::0", "r00000::1")
    assert second["body"]["seed"] != 3


def test_exactly_the_unfinished_are_written_again(tmp_path):
    requests = asked(100)
    batch = BatchFiles(PARAMS, tmp_path, BatchLimits(max_lines=60))
    lines = lines_of(batch.write(requests))
    expired = {"code": "batch_expired", "message": "not in time"}
    nested = {"error": {"message": "maximum context length", "code": "context_length_exceeded"}}
    output, errors = [], []
    for i, line in enumerate(lines):
        if i < 60:
            output.append(answer(line))
        elif i < 70:
            errors.append(answer(line, error=expired))
        elif i < 75:
            errors.append(answer(line, status=500, body={"error": {"message": "boom"}}))
        elif i < 80:
            output.append(answer(line, status=400, body=nested))  # with `error` null, as seen in the wild
        elif i < 85:
            output.append(answer(line, body=completion("")))
    output += output[:7]  # doubled
    output.append(answer({"custom_id": "stranger::0", "body": lines[0]["body"]}))
    output.append(answer({"custom_id": "r00001::7", "body": lines[0]["body"]}))
    random.Random(0).shuffle(output)
    put(batch, "output.jsonl", output)
    put(batch, "errors.jsonl", errors)
    with (batch.answers_folder / "torn.jsonl").open("wb") as file:
        file.write(json.dumps(answer(lines[99])).encode()[:-9])
    state = batch.read(requests)
    names = list(requests)
    assert state.unfinished == names[60:75] + names[80:]
    assert {name: g[0].text for name, g in state.answers.items() if g[0].text} == {
        name: f"Answer to Say {i}." for i, name in enumerate(names[:60])
    }
    assert {name for name, g in state.answers.items() if g[0].text is None} == set(names[75:80])
    assert (state.doubled, state.unknown, state.damaged) == (7, 2, 1)
    assert state.usage.requests == 67 + 5
    assert state.usage.cost == pytest.approx(5 * 72)
    again = batch.write(requests)
    assert [line["custom_id"] for line in lines_of(again)] == [f"{n}::0" for n in state.unfinished]
    assert {path.name[:4] for path in again} == {"0002"}
    put(batch, "second.jsonl", [answer(line) for line in lines_of(again)])
    assert batch.read(requests).unfinished == []
    assert batch.write(requests) == []


def test_new_requests_are_written_alone(tmp_path):
    batch = BatchFiles(PARAMS, tmp_path)
    put(batch, "output.jsonl", [answer(line) for line in lines_of(batch.write(asked(20)))])
    assert [line["custom_id"] for line in lines_of(batch.write(asked(23)))] == [
        "r00020::0",
        "r00021::0",
        "r00022::0",
    ]


def test_of_several_draws_only_the_missing_are_written_again(tmp_path):
    batch = BatchFiles(PARAMS, tmp_path)
    requests = asked(2, n=3, temperature=1.0)
    lines = lines_of(batch.write(requests))
    put(batch, "output.jsonl", [answer(line, f"text {i}") for i, line in enumerate(lines) if i != 4])
    assert [line["custom_id"] for line in lines_of(batch.write(requests))] == ["r00001::1"]
    assert [g.text for g in batch.read(requests).answers["r00000"]] == ["text 0", "text 1", "text 2"]


def test_a_good_answer_goes_before_a_failure_in_whatever_order(tmp_path):
    for order in (1, -1):
        batch = BatchFiles(PARAMS, tmp_path / str(order))
        (line,) = lines_of(batch.write(asked(1)))
        both = [answer(line, status=413, body={"error": "large"}), answer(line, "A cat.")]
        put(batch, "output.jsonl", both[::order])
        assert batch.read(asked(1)).answers["r00000"][0].text == "A cat."


def test_lines_too_long_are_skipped_whole(tmp_path):
    small = PARAMS.model_copy(update={"max_body_bytes": 1024})
    batch = BatchFiles(small, tmp_path)
    lines = lines_of(batch.write(asked(2)))
    put(batch, "output.jsonl", [answer(lines[0], "x" * 500_000), answer(lines[1])])
    state = batch.read(asked(2))
    assert (state.damaged, state.unfinished) == (1, ["r00000"])


def test_a_picture_that_cannot_be_read_is_left_out_and_stays_unfinished(tmp_path):
    requests = {"a": GenerationRequest(key="a", prompt="x", image=picture(b"no picture"))}
    batch = BatchFiles(PARAMS, tmp_path)
    assert batch.write(requests) == []
    assert batch.read(requests).unfinished == ["a"]


@pytest.mark.parametrize("name", ["", "x" * 61, "a::b", "é", "a\nb"])
def test_ids_that_would_not_come_back_are_refused(tmp_path, name):
    with pytest.raises(UserError, match="cannot be the id"):
        BatchFiles(PARAMS, tmp_path).write({name: GenerationRequest(key="k", prompt="x")})
