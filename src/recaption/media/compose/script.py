"""Which of the renderer's languages a text is written in, by its script."""

import unicodedata

from recaption.media.compose.grammar import Language

__all__ = ["language_by_script"]

_MAX_CHARACTERS = 2000


def language_by_script(text: str) -> Language | None:
    """Return `zh` for mostly Han text without kana, `en` for Latin letters, None for any other script.

    Latin script is taken for English: a caller that knows better (a language flag) must say so.
    """
    counts = {"han": 0, "latin": 0, "other": 0}
    for character in text[:_MAX_CHARACTERS]:
        if "一" <= character <= "鿿" or "㐀" <= character <= "䶿":
            counts["han"] += 1
        elif character.isascii() and character.isalpha():
            counts["latin"] += 1
        elif character.isalpha():
            name = unicodedata.name(character, "")
            if name.startswith(("HIRAGANA", "KATAKANA")):
                return None
            counts["latin" if name.startswith("LATIN") else "other"] += 1
    letters = sum(counts.values())
    if counts["other"] * 2 > letters:
        return None
    # A Han character says about as much as a short word, so a third of the letters is a Chinese text.
    return "zh" if counts["han"] and counts["han"] * 3 >= letters else "en"
