"""Whose line raised an error."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sgq_auto.errors import InputError
from sgq_auto.errors.user_code import described, full_traceback, is_ours, user_line
from sgq_auto.packed import load

_NET = """
import json

def fails_itself():
    raise KeyError("weight")

def fails_in_a_library():
    json.loads("{")
"""


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "own_net_of_user.py").write_text(_NET, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "own_net_of_user", raising=False)
    import own_net_of_user  # type: ignore[import-not-found]

    return own_net_of_user


def _raised(function: Any, *arguments: Any) -> BaseException:
    try:
        function(*arguments)
    except Exception as error:
        # Without this frame, which is no installed package's either.
        return error.with_traceback(error.__traceback__.tb_next if error.__traceback__ else None)
    pytest.fail("nothing was raised")


def test_a_line_of_the_user_is_named(net: Any) -> None:
    own, library = _raised(net.fails_itself), _raised(net.fails_in_a_library)
    assert user_line(own) == "own_net_of_user.py:5"
    assert user_line(library) == "own_net_of_user.py:8"
    assert described(own) == "KeyError: 'weight' (own_net_of_user.py:5)"
    assert not is_ours(own)
    assert not is_ours(library)
    assert "own_net_of_user.py" in full_traceback(own)


def test_libraries_and_this_project_are_no_users() -> None:
    library = _raised(np.load, "/nowhere")
    assert user_line(library) is None
    assert not is_ours(library)
    ours = _raised(load, Path("/nowhere"))
    assert isinstance(ours, InputError)
    assert is_ours(ours)
    assert user_line(ours) is None
