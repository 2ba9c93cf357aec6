"""All rules together, in order."""

from collections.abc import Iterator

from recaption.media.rules.boilerplate import boilerplate_rules
from recaption.media.rules.casing import casing_rules
from recaption.media.rules.encoding import encoding_rules
from recaption.media.rules.engine import Normaliser, Rule
from recaption.media.rules.figures import figure_rules
from recaption.media.rules.filenames import file_name_rules
from recaption.media.rules.language import language_rules
from recaption.media.rules.layout import layout_rules, spacing_rule
from recaption.media.rules.links import link_rules
from recaption.media.rules.options import RULE_NAMES, NormaliseOptions
from recaption.media.rules.repeats import repeat_rules
from recaption.media.rules.social import social_rules
from recaption.media.rules.wording import wording_rules

__all__ = ["make_normaliser"]


def make_normaliser(options: NormaliseOptions | None = None) -> Normaliser:
    """Return the normaliser that applies every rule that is on.

    Raises:
        MissingExtraError: `languages` names a Latin one and the extra `langid` is not installed.
    """
    chosen = options or NormaliseOptions()
    rules = sorted(
        (rule for rule in _every_rule(chosen) if chosen.is_on(rule.name)),
        key=lambda rule: RULE_NAMES.index(rule.name),
    )
    if chosen.is_on("spacing"):  # first as well: the other rules then never meet long runs of white space
        rules.insert(0, spacing_rule())
    return Normaliser(rules, max_characters=chosen.max_characters)


def _every_rule(options: NormaliseOptions) -> Iterator[Rule]:
    yield from encoding_rules(options)
    yield from link_rules(options)
    yield from file_name_rules(options)
    yield from figure_rules(options)
    yield from social_rules(options)
    yield from boilerplate_rules(options)
    yield from casing_rules(options)
    yield from wording_rules(options)
    yield from repeat_rules(options)
    yield spacing_rule()
    yield from layout_rules(options)
    yield from language_rules(options)
