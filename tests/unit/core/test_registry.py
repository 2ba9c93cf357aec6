"""Names are found where they live, and two owners of one name are an error."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import pytest

from recaption.core import registry
from recaption.core.builtins import BUILTINS
from recaption.core.errors import MissingExtraError, RecaptionError, UnknownNameError, UserError
from recaption.core.registry import known_names, locate, resolve
from recaption.runs.doctor import check_parts


class Install(Protocol):
    def __call__(self, name: str, entry_points: str, code: str = "") -> None: ...


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a distribution with one module and given entry points, as pip would lay it out."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def add(name: str, entry_points: str, code: str = "") -> None:
        module = name.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(code)
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(entry_points)
        registry._places.cache_clear()

    yield add
    for module in [m for m in sys.modules if m.startswith("recaption_test_plugin")]:
        del sys.modules[module]
    registry._places.cache_clear()


@pytest.mark.parametrize("kind", sorted(BUILTINS))
def test_every_built_in_module_exists(kind: str) -> None:
    for name, location in BUILTINS[kind].items():
        module, _, attribute = location.partition(":")
        assert attribute.isidentifier(), name
        assert find_spec(module) is not None, location


def test_names_are_sorted() -> None:
    assert known_names("budgets") == sorted(BUILTINS["budgets"])


def test_an_unknown_name_is_met_with_close_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown stage 'normalize'\. Did you mean 'normalise'\?"):
        locate("stages", "normalize")


def test_an_unknown_registry_too() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown registry 'stage'\. Did you mean 'stages'"):
        known_names("stage")


def test_a_plugin_adds_a_name(install: Install) -> None:
    install(
        "recaption-test-plugin-good",
        "[recaption.budgets]\nhaiku = recaption_test_plugin_good:haiku\n",
        "def haiku(limit=None, tokenizer=None):\n    return 17\n",
    )
    assert "haiku" in known_names("budgets")
    assert "haiku" not in known_names("stages")
    factory = resolve("budgets", "haiku")
    assert callable(factory)
    assert factory() == 17


def test_a_plugin_is_not_imported_before_it_is_named(install: Install) -> None:
    install(
        "recaption-test-plugin-lazy",
        "[recaption.budgets]\nlazy = recaption_test_plugin_lazy:lazy\n",
        "raise RuntimeError('imported too early')\n",
    )
    assert "lazy" in known_names("budgets")
    assert locate("budgets", "lazy") == "recaption_test_plugin_lazy:lazy"
    assert resolve("budgets", "words") is not None


def test_two_owners_of_a_name_are_both_named(install: Install) -> None:
    install("recaption-test-plugin-thief", "[recaption.budgets]\nclip77 = recaption_test_plugin_thief:mine\n")
    with pytest.raises(UserError) as caught:
        resolve("budgets", "clip77")
    for part in ("'clip77'", "recaption.media.budgets:clip77", "recaption_test_plugin_thief:mine"):
        assert part in str(caught.value)
    assert "recaption-test-plugin-thief" in str(caught.value)


def test_two_plugins_with_one_name_clash_as_well(install: Install) -> None:
    for which in ("one", "two"):
        install(
            f"recaption-test-plugin-{which}", f"[recaption.scorers]\nshared = recaption_test_plugin_{which}:S\n"
        )
    with pytest.raises(UserError, match="two scorers are called 'shared'"):
        locate("scorers", "shared")


def test_a_clash_stops_only_who_asks_for_that_name(install: Install) -> None:
    install("recaption-test-plugin-thief", "[recaption.budgets]\nclip77 = recaption_test_plugin_thief:mine\n")
    assert known_names("budgets") == sorted(BUILTINS["budgets"])
    assert resolve("budgets", "words") is not None
    (finding,) = check_parts()
    assert (finding.kind, finding.name) == ("budgets", "clip77")
    assert "recaption-test-plugin-thief" in finding.problem


def test_one_plugin_found_twice_is_no_clash(install: Install) -> None:
    point = "[recaption.budgets]\nhaiku = recaption_test_plugin_good:haiku\n"
    install("recaption-test-plugin-good", point)
    install("recaption-test-plugin-again", point)
    assert locate("budgets", "haiku") == "recaption_test_plugin_good:haiku"


@pytest.mark.parametrize("code", ["raise RuntimeError('no\\nsuch luck')", "1 / 0", "def broken(:"])
def test_whatever_a_plugin_raises_on_import_names_it(install: Install, code: str) -> None:
    install("recaption-test-plugin-sick", "[recaption.stages]\nsick = recaption_test_plugin_sick:S\n", code)
    with pytest.raises(RecaptionError) as caught:
        resolve("stages", "sick")
    message = str(caught.value)
    assert message.startswith("stage 'sick' cannot be loaded from recaption_test_plugin_sick:S")
    assert "recaption-test-plugin-sick" in message
    assert "\n" not in message


def test_what_a_part_says_about_a_missing_library_is_kept(install: Install) -> None:
    code = "from recaption.core.errors import MissingExtraError\nraise MissingExtraError('f', 'lib', 'extra')\n"
    install("recaption-test-plugin-poor", "[recaption.stages]\npoor = recaption_test_plugin_poor:S\n", code)
    with pytest.raises(MissingExtraError, match=r"pip install 'recaption\[extra\]'"):
        resolve("stages", "poor")


def test_a_name_without_its_attribute_says_where_it_looked(install: Install) -> None:
    install("recaption-test-plugin-bare", "[recaption.stages]\nbare = recaption_test_plugin_bare:Missing\n")
    with pytest.raises(
        RecaptionError, match="stage 'bare' cannot be loaded from recaption_test_plugin_bare:Missing"
    ):
        resolve("stages", "bare")


def test_a_name_without_its_module_too(install: Install) -> None:
    install("recaption-test-plugin-gone", "[recaption.stages]\ngone = recaption_no_such_module:Stage\n")
    with pytest.raises(RecaptionError, match="No module named 'recaption_no_such_module'"):
        resolve("stages", "gone")


def test_looking_names_up_imports_none_of_them() -> None:
    code = (
        "import sys; from recaption.core.registry import known_names; "
        "[known_names(k) for k in ('stages', 'experts', 'budgets')]; "
        "print([m for m in sys.modules if m.startswith(('recaption.media', 'recaption.stages', 'numpy', 'PIL'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
