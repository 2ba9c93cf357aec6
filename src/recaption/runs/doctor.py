"""What is installed, what each part needs, and how to get it."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from recaption.core.builtins import BUILTINS
from recaption.core.registry import known_names, resolve

__all__ = ["Finding", "Library", "check_libraries", "check_parts"]

LIBRARIES = (
    ("numpy", "core", "arrays"),
    ("pillow", "core", "image decoding"),
    ("pyarrow", "core", "parquet"),
    ("ftfy", "core", "mojibake"),
    ("instant-clip-tokenizer", "core", "CLIP token budgets"),
    ("rapidocr", "ocr", "reading words in pictures"),
    ("onnxruntime", "detect", "detectors and OCR"),
    ("datasets", "hf-data", "Hugging Face datasets"),
    ("tokenizers", "hf", "T5 and SigLIP token budgets"),
    ("lingua-language-detector", "langid", "telling Latin-script languages apart"),
)


@dataclass(frozen=True, slots=True)
class Library:
    """One library: its version, or None where it is not installed, and how to get it."""

    name: str
    version: str | None
    extra: str
    serves: str

    @property
    def install(self) -> str:
        """The command that installs it."""
        return "pip install recaption" if self.extra == "core" else f"pip install 'recaption[{self.extra}]'"


@dataclass(frozen=True, slots=True)
class Finding:
    """A registered part that cannot be loaded, and why."""

    kind: str
    name: str
    problem: str


def check_libraries() -> list[Library]:
    """Return every library this package can use, installed or not."""
    found = []
    for name, extra, serves in LIBRARIES:
        try:
            found.append(Library(name, version(name), extra, serves))
        except PackageNotFoundError:
            found.append(Library(name, None, extra, serves))
    return found


def check_parts() -> list[Finding]:
    """Load every registered part, plugins included, and return those that fail or whose name has two owners."""
    findings = []
    for kind in BUILTINS:
        for name in known_names(kind):
            try:
                resolve(kind, name)
            except Exception as error:
                findings.append(Finding(kind, name, " ".join(str(error).split())))
    return findings
