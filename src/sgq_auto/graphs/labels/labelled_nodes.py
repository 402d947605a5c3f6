"""Nodes or graphs with a label, as training and evaluation read them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class LabelledNodes:
    """Some nodes and their labels.

    Attributes:
        nodes: ``int64 [n]`` rows of what the model returns.
        labels: ``int64 [n]`` classes; ``float32 [n, L]`` 0 or 1 for each of several labels; or
            ``float32 [n, T]`` numbers, in the user's units.
    """

    nodes: Tensor
    labels: Tensor

    def accuracy(self, logits: Tensor) -> float:
        """Share of these nodes whose largest logit (``[N, classes]``) is their class."""
        predicted = logits.index_select(0, self.nodes).argmax(dim=1)
        return float((predicted == self.labels).double().mean())

    def to(self, device: torch.device) -> "LabelledNodes":
        """The same nodes and labels on a device."""
        return LabelledNodes(self.nodes.to(device), self.labels.to(device))

    @property
    def fingerprint(self) -> str:
        """Hash of the nodes and their labels; part of what identifies a study."""
        return tensor_hash([self.nodes, self.labels])


def tensor_hash(tensors: Sequence[Tensor], text: str = "") -> str:
    """SHA-256 of tensors, their shapes and types, and a text: what identifies data of a study.

    Args:
        tensors: Of any shape, type and device.
        text: What else is hashed.
    """
    digest = hashlib.sha256(text.encode())
    for tensor in tensors:
        digest.update(str((tuple(tensor.shape), tensor.dtype)).encode())
        digest.update(tensor.contiguous().cpu().numpy().data)
    return digest.hexdigest()
