"""What a recipe may say, what it may not, and what goes over the wire."""

import json
import subprocess
import sys

import pytest

from recaption.core.errors import RecipeError
from recaption.core.protocols import GenerationRequest, Sampling
from recaption.models.openai.body import BodyStyle, RequestBody
from recaption.models.openai.choices import Draws, draw_seed
from recaption.models.openai.echoes import Echoes
from recaption.models.openai.generator import OpenAIGenerator
from recaption.models.openai.settings import place_of
from recaption.recipes.backends import backend

URL = "http://localhost:8000/v1"


def params(**values):
    return backend("generators", {"openai": {"model": "m", "url": URL, **values}}, "captioner").build()


def test_an_address_and_a_model_are_enough():
    generator = backend("generators", f"{URL}#Qwen/Qwen3-VL-8B-Instruct", "captioner").build()
    assert isinstance(generator, OpenAIGenerator)
    assert generator.name == "Qwen/Qwen3-VL-8B-Instruct"
    assert (generator.prompt_style, generator.in_flight) == ("chat", 64)
    assert generator.capabilities == {"images", "seed", "json"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"url": "localhost:8000"}, "not an address"),
        ({"url": "ftp://x/v1"}, "not an address"),
        ({"url": "http://x:99999/v1"}, "not an address"),
        ({"endpoints": ["http://a/v1"]}, "either `url` or `endpoints`"),
        ({"url": None}, "either `url` or `endpoints`"),
        ({"url": None, "endpoints": ["http://a/v1", "http://a/v1/"]}, "twice"),
        ({"url": "http://127.0.0.1:{port}/v1"}, "needs a `server`"),
        ({"headers": {"X-Bad": "a\r\nb"}}, "is not a header"),
        ({"extra_body": {"stream": True}}, "stream cannot be set"),
        ({"server": {"command": "serve", "health": "health"}}, "begins with /"),
        ({"path": "chat"}, "path"),
        ({"url": "https://host/v1?api-version=1"}, "belongs to the `path`"),
        ({"in_fligth": 3}, "Did you mean 'in_flight'"),
    ],
)
def test_what_cannot_be_is_refused(values, message):
    with pytest.raises(RecipeError, match=message):
        params(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"api_key_env": "sk-secret-1234567890"},
        {"url": "https://user:sk-secret-1234567890@host/v1"},
        {"url": "https://host/v1?api_key=sk-secret-1234567890"},
        {"headers": {"Authorization": "Bearer sk-secret-1234567890"}},
        {"headers": {"X-Api-Key": "sk-secret-1234567890"}},
    ],
)
def test_a_key_in_a_recipe_is_refused_without_being_shown(values):
    with pytest.raises(RecipeError) as raised:
        params(**values)
    assert "api_key_env" in str(raised.value)
    assert "secret" not in str(raised.value).replace("looks like a secret", "")


def test_the_fingerprint_is_of_what_decides_the_answer():
    same = params(in_flight=3, timeout_s=9, url="http://elsewhere/v1", price={"input_per_million": 1})
    assert same.fingerprint == params().fingerprint
    others = [params(extra_body={"top_k": 1}), params(image={"max_side_px": 99}), params(model="n")]
    assert len({g.fingerprint for g in [params(), *others]}) == 4


def test_nothing_heavy_is_imported_before_the_first_call():
    code = (
        "import sys; from recaption.models.openai.generator import OpenAIGenerator as G;"
        "G(G.Params(url='http://x/v1', model='m'));"
        "sys.exit(bool({'aiohttp', 'PIL', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def body(style=None, draws=(0,), again=0, image=None, schema=None, prompt="Say.", **sampling):
    request = GenerationRequest(key="k", prompt=prompt, sampling=Sampling(**sampling), schema=schema)
    parts = RequestBody(style or BodyStyle("m"), request, image).parts(draws, again)
    return json.loads(b"".join(parts))


def test_a_plain_request():
    assert body(max_tokens=9) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Say."}],
        "max_tokens": 9,
        "temperature": 0.0,
    }


def test_a_request_with_everything():
    style = BodyStyle(
        'a "model"', "max_completion_tokens", "json_schema", "low", True, {"top_k": 5, "temperature": None}
    )
    got = body(
        style,
        (1, 2),
        image=(b"data:image/jpeg;base64,AAAA", (10, 10)),
        schema={"type": "object"},
        prompt='"\n\ud800é',
        temperature=0.5,
        top_p=0.9,
        repetition_penalty=1.2,
        seed=2**40 + 7,
    )
    (message,) = got.pop("messages")
    image, text = message["content"]
    assert image == {
        "type": "image_url",
        "image_url": {"url": "data:image/jpeg;base64,AAAA", "detail": "low"},
    }
    assert text == {"type": "text", "text": '"\n\ud800é'}
    assert got["response_format"]["json_schema"]["schema"] == {"type": "object"}
    del got["response_format"]
    assert 0 <= got.pop("seed") < 2**31
    assert got == {
        "model": 'a "model"',
        "max_completion_tokens": 77,
        "top_p": 0.9,
        "repetition_penalty": 1.2,
        "logprobs": True,
        "top_k": 5,
        "n": 2,
    }


def test_a_field_can_be_left_out():
    assert "seed" in body(temperature=1.0)
    assert "seed" not in body(BodyStyle("m", extra={"seed": None}), temperature=1.0)
    parts = RequestBody(
        BodyStyle("m", extra={"seed": 7}),
        GenerationRequest(key="k", prompt="Say.", sampling=Sampling(temperature=1.0)),
        None,
    ).parts((0,), 0)
    assert b"".join(parts).count(b'"seed"') == 1


def test_an_address_is_shown_without_what_is_nobodys_business():
    assert place_of("http://[::1]:9/v1") == "http://[::1]:9/v1"
    assert place_of("https://me:word@host/v1?a=b") == "https://host/v1"
    assert body(BodyStyle("m", structured="json_object"), schema={})["response_format"] == {
        "type": "json_object"
    }
    assert "response_format" not in body(BodyStyle("m", structured="off"), schema={})


def test_seeds_differ_by_draw_and_stay_the_same():
    sampling = Sampling(seed=5, n=3)
    assert draw_seed(sampling, 0) == 5
    seeds = [draw_seed(sampling, draw, again) for draw in range(3) for again in range(3)]
    assert len(set(seeds)) == 9
    assert seeds == [draw_seed(sampling, draw, again) for draw in range(3) for again in range(3)]


def test_the_most_a_request_can_cost_is_more_than_it_does():
    request = GenerationRequest(key="k", prompt="x" * 100, sampling=Sampling(max_tokens=30))
    prompt, answer = RequestBody(BodyStyle("m"), request, (b"", (336, 336))).most_tokens
    assert prompt >= 100 + 576
    assert answer == 30


def test_draws_come_in_any_order_and_number():
    draws = Draws(Sampling(n=3, temperature=1.0))
    assert draws.wanted() == (0, 1, 2)
    one, two, three = (object() for _ in range(3))
    assert draws.fill((2,), [three]) == ()  # type: ignore[list-item]
    assert draws.fill((0, 1), [one]) == (1,)  # type: ignore[list-item]
    assert draws.complete() is None
    assert draws.fill((1,), [two, three, one]) == ()  # type: ignore[list-item]
    assert draws.complete() == [one, two, three]


def test_replies_that_cannot_be_told_apart_are_believed():
    echoes = Echoes()
    stale = [echoes.stale(i, "chatcmpl-always-the-same-long-id", b"") for i in range(50)]
    assert sum(stale) <= 2
    assert not any(echoes.stale(i, None, b"same") for i in range(50))
    ollama = Echoes()
    assert not any(ollama.stale(i, f"chatcmpl-{i % 999}", str(i).encode()) for i in range(5000))
    counted = Echoes()
    assert not any(counted.stale(i, f"chatcmpl-{i}", b"a cat") for i in range(20))
    assert counted.stale(99, "chatcmpl-7", b"a cat")
    assert not counted.stale(7, "chatcmpl-7", b"a cat")


def test_only_our_own_request_ids_can_be_swapped():
    assert Echoes.swapped("recaption-1", "recaption-2")
    assert not Echoes.swapped("recaption-1", "recaption-1")
    assert not Echoes.swapped("recaption-1", "req_8c7d")
    assert not Echoes.swapped("recaption-1", None)
