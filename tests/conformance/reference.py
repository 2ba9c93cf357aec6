"""The loop of the tutorials, one picture at a time: what a caption should be, made without any code of ours."""

from pathlib import Path
from typing import Any

import torch
from PIL import Image

from recaption.core.protocols import Picture

__all__ = ["Reference"]


class Reference:
    """A model and its processor, used as the model cards do."""

    def __init__(self, folder: Path, processor: Any, **settings: Any) -> None:
        """Load a model.

        Args:
            processor: What turns texts and pictures into inputs; the caller's to load, as some need torchvision.
        """
        from transformers import AutoModelForImageTextToText

        self.model = AutoModelForImageTextToText.from_pretrained(folder, **settings).eval()
        self.processor = processor
        self.kind: str = self.model.config.model_type

    def inputs(self, prompt: str, picture: Picture) -> dict[str, Any]:
        """Return the inputs of `generate` for one request."""
        image = Image.fromarray(picture.pixels().array)
        processor = self.processor
        if getattr(processor, "chat_template", None):
            content = [{"type": "image", "image": image}, {"type": "text", "text": prompt}]
            found = processor.apply_chat_template(
                [{"role": "user", "content": content}],
                add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
            )  # fmt: skip
        elif self.kind == "vision-encoder-decoder":
            return {"pixel_values": processor.image_processor(image, return_tensors="pt")["pixel_values"]}
        elif self.kind == "git":
            ids = [
                processor.tokenizer.cls_token_id,
                *processor.tokenizer(prompt, add_special_tokens=False)["input_ids"],
            ]
            pixels = processor.image_processor(image, return_tensors="pt")["pixel_values"]
            return {"pixel_values": pixels, "input_ids": torch.tensor([ids])}
        else:
            text = f"<image>{prompt}" if self.kind == "paligemma" else prompt
            found = processor(images=image, text=text, return_tensors="pt")
        return {name: value for name, value in found.items() if name != "labels"}

    def caption(
        self, prompt: str, picture: Picture, max_tokens: int = 8, **settings: Any
    ) -> tuple[str, list[float]]:
        """Return the greedy caption, and the log-probability of each of its tokens."""
        inputs = self.inputs(prompt, picture)
        with torch.inference_mode():
            output = self.model.generate(
                **inputs, max_new_tokens=max_tokens, do_sample=False, output_logits=True,
                return_dict_in_generate=True, forced_eos_token_id=None, **settings,
            )  # fmt: skip
        steps = [logits[0].float().log_softmax(dim=0) for logits in output.logits]
        tokens = output.sequences[0, output.sequences.shape[1] - len(steps) :].tolist()
        end = self.processor.tokenizer.eos_token_id
        length = tokens.index(end) if end in tokens else len(tokens)
        text = self.processor.tokenizer.decode(tokens[:length], skip_special_tokens=True).strip()
        return text, [float(step[token]) for step, token in zip(steps[:length], tokens, strict=False)]
