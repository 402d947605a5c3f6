"""What sizes depend on of the node features."""

from dataclasses import dataclass

from sgq_auto.packed.codes.bit_packing import packed_bytes
from sgq_auto.packed.codes.elias_fano import EliasFano


@dataclass(frozen=True)
class FeatureSpec:
    """The node features as they are stored.

    Attributes:
        num_features: Columns of the feature matrix.
        dense: Whether every entry is stored; otherwise only the nonzero ones are.
        bucket_values: Stored values per degree bucket.
        bucket_constant: Per bucket, whether all its stored values are equal (binary features):
            such a bucket needs no codes at all.
        scaled: Whether columns are scaled, by two fp32 numbers each that the model holds.
    """

    num_features: int
    dense: bool
    bucket_values: tuple[int, ...]
    bucket_constant: tuple[bool, ...]
    scaled: bool = False

    @property
    def scaling_bytes(self) -> int:
        """Bytes of what columns are scaled by."""
        return 8 * self.num_features if self.scaled else 0

    def pattern(self, num_nodes: int) -> EliasFano:
        """Places of the stored values, row by row."""
        return EliasFano(sum(self.bucket_values), num_nodes * self.num_features)

    def uses_bitmap(self, num_nodes: int) -> bool:
        """Whether one bit an entry is the smaller index of sparse features."""
        bitmap = packed_bytes(num_nodes * self.num_features, 1)
        return not self.dense and bitmap < self.pattern(num_nodes).num_bytes
