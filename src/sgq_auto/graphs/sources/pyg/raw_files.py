"""The raw files of PyG's datasets: read where they are, and kept where PyG downloads them."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


def has_files(raw_folder: Path) -> bool:
    """Whether the raw files of a dataset are there, so that none is downloaded."""
    return raw_folder.is_dir() and any(raw_folder.iterdir())


@contextlib.contextmanager
def scratch_root(root: Path, raw_folder: Path) -> Iterator[Path]:
    """A data root to make a dataset of PyG's in, which has its raw files and nothing else.

    The processed form is left there, so that the data root may be read-only and never goes stale.
    What is downloaded goes to the data root, if that can be written. PyG's own lines are not shown.

    Args:
        root: The data root.
        raw_folder: Where it has, or should have, the raw files of the dataset.
    """
    present = has_files(raw_folder)
    with tempfile.TemporaryDirectory(prefix="sgq-auto-") as scratch:
        place = Path(scratch) / raw_folder.relative_to(root)
        place.parent.mkdir(parents=True)
        if present:
            place.symlink_to(raw_folder.resolve(), target_is_directory=True)
        with (
            Path(os.devnull).open("w", encoding="utf-8") as quiet,
            contextlib.redirect_stderr(quiet),
        ):
            yield Path(scratch)
        if not present:
            # A data root that cannot be written costs a second download, not the run.
            with contextlib.suppress(OSError):
                shutil.copytree(place, raw_folder, dirs_exist_ok=True)
