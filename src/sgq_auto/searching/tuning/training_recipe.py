"""How a model is trained at full precision, as settings of the search command."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
)

from sgq_auto.graphs import Graph, PreparedData, SparseFeatures
from sgq_auto.quantize import prepare
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.training import own_dropout

LEARNING_RATE, WEIGHT_DECAY = "pretrain.learning_rate", "pretrain.weight_decay"
DROPOUT, EPOCHS, NORMALIZE = "pretrain.dropout", "pretrain.epochs", "dataset.normalize_rows"
# A weight decay as small as this is none.
NO_DECAY = 1e-6
# Arguments of models for the width of hidden layers and for how many layers there are.
_WIDTHS = ("hidden", "hidden_channels", "hidden_dim", "hidden_size", "hidden_features", "nhid")
_DEPTHS = ("num_layers", "n_layers", "layers", "depth")
_DEEPEST = 4

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Recipe:
    """One way to train a model at full precision.

    Attributes:
        values: Settings by the names that the command line has for them. What is not among them
            stays as it is.
    """

    values: Values

    def applied(self, settings: SearchSettings) -> SearchSettings:
        """The settings of a search that trains its model so."""
        model, arguments = settings.model, self._of("model")
        if arguments:
            model = replace(model, config={**model.config, **arguments}, _keys={})
        return replace(
            settings,
            pretrain=replace(settings.pretraining, **self._of("pretrain")),
            finetune=replace(settings.finetune, **self._of("finetune")),
            model=model,
        )

    def _of(self, group: str) -> dict[str, Any]:
        named = (name.partition(".") for name in self.values)
        return {key: self.values[f"{group}.{key}"] for own, _, key in named if own == group}

    def prepared(self, graph: Graph) -> Graph:
        """The graph with its features as the recipe has them."""
        wanted = self.values.get(NORMALIZE, graph.features.normalize_rows)
        if wanted == graph.features.normalize_rows:
            return graph
        return replace(graph, features=replace(graph.features, normalize_rows=wanted))  # type: ignore[type-var]

    def prepared_data(self, data: PreparedData) -> PreparedData:
        """The data with their features as the recipe has them."""
        return replace(data, graph=self.prepared(data.graph))

    def __hash__(self) -> int:
        """Of the values, so that equal recipes count as one."""
        return hash(frozenset(self.values.items()))

    @property
    def overrides(self) -> list[str]:
        """The settings as they are typed after the search command."""
        return [f"{name}={_typed(value)}" for name, value in self.values.items()]


def _typed(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


def default_recipe(settings: SearchSettings, graph: Graph) -> Recipe:
    """The recipe that the settings of a search have; a dropout that they leave open stays so."""
    fit = settings.pretraining
    values: dict[str, Any] = {
        LEARNING_RATE: fit.learning_rate,
        WEIGHT_DECAY: fit.weight_decay,
        EPOCHS: fit.epochs,
    }
    if fit.dropout is not None:
        values[DROPOUT] = fit.dropout
    if may_normalize(graph):
        values[NORMALIZE] = graph.features.normalize_rows
    return Recipe(values)


def starting_values(settings: SearchSettings, graph: Graph) -> dict[str, Any]:
    """The settings of a search from which tuning starts, the model's own dropout among them."""
    values = dict(default_recipe(settings, graph).values)
    own = dropout_of(settings, graph)
    return values if own is None else {DROPOUT: own, **values}


def may_normalize(graph: Graph) -> bool:
    """Whether rows of features can be divided by their sums: none is negative.

    Labels of nodes of whole graphs, a column each, are left as they are: their sums are 1.
    """
    features = graph.features
    if graph.task.predicts_graphs and isinstance(features, SparseFeatures):
        one_each = (features.pattern.rowptr.diff() == 1).all() and (features.values == 1).all()
        if one_each:
            return False
    return bool(features.values.min() >= 0)


def dropout_of(settings: SearchSettings, graph: Graph) -> float | None:
    """The largest dropout probability of the search's model; ``None`` if it drops nothing."""
    found = own_dropout(prepare(settings.model.build(graph), graph), graph)
    return found if found > 0 else None


def tuned_values(
    settings: SearchSettings, default: Values, *, wide: bool
) -> dict[str, BaseDistribution]:
    """What is tuned, and from where to where; what the user has set by hand stays as it is.

    Args:
        settings: The search.
        default: What :func:`starting_values` returned.
        wide: Whether widths and depths are tuned too.
    """
    rate = default[LEARNING_RATE]
    decay = max(default[WEIGHT_DECAY], NO_DECAY)
    space: dict[str, BaseDistribution] = {
        LEARNING_RATE: FloatDistribution(min(1e-3, rate), max(0.1, rate), log=True),
        WEIGHT_DECAY: FloatDistribution(NO_DECAY, max(1e-2, decay), log=True),
    }
    if DROPOUT in default:
        space[DROPOUT] = FloatDistribution(0.0, max(0.8, default[DROPOUT]))
    if NORMALIZE in default:
        space[NORMALIZE] = CategoricalDistribution((False, True))
    if wide:
        space |= _sizes(settings)
    given = set_by_hand(settings)
    if "model.dropout" in given:
        given |= {DROPOUT}
    return {name: values for name, values in space.items() if name not in given}


def _sizes(settings: SearchSettings) -> dict[str, BaseDistribution]:
    """Widths and depths, where the model's class has arguments for them."""
    config = settings.model.config
    parameters = inspect.signature(settings.model.target()).parameters
    space: dict[str, BaseDistribution] = {}
    for names, choices_of in ((_WIDTHS, _widths), (_DEPTHS, _depths)):
        for name in names:
            own = config.get(name, parameters[name].default if name in parameters else None)
            if isinstance(own, int) and not isinstance(own, bool):
                space[f"model.{name}"] = CategoricalDistribution(choices_of(own))
    return space


def _widths(own: int) -> tuple[int, ...]:
    return tuple(dict.fromkeys(max(1, round(own * factor)) for factor in (0.5, 1, 2, 4)))


def _depths(own: int) -> tuple[int, ...]:
    return tuple(range(1, max(own, _DEEPEST) + 1))


def set_by_hand(settings: SearchSettings) -> set[str]:
    """Names of the settings that the command line sets."""
    overrides = settings.config.get("overrides", ())
    return {override.partition("=")[0].lstrip("+~") for override in overrides}
