"""The scripts import each other by their bare names, so their folder is put on the path; and runs of tiny size."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

TRAINING = Path(__file__).resolve().parents[2] / "training"
if str(TRAINING) not in sys.path:
    sys.path.append(str(TRAINING))

SCENES_PER_SHARD = 6


class Run(Protocol):
    """Trains a model for a few steps and returns its folder."""

    def __call__(self, model: str, out: Path, *more: str) -> Path: ...


@pytest.fixture(scope="package")
def one_thread() -> Iterator[None]:
    """A training sets switches of the whole process; here they are set back."""
    import torch

    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    benchmark = torch.backends.cudnn.benchmark
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.benchmark = benchmark


@pytest.fixture(scope="package")
def run_training(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Iterator[Run]:
    """`train.py` in process, on two shards of six scenes, with tokenizers made of forty."""
    import train
    from data import ShardMaker, write_shard
    from text import caption_tokenizer, score_tokenizer

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOKENIZERS_PARALLELISM", "false")
        patch.setattr(train, "SHARD", SCENES_PER_SHARD)
        patch.setattr(train, "TOKENIZER_SCENES", 40)
        patch.setattr(train, "SETTLING_BATCHES", 2)
        data = tmp_path_factory.mktemp("shards")
        seed = train.TOKENIZER_SEED
        maker = ShardMaker(caption_tokenizer(40, seed), score_tokenizer(40, seed))
        for k in range(2):
            write_shard(maker, data, k, SCENES_PER_SHARD)

        def run(model: str, out: Path, *more: str) -> Path:
            size = [
                "--steps",
                "2",
                "--batch",
                "3",
                "--first",
                "1",
                "--every",
                "1",
                "--shards",
                "2",
                "--dev",
                "3",
            ]
            where = ["--data", str(data), "--workers", "0", "--device", "cpu", "--out", str(out)]
            train.main(["--model", model, *size, *where, *more])
            return out / model

        yield run
