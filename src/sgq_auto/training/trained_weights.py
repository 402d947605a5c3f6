"""Weights that users have trained, put into the model that they are of."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from sgq_auto.errors import InputError
from sgq_auto.text.safe_text import printable
from sgq_auto.training.state_files import StoredState, read_state, some

# What torch.compile puts into names wherever a module was compiled.
_COMPILED = "_orig_mod."
# What may be wrong where weights do not fit.
ARGUMENTS = "the model's arguments must be those that it was trained with, like model.hidden=64"


def load_weights(model: nn.Module, path: Path) -> tuple[str, ...]:
    """Put the weights of a file into a model that was made like the one they were trained in.

    Args:
        model: The model; left as it is where the file does not fit.
        path: A file of safetensors, or a state dict of ``torch.save``.

    Returns:
        What was taken of the file, left out, stripped of names and converted, for people.

    Raises:
        InputError: If the file cannot be read, or other parameters are in it; some are named.
    """
    stored = read_state(path)
    own = {name: held for name, held in model.state_dict().items() if isinstance(held, Tensor)}
    found, said = _named_as(own, stored, path)
    _check_fit(own, found, type(model).__name__, path)
    values, converted = _converted(own, found, path)
    model.load_state_dict(values, strict=False)  # Names and shapes are checked.
    return (*stored.said, *said, *converted)


def weights_hash(model: nn.Module) -> str:
    """Hash of the values of a model's parameters and buffers, by their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        plain = tensor.detach().cpu().contiguous().flatten()
        digest.update(plain.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _named_as(
    own: Mapping[str, Tensor], stored: StoredState, path: Path
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The stored tensors by the names that the model has for them, and what was done to names."""
    tensors, said = dict(stored.tensors), []
    if not any(_COMPILED in name for name in own):
        plain = {name.replace(_COMPILED, ""): tensor for name, tensor in tensors.items()}
        if len(plain) == len(tensors) and plain.keys() != tensors.keys():
            tensors, said = plain, [f"names without {_COMPILED!r}"]
    groups = _groups(own)
    prefix = "" if _has_all(groups, tensors) else _prefix(groups, tensors, path)
    if prefix:
        others = [printable(name) for name in tensors if not name.startswith(prefix)]
        said.append(f"names without {printable(prefix)!r}")
        said += [f"without {some(others)}"] if others else []
        tensors = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
    for names in groups:
        # Of names that share a tensor, safetensors keeps one.
        kept = next((tensors[name] for name in names if name in tensors), None)
        if kept is not None:
            tensors |= {name: kept for name in names if name not in tensors}
    return tensors, tuple(said)


def _prefix(groups: Sequence[Sequence[str]], tensors: Mapping[str, Tensor], path: Path) -> str:
    """What stands before all names of a model that another module held; ``""`` if nothing does.

    Raises:
        InputError: If the file has several such models.
    """
    ends = tuple(f".{name}" for name in max(groups, key=lambda names: len(names[0]), default=()))
    tried = {
        name.removesuffix(end[1:]): None for end in ends for name in tensors if name.endswith(end)
    }
    fitting = [p for p in tried if _has_all(groups, tensors, p)]
    if len(fitting) > 1:
        raise InputError(
            f"{path}: it has weights of several such models, under "
            f"{some([printable(p) for p in fitting])}; save the state dict of one"
        )
    if fitting:
        return fitting[0]
    # What all names begin with is left out even where the rest does not fit: errors name less.
    head = next(iter(tensors), "").partition(".")[0] + "."
    own = {name.partition(".")[0] for names in groups for name in names}
    shared = all(name.startswith(head) for name in tensors) and head.removesuffix(".") not in own
    return head if shared and len(head) > 1 else ""


def _has_all(
    groups: Sequence[Sequence[str]], tensors: Mapping[str, Tensor], prefix: str = ""
) -> bool:
    return all(any(f"{prefix}{name}" in tensors for name in names) for names in groups)


def _groups(own: Mapping[str, Tensor]) -> list[list[str]]:
    """Names of a model's tensors, those together that share one."""
    groups: dict[object, list[str]] = {}
    for name, tensor in own.items():
        place = (tensor.data_ptr(), tensor.shape, tensor.stride()) if tensor.numel() else name
        groups.setdefault(place, []).append(name)
    return list(groups.values())


def _check_fit(
    own: Mapping[str, Tensor], found: Mapping[str, Tensor], kind: str, path: Path
) -> None:
    missing = [name for name in own if name not in found]
    unexpected = [printable(name) for name in found if name not in own]
    shapes = [
        f"{name} is {_shape(found[name])}, the model's is {_shape(own[name])}"
        for name in own
        if name in found and found[name].shape != own[name].shape
    ]
    parts = [
        f"{what}: {some(names)}"
        for what, names in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", shapes),
        )
        if names
    ]
    if parts:
        raise InputError(f"{path}: no weights of this {kind}: {'; '.join(parts)}; {ARGUMENTS}")


def _shape(tensor: Tensor) -> str:
    return str(list(tensor.shape))


def _converted(
    own: Mapping[str, Tensor], found: Mapping[str, Tensor], path: Path
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The stored tensors in the types of the model, all of them finite."""
    values: dict[str, Tensor] = {}
    changes: Counter[tuple[str, str]] = Counter()
    for name, like in own.items():
        tensor = found[name].detach()
        _check_kind(name, tensor, like, path)
        if tensor.dtype is not like.dtype:
            changes[_name(tensor.dtype), _name(like.dtype)] += 1
        value = tensor.to(like.dtype)
        # A buffer may be made of such values, like a mask: then the untrained model's is too.
        strange = int((~value.isfinite() & (value != like)).sum())
        if strange:
            raise InputError(
                f"{path}: {name} has {strange:,} values that are no finite numbers of "
                f"{_name(like.dtype)}; train it anew, or take an earlier epoch's weights"
            )
        values[name] = value
    said = [
        f"{count} tensor{'' if count == 1 else 's'} of {old} as {new}"
        for (old, new), count in changes.items()
    ]
    return values, tuple(said)


def _check_kind(name: str, tensor: Tensor, like: Tensor, path: Path) -> None:
    """Numbers of one kind convert into each other: floating ones, or whole ones."""
    plain = tensor.layout is torch.strided and not (tensor.is_quantized or tensor.is_meta)
    if not plain or _kind(tensor) != _kind(like):
        what = _name(tensor.dtype) if plain else "no plain tensor"
        raise InputError(f"{path}: {name} is {what}, and the model's is {_name(like.dtype)}")


def _kind(tensor: Tensor) -> Sequence[bool]:
    return tensor.is_floating_point(), tensor.is_complex(), tensor.dtype is torch.bool


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
