"""Token budgets: how long a text may be for the encoder that will read it, counted as that encoder counts.

Every name is a factory `name(limit=None, tokenizer=None) -> Budget`. Counts are whole, never cut off at the
limit, and include the special tokens the encoder adds itself.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from recaption.core.digests import digest_bytes
from recaption.core.errors import MissingExtraError, UserError

if TYPE_CHECKING:
    from tokenizers import Tokenizer as HubTokenizer

__all__ = ["Budget", "characters", "clip77", "longclip248", "siglip64", "t5_512", "words"]

CLIP_SPECIALS: Final = 2
"""Start and end of text."""
CLIP_REPOSITORY: Final = "openai/clip-vit-base-patch32"
SIGLIP_REPOSITORY: Final = "google/siglip-base-patch16-224"
T5_REPOSITORY: Final = "google-t5/t5-small"
"""Any T5 serves: all sizes, and T5 v1.1 (which FLUX, SD3 and PixArt read), share one vocabulary."""
TOKENIZER_FILE: Final = "tokenizer.json"
MAX_TOKENIZER_BYTES: Final = 256 << 20
REMEMBERED_WORDS: Final = 1 << 14
LONGEST_CAPTION: Final = 4000
"""Characters; longer texts are hostile or rare, and their words not worth remembering."""
LONGEST_WORD: Final = 1 << 13
"""Characters; a longer word counts as several. No CLIP budget could hold it: no token is longer than 25."""

_BLANK = re.compile(r"[ \n\t\r]++")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_IDEOGRAPH = (
    "\u3005\u3007\u3041-\u3096\u30a1-\u30fa\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_RUN = re.compile(rf"[{_IDEOGRAPH}]|[^\s{_IDEOGRAPH}]++")
_TELLING = re.compile(r"[^\W_]")
"""A letter or digit: what makes a run of characters a word."""

CountMany = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit and the way to count against it. Safe in several threads."""

    name: str
    limit: int
    """The most a text may count, special tokens included."""
    source: str
    """What counts: library with version, and the digest of the tokenizer file if there is one."""
    specials: int
    """What an empty text counts."""
    counter: CountMany = field(repr=False, compare=False)

    def count(self, text: str) -> int:
        """Return how much a text counts in full, special tokens included."""
        return self.counter((text,))[0]

    def count_many(self, texts: Sequence[str]) -> list[int]:
        """Return the count of each text, in order."""
        return self.counter(texts)

    def fits(self, text: str) -> bool:
        """Say whether a text is within the limit."""
        return self.count(text) <= self.limit


def clip77(limit: int | None = None, tokenizer: str | None = None) -> Budget:
    """Count as CLIP does: 77 tokens with start and end, so 75 for the text.

    Counts equal those of transformers' CLIPTokenizer. open_clip and OpenAI's own also repair mojibake and HTML
    entities first, which makes uncleaned texts shorter, so what fits here fits there.

    Args:
        limit: A tighter limit, specials included.
        tokenizer: A tokenizer.json, a folder with one, or a repository in the local Hugging Face cache.

    Raises:
        UserError: The limit is out of range, or the tokenizer cannot be had.
    """
    return _clip("clip77", 77, limit, tokenizer)


def longclip248(limit: int | None = None, tokenizer: str | None = None) -> Budget:
    """Count as LongCLIP does: CLIP's tokenizer, 248 tokens with start and end. See `clip77`."""
    return _clip("longclip248", 248, limit, tokenizer)


def siglip64(limit: int | None = None, tokenizer: str | None = None) -> Budget:
    """Count as SigLIP does: 64 tokens with the end token (extra `hf`).

    SigLIP 2 reads with another vocabulary: give its repository or file as `tokenizer`.

    Raises:
        UserError: The limit is out of range, or the tokenizer cannot be had; the message says how to get it.
    """
    return _hub("siglip64", 64, limit, tokenizer, SIGLIP_REPOSITORY)


def t5_512(limit: int | None = None, tokenizer: str | None = None) -> Budget:
    """Count as T5 does: 512 tokens with the end token (extra `hf`). Raises as `siglip64` does."""
    return _hub("t5_512", 512, limit, tokenizer, T5_REPOSITORY)


def words(limit: int | None = None, tokenizer: str | None = None) -> Budget:
    """Count words between blanks that hold a letter or digit; each Chinese or Japanese character is one word."""
    return Budget("words", _plain("words", limit, tokenizer), "words between blanks", 0, _count_words)


def characters(limit: int | None = None, tokenizer: str | None = None) -> Budget:
    """Count Unicode code points, blanks included."""
    return Budget("characters", _plain("characters", limit, tokenizer), "code points", 0, _count_characters)


def _plain(name: str, limit: int | None, tokenizer: str | None) -> int:
    if limit is None or limit < 1:
        raise UserError(
            f"budget {name!r} needs a limit of at least 1, not {limit}. Set limit: 50, for example."
        )
    if tokenizer is not None:
        raise UserError(f"budget {name!r} uses no tokenizer. Leave tokenizer out, or name clip77 or t5_512.")
    return limit


def _checked_limit(name: str, most: int, limit: int | None, specials: int) -> int:
    """Return the limit in force; the encoder's own unless a tighter one is asked for."""
    if limit is None:
        return most
    if not specials < limit <= most:
        raise UserError(
            f"budget {name!r} takes a limit from {specials + 1} to {most} tokens "
            f"({specials} of them special), not {limit}."
        )
    return limit


def _count_words(texts: Sequence[str]) -> list[int]:
    return [sum(_TELLING.search(run) is not None for run in _RUN.findall(text)) for text in texts]


def _count_characters(texts: Sequence[str]) -> list[int]:
    return [len(text) for text in texts]


def _encodable(text: str) -> str:
    """Replace lone surrogates, which no tokenizer takes, by the sign for an unreadable character."""
    return _SURROGATE.sub("\ufffd", text)


def _clip(name: str, most: int, limit: int | None, tokenizer: str | None) -> Budget:
    if tokenizer is not None:
        return _hub(name, most, limit, tokenizer, CLIP_REPOSITORY)
    try:
        counter, source = _clip_counter()
    except ImportError:
        return _hub(name, most, limit, tokenizer, CLIP_REPOSITORY)
    return Budget(name, _checked_limit(name, most, limit, CLIP_SPECIALS), source, CLIP_SPECIALS, counter)


@cache
def _clip_counter() -> tuple[CountMany, str]:
    """Return CLIP's counter; its vocabulary is in the wheel, so this works offline."""
    from instant_clip_tokenizer import Tokenizer

    encode: Callable[[str], Sequence[int]] = Tokenizer().encode

    def encoded_length(word: str) -> int:
        if not word.isascii():
            # The tokenizer itself leaves decomposed letters apart; CLIP's reference composes them first.
            word = unicodedata.normalize("NFC", _encodable(word))
        return len(encode(word))

    remembered = lru_cache(maxsize=REMEMBERED_WORDS)(encoded_length)

    def count_one(text: str) -> int:
        # No token of CLIP spans a blank, so words count alone, and a caption's words are seen over and over.
        if len(text) <= LONGEST_CAPTION:
            return sum(map(remembered, text.split(" "))) + CLIP_SPECIALS
        return sum(map(encoded_length, _pieces(text))) + CLIP_SPECIALS

    def count_many(texts: Sequence[str]) -> list[int]:
        return [count_one(text) for text in texts]

    return count_many, f"instant-clip-tokenizer {version('instant-clip-tokenizer')}"


def _pieces(text: str) -> Iterator[str]:
    """Split a long text at blanks, and a huge word by length, because the tokenizer's time is quadratic in it."""
    for word in _BLANK.split(text):
        for start in range(0, len(word), LONGEST_WORD):
            yield word[start : start + LONGEST_WORD]


def _hub(name: str, most: int, limit: int | None, tokenizer: str | None, repository: str) -> Budget:
    counter, source, specials = _hub_counter(str(_tokenizer_file(name, tokenizer, repository)))
    return Budget(name, _checked_limit(name, most, limit, specials), source, specials, counter)


def _tokenizer_file(name: str, tokenizer: str | None, repository: str) -> Path:
    """Find the tokenizer file among what is on this machine; nothing is ever fetched."""
    if tokenizer is not None and Path(tokenizer).exists():
        path = Path(tokenizer)
        path = path / TOKENIZER_FILE if path.is_dir() else path
        if path.is_file():
            return path
        raise UserError(f"budget {name!r}: there is no {TOKENIZER_FILE} in {tokenizer}.")
    wanted = tokenizer or repository
    cached = _cached_file(name, wanted)
    if cached is None:
        raise UserError(
            f"budget {name!r}: no tokenizer of {wanted!r}, neither as a file nor in the Hugging Face cache. Fetch it "
            f"with `hf download {repository} {TOKENIZER_FILE}`, or set tokenizer: to the path of a {TOKENIZER_FILE}."
        )
    return cached


def _cached_file(name: str, repository: str) -> Path | None:
    try:
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError
    except ImportError as error:
        raise MissingExtraError(f"budget {name!r}", "tokenizers", "hf") from error
    try:
        found = try_to_load_from_cache(repository, TOKENIZER_FILE)
    except HFValidationError:
        return None
    return Path(found) if isinstance(found, str) else None


@cache
def _hub_counter(path: str) -> tuple[CountMany, str, int]:
    """Return counter, source and the number of special tokens of a tokenizer file."""
    tokenizer, digest = _load(path)
    # Files often carry the training-time padding and truncation, which would make every text count the same.
    tokenizer.no_padding()
    tokenizer.no_truncation()

    def count_many(texts: Sequence[str]) -> list[int]:
        encodings: list[Any] = tokenizer.encode_batch([_encodable(text) for text in texts])
        return [len(encoding) for encoding in encodings]

    return (
        count_many,
        f"tokenizers {version('tokenizers')}, {TOKENIZER_FILE} {digest[:12]}",
        count_many([""])[0],
    )


def _load(path: str) -> tuple["HubTokenizer", str]:
    """Return a tokenizer and the digest of its file."""
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtraError(f"the tokenizer {path}", "tokenizers", "hf") from error
    if Path(path).stat().st_size > MAX_TOKENIZER_BYTES:
        raise UserError(f"{path}: larger than {MAX_TOKENIZER_BYTES} bytes; that is not a tokenizer file.")
    data = Path(path).read_bytes()
    try:
        return Tokenizer.from_buffer(data), digest_bytes(data)
    # The library raises bare `Exception` for a file that is no tokenizer.
    except Exception as error:
        raise UserError(f"{path}: not a tokenizer file of the tokenizers library: {error}") from error
