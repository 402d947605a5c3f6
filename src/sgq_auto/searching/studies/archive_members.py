"""The zip file of an exported study: what may be in it, and what that may cost."""

import re
import shutil
import zipfile
from pathlib import Path

from sgq_auto.errors import InputError

STUDY = "study.json"
WEIGHTS = "pretrained"
ARTIFACT = re.compile(r"trial-\d{1,9}\.safetensors", re.ASCII)
# Everything that a bundle may hold besides the trials; nothing else is written to a disk.
FILES = re.compile(
    rf"(graph|held_out|unseen|node_ids|checkpoint)\.safetensors|{ARTIFACT.pattern}|(config|sensitivities|summary|tuning)\.json"
    rf"|confirm\.jsonl|{WEIGHTS}/[0-9a-f]{{32}}\.safetensors",
    re.ASCII,
)
_NEEDED = {STUDY, "config.json", "graph.safetensors", "held_out.safetensors"}
_MOST_FILES = 10_000
# Files of a study pack to a tenth or so; what packs better than to a hundredth was made to.
_HARMLESS_BYTES = 4 << 20
_MOST_RATIO = 100
# JSON is read as a whole, and takes several times its size.
_MOST_JSON_BYTES = 1 << 28
# Others may take gigabytes of memory to unpack a few bytes.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def extract(bundle: zipfile.ZipFile, path: Path, scratch: Path) -> None:
    """Write the files of a bundle, none of an unknown name and none that costs too much.

    Raises:
        InputError: If it is no bundle, or what it says of its sizes is too much; nothing has been
            unpacked then.
        zipfile.BadZipFile: If a file is not as the bundle says.
    """
    infos = bundle.infolist()
    names = [info.filename for info in infos]
    strange = [name for name in names if name != STUDY and not FILES.fullmatch(name)]
    if strange or len(set(names)) < len(names) or not set(names) >= _NEEDED:
        raise InputError(f"{path}: no study that was exported")
    _check_sizes(infos, path, shutil.disk_usage(scratch).free)
    for info in infos:
        bundle.extract(info, scratch)


def _check_sizes(infos: list[zipfile.ZipInfo], path: Path, free: int) -> None:
    if len(infos) > _MOST_FILES:
        raise InputError(f"{path}: it holds {len(infos):,} files; a study has fewer")
    if sum(info.compress_size for info in infos) > path.stat().st_size:
        raise InputError(f"{path}: its files overlap; no study that was exported")
    for info in infos:
        size = info.file_size
        if info.compress_type not in _METHODS:
            raise InputError(f"{path}: {info.filename} is packed in a way that exports are not")
        if size > max(_HARMLESS_BYTES, _MOST_RATIO * info.compress_size):
            raise InputError(
                f"{path}: {info.filename} unpacks from {info.compress_size:,} to {size:,} bytes; "
                "files of a study do not pack like that"
            )
        if not info.filename.endswith(".safetensors") and size > _MOST_JSON_BYTES:
            raise InputError(
                f"{path}: {info.filename} has {size:,} bytes; at most {_MOST_JSON_BYTES:,} are read"
            )
    total = sum(info.file_size for info in infos)
    if total > free:
        raise InputError(f"{path}: it unpacks to {total:,} bytes, and {free:,} are free")
