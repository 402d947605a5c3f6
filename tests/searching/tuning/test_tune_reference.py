"""Tuning of full precision: what it finds, keeps and leaves alone."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sgq_auto.graphs import PreparedData
from sgq_auto.searching import SearchSettings
from sgq_auto.searching.command_stages import Stage, unheard
from sgq_auto.searching.tuning import Tuning, kept_tuning, successive_halving, tuned, untuned_note
from sgq_auto.searching.tuning.kept_tuning import key_of
from sgq_auto.searching.tuning.successive_halving import FINAL_SEEDS, Plan
from sgq_auto.searching.tuning.training_recipe import EPOCHS, LEARNING_RATE, Recipe
from sgq_auto.searching.tuning.training_runs import RunResult
from sgq_auto.settings.tune_settings import TuneMode, TuneSettings
from sgq_auto.training import FitResult, FitSettings

pytestmark = pytest.mark.system

SettingsBuilder = Callable[..., SearchSettings]


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds of a tenth of their length."""
    for name, epochs in (("FIRST_EPOCHS", 20), ("LAST_EPOCHS", 60)):
        monkeypatch.setattr(successive_halving, name, epochs)


@pytest.fixture
def untuned(settings: SettingsBuilder) -> SearchSettings:
    """A search whose step size is far too small, and that is long enough to tune before."""
    return settings(
        pretrain=FitSettings(20, 1e-5, 0.0, evaluate_every=10),
        finetune=FitSettings(5, 0.02, 0.0, distillation=1.0),
        teachers=1,
        n_trials=300,
        tune=TuneSettings(TuneMode.AUTO),
        config={"config": {"pretrain": {"tune": "auto"}, "dataset": {}, "finetune": {}}},
    )


def test_a_bad_step_size_is_replaced_and_kept(
    untuned: SearchSettings, synthetic: PreparedData, tmp_path: Path
) -> None:
    stages: list[Stage] = []
    # Whoever reads test nodes or their labels fails.
    blind = replace(synthetic, held_out=None)  # type: ignore[arg-type]
    settings, data, found = tuned(untuned, blind, stages.append)
    assert found is not None
    assert found.val_accuracy > found.default_val_accuracy + 0.1
    assert settings.pretraining.learning_rate == found.recipe.values[LEARNING_RATE] > 1e-4
    normalized = found.recipe.prepared(synthetic.graph).features.normalize_rows
    assert data.graph.features.normalize_rows == normalized
    finals = [run for run in found.runs if run.stage == "final"]
    assert {run.seed for run in finals} == set(FINAL_SEEDS[1:])
    counted = [stage for stage in stages if stage.text == "tuning full precision"]
    assert counted[-1].done == counted[-1].total == len(found.runs)

    # What it is told to repeat it with is what was found.
    assert found.overrides[0] == "pretrain.tune=off"
    assert settings.config["config"]["pretrain"]["tune"] == "off"
    for override in found.overrides[1:]:
        name, _, value = override.partition("=")
        group, _, key = name.partition(".")
        assert settings.config["config"][group][key] == json.loads(value)

    values = dict(override.split("=") for override in found.overrides[1:])
    typed = Recipe({name: json.loads(value) for name, value in values.items()})
    repeated = replace(typed.applied(untuned), tune=TuneSettings())
    named = replace(data, held_out=synthetic.held_out)
    assert repeated.study_name(named) == settings.study_name(named)

    # The same search reads it; so does one of another seed, or of more trials.
    again = tuned(replace(untuned, seed=5, n_trials=1000), blind, unheard)[2]
    assert again == found
    (path,) = tmp_path.glob("tuned/*.json")
    path.write_text(path.read_text()[:-30])  # Damaged: it is tuned again, and finds the same.
    again = tuned(untuned, blind, unheard)[2]
    assert again is not None
    assert replace(again, seconds=0.0) == replace(found, seconds=0.0)


@pytest.mark.parametrize(
    "changes", [{"tune": TuneSettings()}, {"n_trials": 1}, {"tune": TuneSettings(share=0.01)}]
)
def test_nothing_is_tuned_where_that_is_off_or_the_search_is_short(
    untuned: SearchSettings, synthetic: PreparedData, changes: dict[str, object]
) -> None:
    search = replace(untuned, **changes)  # type: ignore[arg-type]
    assert tuned(search, synthetic, unheard) == (search, synthetic, None)
    note = untuned_note(search, synthetic.graph)
    assert (note is None) is (search.tune.mode is TuneMode.OFF)
    assert untuned_note(untuned, synthetic.graph) is None


def test_nothing_is_tuned_where_all_is_set_by_hand(
    untuned: SearchSettings, synthetic: PreparedData
) -> None:
    given = ["pretrain.learning_rate=1", "pretrain.weight_decay=0", "pretrain.dropout=0.1"]
    config = {"overrides": [*given, "dataset.normalize_rows=true"]}
    search = replace(untuned, config=config)
    assert tuned(search, synthetic, unheard) == (search, synthetic, None)


def test_a_plan_stays_within_its_epochs() -> None:
    for epochs in (0, 100, 300, 533, 2000):
        plan = Plan.of(epochs, default_epochs=20)
        most = plan.recipes * 20 + len(FINAL_SEEDS) * (2 * 60 + 20)
        assert plan.recipes == 0 or most <= epochs
    assert Plan.of(533, 20).recipes >= 10


def test_a_plan_has_fewer_epochs_where_an_epoch_has_several_steps() -> None:
    plan = Plan.of(533, default_epochs=20, steps=7)
    assert (plan.first_epochs, plan.last_epochs) == (3, 9)
    assert plan.recipes > Plan.of(533, default_epochs=20).recipes
    assert Plan.of(533, 20, given_epochs=5, steps=7).last_epochs == 5


def test_a_plan_has_no_more_epochs_than_training_with_patience() -> None:
    plan = Plan.of(533, default_epochs=12, steps=2, most_epochs=12)
    assert (plan.first_epochs, plan.last_epochs) == (4, 12)
    assert Plan.of(533, 90, most_epochs=90) == Plan.of(533, 90)


def test_epochs_that_were_given_are_those_of_every_recipe(
    untuned: SearchSettings, synthetic: PreparedData
) -> None:
    search = replace(untuned, config={"overrides": ["pretrain.epochs=20"]})
    settings, _, found = tuned(search, synthetic, unheard)
    assert found is not None
    assert {run.values[EPOCHS] for run in found.runs} == {20}
    assert settings.pretraining.epochs == 20


def test_the_best_recipes_and_one_that_is_still_getting_better_go_on() -> None:
    def result(accuracy: float, kept_epoch: int) -> RunResult:
        return RunResult(FitResult(accuracy, kept_epoch, (), 0.0), ())

    def rates() -> list[float]:
        recipes = successive_halving._semifinalists(tried, Plan(4, 10, 30))
        assert {recipe.values[EPOCHS] for recipe in recipes} == {30}
        return [recipe.values[LEARNING_RATE] for recipe in recipes]

    fast, second, third, slow = (Recipe({LEARNING_RATE: rate}) for rate in (0.1, 0.05, 0.02, 0.001))
    tried = {slow: result(0.7, 10), fast: result(0.8, 4), second: result(0.79, 5)}
    tried[third] = result(0.75, 6)
    assert rates() == [0.1, 0.05, 0.001]
    del tried[slow]
    assert rates() == [0.1, 0.05, 0.02]


@pytest.mark.parametrize(
    "damage",
    [
        {"recipe": {"pretrain.learning_rate": "1"}},
        {"recipe": {"model._target_": 1, "hydra.x": 1}},
        {"val_accuracy": 7.0},
        {"runs": 3},
    ],
)
def test_a_forged_file_is_not_read(tmp_path: Path, damage: dict[str, object]) -> None:
    values = {LEARNING_RATE: 0.1, EPOCHS: 3}
    sound = Tuning(*[Recipe(values)] * 2, 0.5, 0.4, (), 1.0).as_dict()
    path = tmp_path / "x.json"
    path.write_text(json.dumps(sound))
    assert kept_tuning(path) is not None
    path.write_text(json.dumps({**sound, **damage}))
    assert kept_tuning(path) is None


def test_only_what_is_set_of_training_changes_what_is_tuned(
    untuned: SearchSettings, synthetic: PreparedData
) -> None:
    def key(*overrides: str) -> str:
        config = {**untuned.config, "overrides": list(overrides)}
        return key_of(replace(untuned, config=config), synthetic.graph)

    assert key("n_trials=1000", "seed=5", "workers=2", "tracking.uri=none") == key()
    assert key("model.hidden=8") != key()
    assert key("pretrain.dropout=0.3") != key()
    assert key("finetune.dropout=0.3") != key()
    assert key("dataset.normalize_rows=false") != key()
