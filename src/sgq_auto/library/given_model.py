"""The model of the library's ``search``: a class, a function that makes it, or a trained model."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from sgq_auto.errors import InputError
from sgq_auto.graphs import PreparedData
from sgq_auto.library.checked_arguments import target_of
from sgq_auto.searching import ModelSettings
from sgq_auto.searching.own_model import arguments_of, check_rebuilt, unwrapped
from sgq_auto.searching.own_model.trained_model import save_weights
from sgq_auto.training import weights_hash
from sgq_auto.training.trained_weights import ARGUMENTS

_CACHE = "pretrained"


@dataclass(frozen=True, eq=False)
class ModelToSearch:
    """How worker processes get the model that ``search`` is called with.

    Attributes:
        target: The name that its class, or what makes it, is imported by.
        arguments: What it is made with, besides the sizes of the graph.
        checkpoint: The file of its trained weights, if it has some.
        trained: The user's own trained model, if that was given.
    """

    target: str
    arguments: Mapping[str, Any]
    checkpoint: Path | None = None
    trained: nn.Module | None = None

    @classmethod
    def of(
        cls,
        model: Any,
        arguments: Mapping[str, Any],
        checkpoint: str | Path | None,
        output_root: Path,
    ) -> "ModelToSearch":
        """From the arguments of ``search``; the weights of a trained model are written to a file.

        Raises:
            InputError: If workers cannot import the model, or a trained one has no weights yet.
            OSError: If the file cannot be written.
        """
        if not isinstance(model, nn.Module):
            file = None if checkpoint is None else Path(checkpoint)
            return cls(target_of(model), arguments, file)
        model = unwrapped(model)
        kind = type(model).__name__
        if checkpoint is not None:
            raise InputError(
                f"checkpoint={checkpoint} beside a {kind} that is made already: give the class "
                f"{kind} with the checkpoint, or the model alone, whose weights are taken"
            )
        target = target_of(type(model))
        for name, held in (*model.named_parameters(), *model.named_buffers()):
            if isinstance(held, UninitializedParameter | UninitializedBuffer):
                raise InputError(f"model: {name} of this {kind} has no values yet; train it first")
        found = arguments_of(model, arguments)
        file = output_root / _CACHE / f"{kind}-{weights_hash(model)[:16]}.safetensors"
        save_weights(model, file)
        return cls(target, found, file, model)

    def check(self, settings: ModelSettings, data: PreparedData) -> None:
        """Check that a trained model can be made anew, the same.

        Raises:
            InputError: If it cannot, or computes something else then.
        """
        if self.trained is None:
            return
        try:
            check_rebuilt(self.trained, settings.trained(data.graph), data)
        except InputError as error:
            kind, given = type(self.trained).__name__, self.arguments.items()
            known = ", ".join(f"{name}={value!r:.40}" for name, value in given)
            raise InputError(
                f"model: what is known of how this {kind} was made ({known or 'nothing'}) is not "
                f"enough: {_reason(error, self.checkpoint)}; pass all of it as arguments={{…}}, or "
                "give a function that makes the model, and its weights as checkpoint=PATH"
            ) from error


def _reason(error: InputError, file: Path | None) -> str:
    """An error without a file that the user knows nothing of, and without the command's advice."""
    return str(error).removeprefix(f"model.checkpoint={file}: ").removesuffix(f"; {ARGUMENTS}")
