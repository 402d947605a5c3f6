"""Passwords in addresses: known to this process and its workers, written nowhere.

An address is masked where it comes in, so that configurations, logs, commands, pages and exports
hold ``***`` in place of what is secret; the address itself stays in the environment of the process,
where its children find it. It is looked up where a connection is opened. Standard library only.
"""

import json
import logging
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

MASK = "***"
# Of the processes of one command.
_VARIABLE = "SGQ_AUTO_ADDRESSES"
# What people may set: the database of a study whose configuration has a masked address.
STORAGE_VARIABLE = "SGQ_AUTO_STORAGE_URL"

# SCHEME://USER:PASSWORD@; a password may hold an @ and a /.
_USER = re.compile(r"([\w+.-]*://)([^:/@\s]*)(:)(.*)(@)")
_USER_IN_TEXT = re.compile(r"([\w+.-]*://)([^:/@\s]*)(:)(\S*)(@)")
# SCHEME://TOKEN@
_TOKEN = re.compile(r"([\w+.-]*://)([^:/@\s]+)(@)")
_PARAMETER = re.compile(
    r"([?&;#](?:[\w.-]*(?:passw|pwd|token|secret|api[_-]?key|access[_-]?key|credential|signature)"
    r"[\w.-]*|pass|sig|auth|key)=)([^&;#\s\"']+)",
    re.IGNORECASE,
)
# There, a name without a password is a user, and no secret.
_DATABASES = ("postgres", "mysql", "mariadb", "mssql", "oracle", "sqlite", "redis")
# What stands for a password where the user's name is a token.
_NO_PASSWORD = ("", "x-oauth-basic", MASK)
_QUOTED = re.compile(r"^(['\"])(.*)\1$", re.DOTALL)
_ESCAPED = re.compile(r"\\([\\()\[\]{}:=, \t'\"])")
# A shorter secret may be part of any word.
_SHORTEST = 4


def mask(text: str) -> str:
    """An address, or a setting that is one, without its passwords and tokens."""
    return _mask(text, _USER)


def without_passwords(text: str) -> str:
    """A message without passwords: of addresses in it, and all that this process knows."""
    for secret in sorted(_known()["secrets"], key=len, reverse=True):
        for form in {secret, quote(secret, safe=""), unquote(secret)}:
            text = text.replace(form, MASK) if len(form) >= _SHORTEST else text
    return _mask(text, _USER_IN_TEXT)


def hide(address: str) -> str:
    """The masked address; what it stands for is remembered for :func:`reveal`."""
    masked = mask(address)
    if masked != address:
        known = _known()
        secrets = _secrets(address, masked)
        remember(
            {
                "addresses": {**known["addresses"], masked: address},
                "secrets": {**known["secrets"], **dict.fromkeys(secrets, "")},
            }
        )
    return masked


def hide_in_override(override: str) -> str:
    """An argument ``name=value`` of a command with its addresses hidden, several of a sweep too."""
    name, equals, value = override.partition("=")
    parts = value.split(",")
    if len(parts) > 1 and all("://" in part for part in parts):
        return f"{name}{equals}{','.join(_hide_value(part) for part in parts)}"
    return f"{name}{equals}{_hide_value(value)}"


def reveal(address: str, variable: str | None = None) -> str:
    """What a masked address stands for.

    Args:
        address: Any address.
        variable: An environment variable that people may set to the whole address.

    Returns:
        The address itself where it is not masked. One that nobody knows comes without a password,
        so that whoever connects takes it from where their kind of server keeps passwords.
    """
    if MASK not in address:
        return address
    known = _known()["addresses"].get(address) or os.environ.get(variable or "", "")
    return known or _without_mask(address)


def remembered() -> dict[str, dict[str, str]]:
    """All that this process knows, for a worker that does not share its environment."""
    return _known()


def remember(known: Mapping[str, Mapping[str, str]]) -> None:
    """Take over the passwords that another process knew, so that they are masked here too."""
    own = _known()
    os.environ[_VARIABLE] = json.dumps({k: {**own[k], **known[k]} for k in own})
    _mask_logs()


def mask_files(*paths: Path) -> None:
    """Mask what files of text hold that another program wrote; missing ones are left out."""
    for path in paths:
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            masked = "\n".join(map(without_passwords, text.split("\n")))
            if masked != text:
                path.write_text(masked, encoding="utf-8")


@cache
def _mask_logs() -> None:
    """Let no log of this process hold a password, whichever library writes it."""
    make = logging.getLogRecordFactory()

    def masked(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        with suppress(TypeError, ValueError):  # Arguments that do not fit are logging's to tell.
            record.msg, record.args = without_passwords(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = without_passwords(
                logging.Formatter().formatException(record.exc_info)
            )
        return record

    logging.setLogRecordFactory(masked)


def _hide_value(value: str) -> str:
    """Hide the address in a value as it is typed, known by what Hydra makes of it."""
    quoted = _QUOTED.match(value)
    plain = _ESCAPED.sub(r"\1", quoted[2] if quoted else value)
    hide(plain)
    return mask(value)


def _mask(text: str, user: re.Pattern[str]) -> str:
    return _PARAMETER.sub(rf"\1{MASK}", _TOKEN.sub(_hide_token, user.sub(_hide_user, text)))


def _hide_user(found: re.Match[str]) -> str:
    scheme, name, colon, password, at = found.groups()
    is_token = password in _NO_PASSWORD[:2] and not _is_database(scheme)
    if is_token:
        return f"{scheme}{MASK}{colon}{password}{at}"
    return f"{scheme}{name}{colon}{MASK}{at}"


def _hide_token(found: re.Match[str]) -> str:
    scheme, name, at = found.groups()
    return found[0] if _is_database(scheme) else f"{scheme}{MASK if name else ''}{at}"


def _is_database(scheme: str) -> bool:
    return scheme.lower().startswith(_DATABASES)


def _secrets(address: str, masked: str) -> list[str]:
    """What a mask stands for, from the text around it."""
    pattern = "(.+)".join(map(re.escape, masked.split(MASK)))
    found = re.fullmatch(pattern, address, re.DOTALL)
    return [] if found is None else [s for s in found.groups() if len(s) >= _SHORTEST]


def _without_mask(address: str) -> str:
    mask_ = re.escape(MASK)
    address = re.sub(rf"://{mask_}(:[^@/]*)?@", "://", address)
    address = re.sub(rf":{mask_}@", "@", address)
    address = re.sub(rf"([?&;])[\w.-]+={mask_}&?", r"\1", address)
    return address.rstrip("?&;")


def _known() -> dict[str, dict[str, str]]:
    try:
        read = json.loads(os.environ.get(_VARIABLE, "{}"))
        return {name: dict(read.get(name, {})) for name in ("addresses", "secrets")}
    except (ValueError, TypeError, AttributeError):
        return {"addresses": {}, "secrets": {}}
