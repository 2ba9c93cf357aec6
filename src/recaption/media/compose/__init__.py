"""Captions from evidence, without a model: facts, then grammar, then sentences. The words are data (YAML)."""

from recaption.media.compose.facts import Facts, Limits, gather_facts
from recaption.media.compose.grammar import Language
from recaption.media.compose.renderer import ASPECTS, render
from recaption.media.compose.writer import Aspect, Draft

__all__ = ["ASPECTS", "Aspect", "Draft", "Facts", "Language", "Limits", "gather_facts", "render"]
