"""What replies mean: every wrong answer is told from a right one, and has a name."""

import json
from typing import Any

import pytest

from recaption.core.protocols import Generation, Usage
from recaption.models.openai.outcome import Answer, Flaw, Trouble, judge, one_line

USAGE = {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107}


def reply(content="A cat.", finish="stop", **message):
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content, **message},
        "finish_reason": finish,
    }
    return json.dumps({"id": "chatcmpl-1", "choices": [choice], "usage": USAGE}).encode()


def error(message="no", code=None, kind=None):
    return json.dumps({"error": {"message": message, "code": code, "type": kind}}).encode()


def only(body, schema=None) -> Any:
    judged = judge(200, body, schema)
    assert isinstance(judged, Answer), judged
    (choice,) = judged.choices
    return choice


def trouble(status, body) -> Trouble:
    judged = judge(status, body)
    assert isinstance(judged, Trouble), judged
    return judged


def test_a_right_answer():
    judged = judge(200, reply())
    assert judged == Answer(
        (Generation(text="A cat.", finish_reason="stop", prompt_tokens=100, completion_tokens=7),),
        "chatcmpl-1",
        Usage(prompt_tokens=100, completion_tokens=7),
    )


def test_choices_come_in_the_order_of_their_index():
    choices = [{"index": i, "message": {"content": f"text {i}"}, "finish_reason": "stop"} for i in (2, 0, 1)]
    judged = judge(200, json.dumps({"choices": choices}).encode())
    assert isinstance(judged, Answer)
    assert [c.text for c in judged.choices if isinstance(c, Generation)] == ["text 0", "text 1", "text 2"]
    assert judged.usage is None


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (reply()[:50], "half_json"),
        (b"", "half_json"),
        (b"\xff\xfe\x00", "half_json"),
        (b"[" * 100_000, "half_json"),
        (b"[]", "wrong_shape"),
        (b'"A cat."', "wrong_shape"),
        (b"{}", "no_choices"),
        (b'{"choices": []}', "no_choices"),
        (b'{"choices": {"text": "A cat."}}', "no_choices"),
        (b'{"choices": ["A cat."]}', "wrong_shape"),
        (b'{"caption": "A cat."}', "no_choices"),
    ],
)
def test_replies_without_an_answer_are_tried_again(body, fault):
    judged = judge(200, body)
    assert isinstance(judged, Trouble)
    assert (judged.move, judged.fault, judged.bounded, judged.down) == ("again", fault, True, False)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (reply(""), "empty"),
        (reply(" \n\u200b"), "empty"),
        (reply(None), "null_content"),
        (reply(7), "null_content"),
        (reply(None, "tool_calls", tool_calls=[{"id": "x"}]), "tool_calls"),
        (reply("A c\x00at."), "damaged_text"),
        (reply("A \ud800 cat."), "damaged_text"),
        (json.dumps({"choices": [{"text": "A cat."}]}).encode(), "wrong_shape"),
    ],
)
def test_choices_of_no_use_are_flaws(body, fault):
    choice = only(body)
    assert isinstance(choice, Flaw)
    assert choice.fault == fault


def test_a_byte_order_mark_goes_and_parts_are_joined():
    assert only(reply("\ufeffA cat.")).text == "A cat."
    assert only(reply([{"type": "text", "text": "A "}, {"type": "text", "text": "cat."}])).text == "A cat."


def test_a_cut_answer_is_handed_on_as_cut():
    choice = only(reply("A cat on", "length"))
    assert (choice.text, choice.finish_reason) == ("A cat on", "length")
    nothing = only(reply("", "length"))
    assert (nothing.text, nothing.finish_reason) == (None, "length")
    assert "max_tokens" in nothing.error
    assert only(reply(None, "length")).finish_reason == "length"


@pytest.mark.parametrize(
    "body",
    [
        reply("I cannot", "content_filter"),
        reply(None, "content_filter"),
        reply(None, refusal="I cannot help with that."),
    ],
)
def test_a_filtered_answer_is_a_refusal(body):
    choice = only(body)
    assert isinstance(choice, Generation)
    assert (choice.text, choice.finish_reason) == (None, "refusal")
    assert choice.error


def test_log_probabilities_are_read_and_odd_ones_left():
    def with_logprobs(values):
        body = json.loads(reply())
        body["choices"][0]["logprobs"] = {"content": [{"token": "x", "logprob": v} for v in values]}
        return only(json.dumps(body).encode()).logprobs

    assert with_logprobs([-0.5, 0.0, -12.25]) == (-0.5, 0.0, -12.25)
    assert with_logprobs([-0.5, "x"]) is None
    assert with_logprobs([0.7]) is None
    assert with_logprobs([]) is None


SCHEMA = {"type": "object", "properties": {"caption": {"type": "string"}}, "required": ["caption"]}


def test_json_that_was_asked_for_is_looked_for():
    assert json.loads(only(reply('{"caption": "A cat."}'), SCHEMA).text) == {"caption": "A cat."}
    assert json.loads(only(reply('Sure!\n```json\n{"caption": "A cat.",}\n```'), SCHEMA).text) == {
        "caption": "A cat."
    }
    flaw = only(reply("A cat."), SCHEMA)
    assert isinstance(flaw, Flaw)
    assert flaw.fault == "not_the_schema"
    assert only(reply('{"caption": "A c', "length"), SCHEMA).finish_reason == "length"


@pytest.mark.parametrize(
    ("status", "body", "move", "down"),
    [
        (429, error("slow down"), "refused", False),
        (500, error("boom"), "again", True),
        (502, b"<html><h1>Bad gateway</h1></html>", "again", True),
        (503, b"", "again", True),
        (504, b"", "again", True),
        (529, b"", "again", True),
        (408, b"", "again", True),
        (301, b"", "again", False),
        (204, b"", "again", False),
        (400, error("maximum context length is 4096 tokens", "context_length_exceeded"), "reject", False),
        (400, error("Unsupported parameter: 'seed'"), "reject", False),
        (413, b"", "reject", False),
        (422, error("bad"), "reject", False),
        (403, error("flagged by moderation"), "reject", False),
        (400, error("filtered", "content_filter"), "reject", False),
        (401, error("Incorrect API key provided"), "fatal", False),
        (403, error("You may not"), "fatal", False),
        (404, error("The model does not exist"), "fatal", False),
        (402, error("pay"), "fatal", False),
        (429, error("You exceeded your current quota", "insufficient_quota"), "fatal", False),
        (400, error("Your credit balance is too low"), "fatal", False),
    ],
)
def test_statuses(status, body, move, down):
    judged = judge(status, body)
    assert isinstance(judged, Trouble)
    assert (judged.move, judged.down) == (move, down)
    assert judged.reason.startswith(str(status))
    assert "\n" not in judged.reason


def test_what_speaks_of_one_request_is_told_from_what_may_be_the_set_up():
    assert not trouble(400, error("maximum context length")).unspecific
    assert not trouble(400, error("cannot identify image file")).unspecific
    assert trouble(400, error("Unsupported parameter: 'seed'")).unspecific
    assert trouble(400, error("x", "content_filter")).refusal
    assert not trouble(400, error("maximum context length")).refusal


def test_an_error_wrapped_in_a_200_is_an_error():
    wrapped = trouble(200, json.dumps({"error": {"message": "overloaded", "code": 503}}).encode())
    assert (wrapped.move, wrapped.fault, wrapped.down) == ("again", "503", True)
    assert trouble(200, json.dumps({"error": "boom"}).encode()).fault == "500"


def test_messages_are_one_bounded_line_without_keys_or_terminal_codes():
    judged = trouble(500, error("line one\nline two\x1b[31m sk-abcdefghij1234567890 " + "x" * 5000))
    assert len(judged.reason) < 300
    assert "\n" not in judged.reason
    assert "\x1b" not in judged.reason
    assert "sk-abc" not in judged.reason
    assert one_line("a\u202eb") == "a\\u202eb"
    assert trouble(502, b"<html><body><h1>Bad gateway</h1></body></html>").reason == "502: Bad gateway"
    assert trouble(422, json.dumps({"detail": [{"loc": ["body"], "msg": "field required"}]}).encode()).reason
