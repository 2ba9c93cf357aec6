"""What a user may switch: every rule by name, and the policies some rules have."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from recaption.core.errors import did_you_mean

__all__ = ["RULE_NAMES", "NormaliseOptions"]

RULE_NAMES: Final = (
    "entities",
    "mojibake",
    "invisible",
    "html",
    "width",
    "quotes",
    "urls",
    "emails",
    "cards",
    "phones",
    "file_names",
    "dates",
    "dimensions",
    "hashtags",
    "emoji",
    "prices",
    "slang",
    "typos",
    "sentence_case",
    "shouting",
    "boilerplate",
    "repeats",
    "spacing",
    "punctuation",
    "language",
)
"""Every rule, in the order of application."""


class NormaliseOptions(BaseModel):
    """Options of the text rules; the defaults suit web alt-texts in English and Chinese."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    rules: dict[str, bool] = Field(default_factory=dict)
    """Rule name to on or off; rules not named are on (`language` acts only if `languages` is set)."""
    personal_data: Literal["drop", "mask", "tag"] = "drop"
    """E-mails, phone and card numbers: cut out, replaced by `[email]`…, or kept and flagged."""
    dates: Literal["keep", "stamps", "drop"] = "stamps"
    """`stamps` drops file-like ones (20070131, 2016-05-06 12.30.11), `drop` drops every full date."""
    emoji: Literal["keep", "drop", "name"] = "drop"
    capitals: Literal["title", "lower"] = "title"
    """What shouted words become; `title` keeps names recognisable."""
    straight_quotes: bool = False
    """Turn curly quotes into straight ones."""
    final_stop: bool = False
    """End a text of four words or more with a full stop."""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes that are wanted; others are flagged. Latin scripts need the extra `langid`."""
    max_characters: int = Field(default=100_000, ge=1_000, le=1_000_000)
    """Longer texts are left as they are and flagged `too_long`."""

    @field_validator("rules")
    @classmethod
    def _known_rules(cls, rules: dict[str, bool]) -> dict[str, bool]:
        for name in rules:
            if name not in RULE_NAMES:
                raise ValueError(f"unknown rule {name!r}.{did_you_mean(name, RULE_NAMES)}")
        return rules

    def is_on(self, name: str) -> bool:
        """Return whether a rule is on."""
        return self.rules.get(name, True)
