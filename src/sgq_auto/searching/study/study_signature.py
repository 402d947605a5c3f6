"""Which studies are this user's own: their configuration is signed with a key that only they have.

A study's folder may have been copied, unpacked or changed by anybody. The key lies outside of all
studies, in the user's own state folder; whoever has it could run code as this user anyway. A
configuration without a good signature is taken for somebody else's.
"""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sgq_auto.files.file_ownership import read_own, user_folder

SIGNATURE = "signature"
_KEY_BYTES = 32


def signed(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with this user's signature; without one where no key can be kept."""
    plain = {name: value for name, value in config.items() if name != SIGNATURE}
    key = _key(make=True)
    return plain if key is None else {**plain, SIGNATURE: _digest(plain, key)}


def is_signed(kept: Mapping[str, Any]) -> bool:
    """Whether a configuration is as a search or command of this user left it."""
    key, found = _key(make=False), kept.get(SIGNATURE)
    if key is None or not isinstance(found, str):
        return False
    plain = {name: value for name, value in kept.items() if name != SIGNATURE}
    return hmac.compare_digest(found.encode(), _digest(plain, key).encode())


def _digest(plain: Mapping[str, Any], key: bytes) -> str:
    # As a file gives it back: its names are text, and its tuples are lists.
    text = json.dumps(json.loads(json.dumps(plain)), sort_keys=True)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _key(*, make: bool) -> bytes | None:
    """The key of this user; ``None`` where there is none, and none can be made."""
    folder = user_folder("XDG_STATE_HOME", ".local/state")
    if folder is None:
        return None
    path = folder / "study.key"
    with suppress(OSError):
        if make and not path.exists():
            _make(path)
        key = read_own(path)
        return key if len(key) == _KEY_BYTES else None
    return None


def _make(path: Path) -> None:
    """Write a new key, unless another process does it first."""
    scratch = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
        if os.name == "nt":
            scratch.rename(path)  # Fails where there is one.
        else:
            with suppress(FileExistsError):
                os.link(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)
