"""Sparse rows as gaps between their columns, Rice coded: the smaller code, read row after row.

A row has its number of entries, in as few bits as its bucket needs, and of each entry the columns
that were left out before it. A gap of a zone with parameter ``k`` is ``gap >> k`` zeros, a one, and
the lowest ``k`` bits. Every bucket of rows and zone of columns has a parameter of its own, because
columns of a zone are about equally often used. Rows are found from the start of their block.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sgq_auto.packed.codes.bit_packing import Array, Bytes, index_bits, pack_codes
from sgq_auto.packed.codes.coded_rows import Blocks

_LARGEST_PARAMETER = 24
# Entries that are coded at once.
_CHUNK = 1 << 20


@dataclass(frozen=True, eq=False)
class GapRows:
    """Coded sparse rows.

    Attributes:
        zone_ends: The column after each zone.
        parameters: ``uint8 [buckets * zones]``.
        counts: The entries of each row less the fewest of its bucket; buckets on whole bytes.
        count_layouts: For each bucket the first byte, the bits, and the fewest entries.
        block_bits: The bit at which each block of rows starts.
        block_entries: The entries before each block.
        stream: The coded gaps.
    """

    zone_ends: tuple[int, ...]
    parameters: Bytes
    counts: Bytes
    count_layouts: tuple[tuple[int, int, int], ...]
    block_bits: Array
    block_entries: Array
    stream: Bytes

    @property
    def num_bytes(self) -> int:
        """Bytes of the code, but for the starts of blocks."""
        return self.parameters.size + self.counts.size + self.stream.size


def code_gaps(
    counts: Array, columns: Array, bucket_rows: Sequence[int], zone_ends: Sequence[int]
) -> GapRows:
    """Code sparse rows.

    Args:
        counts: ``int [rows]``, entries of each row.
        columns: ``int [entries]``, row after row, increasing in each.
        bucket_rows: Rows of each bucket.
        zone_ends: The column after each zone, increasing; the last is the number of columns.
    """
    ends = np.cumsum(counts)
    starts = _starts(counts, columns)
    gaps = columns - starts
    zones = np.searchsorted(np.asarray(zone_ends), starts, side="right")
    rows = np.repeat(np.arange(counts.size), counts)
    buckets = np.searchsorted(np.cumsum(bucket_rows), rows, side="right")
    places = buckets * len(zone_ends) + zones
    parameters = _parameters(gaps, places, len(bucket_rows) * len(zone_ends))
    own = parameters[places]
    bits = np.concatenate(([0], np.cumsum((gaps >> own) + 1 + own)))
    before = np.concatenate(([0], ends))
    entries = before[Blocks(tuple(bucket_rows)).rows]
    stream = np.concatenate(list(_stream(gaps, own)))
    packed, layouts = _packed_counts(counts, bucket_rows)
    return GapRows(
        tuple(zone_ends),
        parameters.astype(np.uint8),
        packed,
        layouts,
        bits[entries],
        entries,
        stream,
    )


def _starts(counts: Array, columns: Array) -> Array:
    """The column from which the gap before each entry is counted."""
    starts = np.concatenate(([0], columns[:-1] + 1))[: columns.size]
    firsts = (np.cumsum(counts) - counts)[counts > 0]
    starts[firsts] = 0
    return starts


def _parameters(gaps: Array, places: Array, count: int) -> Array:
    """The parameter of each bucket and zone under which its gaps take the fewest bits."""
    held = np.bincount(places, minlength=count)
    bits = [
        np.bincount(places, gaps >> k, minlength=count) + (k + 1) * held
        for k in range(_LARGEST_PARAMETER + 1)
    ]
    found: Array = np.argmin(np.stack(bits), axis=0)
    return found


def _stream(gaps: Array, parameters: Array) -> Iterator[Bytes]:
    """The coded gaps, in parts of whole bytes."""
    carried = np.empty(0, dtype=np.uint8)
    for first in range(0, gaps.size, _CHUNK):
        gap, low = gaps[first : first + _CHUNK], parameters[first : first + _CHUNK]
        zeros = gap >> low
        ends = np.cumsum(zeros + 1 + low)
        digits = np.zeros(int(ends[-1]), dtype=np.uint8)
        ones = ends - low - 1
        digits[ones] = 1
        for k in range(int(low.max(initial=0))):
            held = low > k
            digits[ones[held] + 1 + k] = gap[held] >> k & 1
        digits = np.concatenate([carried, digits])
        whole = digits.size // 8 * 8
        yield np.packbits(digits[:whole], bitorder="little")
        carried = digits[whole:]
    yield np.packbits(carried, bitorder="little")


def _packed_counts(
    counts: Array, bucket_rows: Sequence[int]
) -> tuple[Bytes, tuple[tuple[int, int, int], ...]]:
    parts, layouts, place = [np.empty(0, dtype=np.uint8)], [], 0
    for part in np.split(counts, np.cumsum(bucket_rows)[:-1]):
        least = int(part.min()) if part.size else 0
        bits = index_bits(int(part.max()) - least) if part.size else 0
        layouts.append((place, bits, least))
        if bits:
            parts.append(pack_codes(part - least, bits))
            place += parts[-1].size
    return np.concatenate(parts), tuple(layouts)
