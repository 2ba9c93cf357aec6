"""Text rules: named, ordered, switchable edits that turn web alt-texts into plain captions."""

from recaption.media.rules.catalogue import make_normaliser
from recaption.media.rules.engine import Normalised, Normaliser, Rule, State, Trigger
from recaption.media.rules.options import RULE_NAMES, NormaliseOptions

__all__ = [
    "RULE_NAMES",
    "NormaliseOptions",
    "Normalised",
    "Normaliser",
    "Rule",
    "State",
    "Trigger",
    "make_normaliser",
]
