"""The loop that tutorials show, one picture at a time, against our generator on the same model: pictures per second.

    python benchmarks/caption_loop.py [--model tiny|blip-base|llava] [--side 224] [--pictures 16] [--dtype bfloat16]
        [--device cuda] [--batch 16] [--rounds 2]

The model is made on the fly with random weights in a real architecture: BLIP (tiny, or the size of BLIP base: 224
million weights, vocabulary 30,524) or LLaVA (CLIP ViT-L/14 at 336 pixels and a language model of 1.1 billion). Three
tasks: one greedy caption per picture; five drawn captions per picture; three prompts per picture. Both sides get the
same JPEG bytes and decode them by Pillow. Rounds alternate, so that a busy machine is busy for both; on a processor
what counts is the seconds of this process (run it with OMP_NUM_THREADS=1), on a GPU those of the wall. Greedy
captions are compared text by text; in bfloat16 a near tie can fall differently in a batch, and the count says how
often.

Needs torch, transformers, Pillow, numpy, pydantic and PyYAML, and nothing from the network.
"""

import argparse
import contextlib
import hashlib
import io
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from recaption.core.protocols import GenerationRequest, Pixels, Sampling, Usage
from recaption.models.hf.generator import TransformersGenerator

PREFIXES = ("a photo of", "the colours are", "in the background")
QUESTIONS = ("Describe the picture briefly", "Describe the colours in it", "Describe the background of it")
TOKENS = 20


@dataclass(frozen=True)
class Photo:
    """A picture as JPEG bytes."""

    data: bytes
    digest: str

    def image(self) -> Image.Image:
        """Return the decoded picture."""
        return Image.open(io.BytesIO(self.data)).convert("RGB")

    def pixels(self) -> Pixels:
        """Return the decoded picture as an array."""
        array = np.asarray(self.image())
        return Pixels(array, 1.0, (array.shape[1], array.shape[0]))

    def shrunk(self, max_side_px: int) -> Pixels:
        """Not asked for here."""
        raise NotImplementedError

    def encoded(self) -> bytes:
        """Return the bytes."""
        return self.data


class Free:
    """A meter without a budget."""

    def reserve(self, name: str, most: Usage) -> None:
        """Do nothing."""

    def settle(self, name: str, most: Usage, used: Usage) -> None:
        """Do nothing."""


def photos(count: int) -> list[Photo]:
    """Return different pictures of 640 x 480: blocks of colour with noise."""
    found = []
    for seed in range(count):
        random = np.random.default_rng(seed)
        blocks = np.kron(random.integers(0, 200, (6, 8, 3)), np.ones((80, 80, 1), int))
        buffer = io.BytesIO()
        array = (blocks + random.integers(0, 56, blocks.shape)).astype(np.uint8)
        Image.fromarray(array).save(buffer, "JPEG", quality=90)
        found.append(Photo(buffer.getvalue(), hashlib.sha256(buffer.getvalue()).hexdigest()))
    return found


def words(count: int, special: Sequence[str], *, bert: bool) -> Any:
    """Return a tokenizer of so many tokens, each a word."""
    tokenizers, hf = import_module("tokenizers"), import_module("transformers")
    real = [word for text in (*PREFIXES, *QUESTIONS, "user assistant") for word in text.split()]
    tokens = list(dict.fromkeys([*special, *real]))
    tokens += [f"w{i}" for i in range(count - len(tokens))]
    model = tokenizers.models.WordLevel({token: i for i, token in enumerate(tokens)}, unk_token=special[1])
    inner = tokenizers.Tokenizer(model)
    inner.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    names = {"pad_token": special[0], "unk_token": special[1], "bos_token": special[2], "eos_token": special[3]}
    if bert:
        names |= {"cls_token": special[2], "sep_token": special[3]}
        inner.post_processor = tokenizers.processors.TemplateProcessing(
            single=f"{special[2]} $A {special[3]}", special_tokens=[(special[2], 2), (special[3], 3)]
        )
    return hf.PreTrainedTokenizerFast(tokenizer_object=inner, **names)


def save(folder: Path, model: Any, processor: Any) -> None:
    """Save a model with weights large enough for the picture to matter."""
    torch = import_module("torch")
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0.0, 1.5 / parameter.shape[-1] ** 0.5)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def blip(folder: Path, side: int, *, base: bool) -> None:
    """Save a BLIP captioner."""
    hf = import_module("transformers")
    hidden, layers, heads = (768, 12, 12) if base else (64, 2, 4)
    patch, vocabulary = (16, 30524) if base else (8, 200)
    tokenizer = words(vocabulary, ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[DEC]"), bert=True)
    shape = {
        "hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads,
        "intermediate_size": 4 * hidden,
    }  # fmt: skip
    config = hf.BlipConfig(
        vision_config={**shape, "image_size": side, "patch_size": patch},
        text_config={
            **shape, "encoder_hidden_size": hidden, "vocab_size": len(tokenizer), "bos_token_id": 4,
            "eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0, "is_decoder": True,
        },
    )  # fmt: skip
    processor = hf.BlipProcessor(hf.BlipImageProcessor(size={"height": side, "width": side}), tokenizer)
    save(folder, hf.BlipForConditionalGeneration(config), processor)


def llava(folder: Path) -> None:
    """Save a LLaVA of 1.4 billion weights."""
    hf, torch = import_module("transformers"), import_module("torch")
    tokenizer = words(32000, ("<pad>", "<unk>", "<s>", "</s>", "<image>"), bert=False)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    config = hf.LlavaConfig(
        vision_config={
            "model_type": "clip_vision_model", "hidden_size": 1024, "num_hidden_layers": 24, "image_size": 336,
            "num_attention_heads": 16, "intermediate_size": 4096, "patch_size": 14, "projection_dim": 768,
        },
        text_config={
            "model_type": "llama", "hidden_size": 2048, "num_hidden_layers": 22, "num_attention_heads": 32,
            "num_key_value_heads": 4, "intermediate_size": 5632, "vocab_size": len(tokenizer),
            "max_position_embeddings": 4096, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3,
        },
        image_token_index=4,
    )  # fmt: skip
    pictures = hf.CLIPImageProcessor(size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336})
    processor = hf.LlavaProcessor(
        pictures, tokenizer, patch_size=14, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template="{% for m in messages %}user <image> {{ m['content'][1]['text'] }} {% endfor %}assistant",
    )  # fmt: skip
    save(folder, hf.LlavaForConditionalGeneration(config).to(torch.bfloat16), processor)


class Loop:
    """What the tutorials show."""

    def __init__(self, folder: Path, device: str, dtype: str) -> None:
        hf, self._torch = import_module("transformers"), import_module("torch")
        self._processor = hf.AutoProcessor.from_pretrained(folder)
        kind = hf.AutoModelForImageTextToText
        self._model = kind.from_pretrained(folder, dtype=getattr(self._torch, dtype)).to(device).eval()
        self._chat = bool(getattr(self._processor, "chat_template", None))

    def captions(self, photo: Photo, prompts: Sequence[str], count: int) -> list[str]:
        """Return the captions of one picture, prompt after prompt."""
        found: list[str] = []
        for prompt in prompts:
            text = f"user <image> {prompt} assistant" if self._chat else prompt
            inputs = self._processor(images=photo.image(), text=text, return_tensors="pt").to(
                self._model.device, self._model.dtype
            )
            settings = {"do_sample": True, "num_return_sequences": count} if count > 1 else {"do_sample": False}
            with self._torch.inference_mode():
                output = self._model.generate(**inputs, max_new_tokens=TOKENS, **settings)
            start = inputs["input_ids"].shape[1] - (0 if self._chat else 1)
            found += self._processor.tokenizer.batch_decode(output[:, start:], skip_special_tokens=True)
        return found


class Ours:
    """Our generator, asked for all pictures at once."""

    def __init__(self, folder: Path, device: str, dtype: Any, batch: int) -> None:
        params = TransformersGenerator.Params(model=str(folder), device=device, dtype=dtype, batch_size=batch)
        self._generator = TransformersGenerator(params)

    def captions(self, some: Sequence[Photo], prompts: Sequence[str], count: int) -> list[list[str]]:
        """Return the captions of every picture, prompt after prompt."""
        sampling = Sampling(n=count, temperature=1.0 if count > 1 else 0.0, max_tokens=TOKENS)
        requests = [
            GenerationRequest(key=photo.digest, prompt=prompt, image=photo, sampling=replace(sampling, seed=i))
            for i, photo in enumerate(some)
            for prompt in prompts
        ]
        answers = dict(self._generator.generate(requests, Free()))
        each = [[str(one.text) for one in answers[i]] for i in range(len(requests))]
        return [
            [text for texts in each[i : i + len(prompts)] for text in texts]
            for i in range(0, len(each), len(prompts))
        ]


@contextlib.contextmanager
def clock(into: list[float], wait: Callable[[], None] | None) -> Iterator[None]:
    """Add the seconds of the body: of the wall where there is a GPU to wait for, else of this process."""
    now = time.process_time if wait is None else time.perf_counter
    if wait is not None:
        wait()
    start = now()
    yield
    if wait is not None:
        wait()
    into.append(now() - start)


def main() -> None:
    """Make the model, run both, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=("tiny", "blip-base", "llava"), default="tiny")
    parser.add_argument("--side", type=int, default=224, help="pixels, for BLIP")
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), default="float32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    torch = import_module("torch")
    wait = torch.cuda.synchronize if args.device.startswith("cuda") else None
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if args.model == "llava":
            llava(folder)
        else:
            blip(folder, args.side, base=args.model == "blip-base")
        loop, ours = Loop(folder, args.device, args.dtype), Ours(folder, args.device, args.dtype, args.batch)
        some = photos(args.pictures)
        prompts = QUESTIONS if args.model == "llava" else PREFIXES
        print(
            f"{args.model}, {args.dtype} on {args.device}, {len(some)} pictures, batch {args.batch}, {TOKENS} tokens"
        )
        print("| task | loop, pictures/s | ours, pictures/s | ratio | same captions |")
        print("|---|---|---|---|---|")
        for name, asked, count in (
            ("1 greedy caption", prompts[:1], 1),
            ("5 drawn captions", prompts[:1], 5),
            ("3 prompts, greedy", prompts, 1),
        ):
            print(task(name, loop, ours, some, asked, count, args.rounds, wait), flush=True)


def task(
    name: str, loop: Loop, ours: Ours, some: Sequence[Photo], prompts: Sequence[str], count: int, rounds: int,
    wait: Callable[[], None] | None,
) -> str:  # fmt: skip
    """Run one task on both sides and return its row of the table."""
    loop.captions(some[0], prompts, count)
    ours.captions(some[:2], prompts, count)
    slow: list[float] = []
    fast: list[float] = []
    for _ in range(rounds):
        with clock(slow, wait):
            expected = [loop.captions(photo, prompts, count) for photo in some]
        with clock(fast, wait):
            found = ours.captions(some, prompts, count)
    pairs = [
        (a, b) for one, other in zip(expected, found, strict=True) for a, b in zip(one, other, strict=True)
    ]
    same = f"{sum(a.strip() == b for a, b in pairs)} of {len(pairs)}" if count == 1 else "drawn"
    same += f" ({len({b for _, b in pairs})} different)"
    a, b = (len(some) * rounds / sum(seconds) for seconds in (slow, fast))
    return f"| {name} | {a:.2f} | {b:.2f} | {b / a:.2f} | {same} |"


if __name__ == "__main__":
    main()
