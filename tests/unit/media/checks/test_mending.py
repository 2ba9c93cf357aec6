"""What is cut out of a text, and when nothing is left."""

import pytest

from recaption.media.checks.findings import About, findings
from recaption.media.checks.mending import mended


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The image shows a dog on a sofa.", "A dog on a sofa."),
        ("The image features a scene where a dog runs.", "A dog runs."),
        ("In this picture we can see that a dog sleeps.", "A dog sleeps."),
        ("In the image, there is a dog on a sofa.", "There is a dog on a sofa."),
        ("This is a picture of a dog on a sofa.", "A dog on a sofa."),
        ("这张图片展示了一只睡在沙发上的狗。", "一只睡在沙发上的狗。"),
        ("图中可以看到一只狗睡在沙发上。", "一只狗睡在沙发上。"),
        ("Caption: a dog on a sofa.", "A dog on a sofa."),
        ("Sure! Here is a caption for the image: A dog runs.", "A dog runs."),
        ("描述：一只狗睡在沙发上。", "一只狗睡在沙发上。"),
        ('"A dog on a sofa."', "A dog on a sofa."),
        ("“A dog on a sofa.”", "A dog on a sofa."),
        ('{"caption": "A dog on a sofa."}', "A dog on a sofa."),
        ('```json\n{"caption": "A dog on a sofa."}\n```', "A dog on a sofa."),
        ("**A dog** on a *grey* sofa.", "A dog on a grey sofa."),
        ("- A dog on a sofa.", "A dog on a sofa."),
        ("A dog on a sofa.<|im_end|><|im_start|>user", "A dog on a sofa."),
        ("USER: what is it? ASSISTANT: A dog on a sofa.", "A dog on a sofa."),
        ("ASSISTANT: A dog on a sofa.", "A dog on a sofa."),
        ("A dog on a sofa.\nUser: thanks", "A dog on a sofa."),
        ("A dog on a sofa. It sleeps on the", "A dog on a sofa."),
        ("一只狗在沙发上。它睡在", "一只狗在沙发上。"),
        ("A dog on a sofa. A dog on a sofa. A dog on a sofa.", "A dog on a sofa."),
        ("\ufeffA dog on a sofa.", "A dog on a sofa."),
    ],
)
def test_mended(text: str, expected: str) -> None:
    assert mended(text, findings(text, About())) == expected


@pytest.mark.parametrize(
    "text",
    [
        "A dog lying on a",
        '{"caption": "A dog on a',
        '{"a": "A dog.", "b": "A cat."}',
        "A list:\n- a dog\n- a cat\n- a sofa",
        "<|im_start|><|im_end|>",
        "Caption:",
    ],
)
def test_where_nothing_whole_is_left(text: str) -> None:
    assert mended(text, findings(text, About(finish_reason="length"))) is None


def test_what_was_not_found_is_not_mended() -> None:
    text = "Caption: The image shows a dog."
    assert mended(text, ["label"]) == "The image shows a dog."
    assert mended(text, ["hedge"]) == text
