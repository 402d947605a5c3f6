"""The model of a search: any class that can be imported, and how it is given the graph's sizes."""

import hashlib
import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import hydra.utils
import torch
from hydra.errors import HydraException
from torch import nn

from sgq_auto.errors import InputError, did_you_mean
from sgq_auto.errors.user_code import described, is_ours, user_line
from sgq_auto.graphs import Graph, PreparedData
from sgq_auto.quantize import TakesLogits, check_logits, in_order_of, prepare
from sgq_auto.searching.own_model import (
    CLASSES_AS,
    FEATURES_AS,
    SizeArguments,
    imported,
    initialise,
    is_own,
    own_sources,
    parameters_of,
    probe,
    refuse_changed_in_memory,
    said_of_output,
    targets_of,
)
from sgq_auto.searching.own_model.trained_model import trained_note
from sgq_auto.training import load_weights, predict, weights_hash

_CUSTOM, _MISSING = "custom", "???"
_CHECKPOINT = "checkpoint"
_TARGET_HINT = (
    "it must be a class like my_package.my_module.MyNet, found from the folder of the command"
)
# Their sources change with their versions alone.
_INSTALLED = ("sgq_auto.", "torch_geometric.")


@dataclass(frozen=True)
class ModelSettings:
    """A model as configuration: its class and arguments.

    The numbers of features and of classes are passed to the arguments that ``features_as`` and
    ``classes_as`` name; by default to those that are called as people call them, like
    ``in_channels`` and ``num_classes``. An argument that is given is left as it is.

    Attributes:
        name: The name in results.
        config: ``_target_``, ``features_as``, ``classes_as`` and keyword arguments.
        checkpoint: The file of the user's own trained weights; ``None`` where the search trains.
    """

    name: str
    config: Mapping[str, Any]
    checkpoint: Path | None = None
    _keys: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, choice: str, config: Mapping[str, Any]) -> "ModelSettings":
        """From a chosen configuration; a custom one is called by its class too.

        Raises:
            InputError: If the checkpoint is no path.
        """
        target = str(config.get("_target_", _MISSING))
        custom = choice == _CUSTOM and target != _MISSING
        name = f"{_CUSTOM}-{target.rpartition('.')[2]}" if custom else choice
        arguments = {key: value for key, value in config.items() if key != _CHECKPOINT}
        file = config.get(_CHECKPOINT)
        if file is not None and not (isinstance(file, str | Path) and str(file).strip()):
            raise InputError(
                f"model.checkpoint={file}: give the file of a trained model's weights, like "
                "model.pt, or null"
            )
        return cls(name, arguments, None if file is None else Path(file).expanduser())

    def build(self, graph: Graph) -> nn.Module:
        """The untrained model for a graph; of several tensors that it returns, it keeps the logits.

        Raises:
            InputError: If the class cannot be found, or not be made with these arguments.
        """
        return self._made(graph)[0]

    def trained(self, graph: Graph) -> nn.Module:
        """The model with the weights of its checkpoint; it is the same each time.

        Raises:
            InputError: If it cannot be made, or these are no weights of it.
        """
        return self._trained(graph)[0]

    def _trained(self, graph: Graph) -> tuple[nn.Module, tuple[str, ...]]:
        """The model with its weights, and what was taken of their file."""
        assert self.checkpoint is not None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = self.build(graph)
        try:
            return model, load_weights(model, self.checkpoint)
        except InputError as error:
            raise InputError(f"model.checkpoint={error}") from error

    def _made(self, graph: Graph) -> tuple[nn.Module, tuple[str, ...]]:
        """The untrained model, and what was given to which argument."""
        target = self.target()
        sizes = SizeArguments.of(target, self.config, graph)
        given = {k: v for k, v in self.config.items() if k not in (FEATURES_AS, CLASSES_AS)}
        arguments = {**sizes.values, **given}
        said = sizes.said
        try:
            try:
                model = _instantiate(arguments)
            except HydraException:
                tensors = {k: torch.tensor(v) for k, v in given.items() if _is_numbers(v)}
                if not tensors:
                    raise
                model = _instantiate(arguments | tensors)
                said += tuple(f"{name} as a tensor" for name in tensors)
        except HydraException as error:
            cause = error.__cause__ or error
            if is_ours(cause) and not isinstance(cause, InputError):
                raise
            unknown = _unknown_arguments(target, given)
            raise InputError(f"model={self.name}: {_reason(cause)}{unknown}{sizes.hint}") from error
        if not isinstance(model, nn.Module):
            raise InputError(f"model={self.name}: {self.config['_target_']} is no torch module")
        initialise(model, graph)
        TakesLogits.attach(model, graph.num_classes)
        return model, said

    def in_order(self, data: PreparedData) -> PreparedData:
        """The graph with its nodes in the order that this model needs; call it before a search.

        Also checks the model, as :meth:`check` does.

        Raises:
            InputError: If it fails, or differs from plain PyG when it is prepared.
        """
        if data.fits_model:
            return data
        if self.checkpoint is not None and data.graph.target_scale is not None:
            # What the user trained returns numbers in the user's units.
            data = replace(data, graph=replace(data.graph, target_scale=None))
        self.check(data.graph)
        if self.checkpoint is None:
            model, said = self._made(data.graph)
        else:
            model, said = self._trained(data.graph)
        try:
            fitted = in_order_of(model, data)
        except InputError as error:
            raise self._named(error) from error
        notes = (*data.notes, *(note for note in (fitted.unused, fitted.note) if note is not None))
        if self.checkpoint is not None:
            graph = fitted.data.graph
            notes += (trained_note(self.name, self.checkpoint, said, model, graph),)
        return replace(fitted.data, notes=notes, fits_model=True)

    def check(self, graph: Graph) -> None:
        """Build the model and run it once on the graph.

        Raises:
            InputError: If it fails, or returns something other than logits.
        """
        try:
            model = self.build(graph)
            refuse_changed_in_memory(self.sources)
            output = predict(prepare(model, graph), graph)
            check_logits(output, graph.num_outputs, graph.num_classes)
        except InputError as error:
            raise self._named(error) from error
        except Exception as error:
            if is_ours(error) or user_line(error) is None:
                raise
            raise InputError(f"model={self.name}: {described(error)}") from error

    def _named(self, error: InputError) -> InputError:
        prefix = f"model={self.name}: "
        return InputError(f"{prefix}{str(error).removeprefix(prefix)}")

    def notes(self, graph: Graph) -> tuple[str, ...]:
        """What a person should know of how a model of their own is made and read, a line each.

        Raises:
            InputError: If the model cannot be made.
        """
        if not self.is_custom:
            return ()
        model, said = self._made(graph)
        returned = said_of_output(model, graph)
        found = [", ".join(said)] if said else []
        found += [returned] if returned else []
        return (f"{self.name}: {'; '.join(found)}",) if found else ()

    @property
    def is_custom(self) -> bool:
        """Whether it is the model of a class that was named, none of this project's choices."""
        return self.name.startswith(f"{_CUSTOM}-")

    @property
    def key(self) -> str:
        """Text that determines the model's code: its configuration, and the user's own sources.

        An edited model is another one.
        """
        text, sources = self._text, self.sources
        if not sources:
            return text
        return text + hashlib.sha256(json.dumps(sources).encode()).hexdigest()

    def key_on(self, graph: Graph) -> str:
        """Text that determines the model for a graph: its code, what that computes, its weights.

        Files that an own model reads change what it computes. The text is made once, so that
        processes which these settings are sent to agree, whatever is edited meanwhile.
        """
        if graph.fingerprint not in self._keys:
            key = self.key
            computed = probe(lambda: self.build(graph), graph) if self.sources else ""
            weights = "" if self.checkpoint is None else weights_hash(self.trained(graph))
            self._keys[graph.fingerprint] = key + computed + weights
        return self._keys[graph.fingerprint]

    @property
    def sources(self) -> dict[str, str]:
        """Hashes of the user's own modules that the model needs; none for a model of PyG."""
        own, *others = targets_of(self.config) or [""]
        roots = [target for target in others if is_own(target)]
        if own and not own.startswith(_INSTALLED):
            self.target()
            roots.append(own)
        return own_sources(roots)

    @property
    def earlier_key(self) -> str | None:
        """The key by which earlier versions named studies of a user's own model, if it is one."""
        if not self.sources:
            return None
        try:
            source = Path(inspect.getfile(self.target())).read_bytes()
        except (OSError, TypeError):
            return self._text
        return self._text + hashlib.sha256(source).hexdigest()

    @property
    def _text(self) -> str:
        return json.dumps(dict(self.config), sort_keys=True, default=str)

    def target(self) -> Any:
        """The class, or the function, that makes it.

        Raises:
            InputError: If it cannot be imported.
        """
        path = str(self.config.get("_target_", _MISSING))
        if path == _MISSING:
            raise InputError(f"model={self.name}: model._target_ is missing; {_TARGET_HINT}")
        try:
            return imported(path)
        except Exception as error:
            raise InputError(
                f"model={self.name}: model._target_={path} cannot be imported ({_reason(error)}); "
                f"{_TARGET_HINT}"
            ) from error


def _instantiate(arguments: Mapping[str, Any]) -> Any:
    # Lists reach the class as lists, not as OmegaConf's.
    return hydra.utils.instantiate({"_convert_": "all", **arguments})


def _is_numbers(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(v) in (int, float) for v in value)


def _reason(error: BaseException) -> str:
    """What an error says, and the line of the user's code that it comes from."""
    text, line = " ".join(str(error).split()) or type(error).__name__, user_line(error)
    return text if line is None else f"{text} ({line})"


def _unknown_arguments(target: Any, given: Mapping[str, Any]) -> str:
    known = parameters_of(target)
    unknown = [name for name in given if name not in (*known, "_target_")]
    if not unknown or not known or "kwargs" in known:
        return ""
    return f"{did_you_mean(unknown[0], known)}; its arguments are {', '.join(known)}"
