"""Modules that were edited after this process had imported them."""

import importlib

import pytest
from projects import Project

from sgq_auto.errors import InputError
from sgq_auto.searching.own_model import refuse_changed_in_memory

_MODULE = (
    "import functools\n\nWIDTH = 8\nCALLS = 0\n\n\n"
    "class Net:\n"
    "    @functools.cache\n    def forward(self, x):\n        return {body}\n\n\n"
    "def count():\n    global CALLS\n    CALLS += 1\n"
)


@pytest.fixture
def module(project: Project) -> Project:
    project.write("edited", _MODULE.format(body="x in {'a', 'b'}"))
    project.forget()
    importlib.import_module("edited")
    return project


def test_what_is_as_its_file_says_passes(module: Project) -> None:
    edited = importlib.import_module("edited")
    edited.count()
    refuse_changed_in_memory(["edited", "never_imported"])
    module.write("edited", "# A comment.\n\n" + _MODULE.format(body="x in {'a', 'b'}"))
    refuse_changed_in_memory(["edited"])


def test_an_edited_function_is_refused_until_it_is_reloaded(module: Project) -> None:
    module.write("edited", _MODULE.format(body="x + 1"))
    # What a decorator hides is not seen; what it holds in the open is.
    module.write("edited", _MODULE.format(body="x").replace("CALLS += 1", "CALLS += 2"))
    with pytest.raises(InputError, match=r"^edited: count is not what .*importlib.reload") as said:
        refuse_changed_in_memory(["edited"])
    assert "\n" not in str(said.value)
    importlib.reload(importlib.import_module("edited"))
    refuse_changed_in_memory(["edited"])


def test_an_edited_constant_is_refused(module: Project) -> None:
    written = _MODULE.format(body="x in {'a', 'b'}")
    module.write("edited", written.replace("WIDTH = 8", "WIDTH = 16"))
    with pytest.raises(InputError, match="edited: WIDTH is not what"):
        refuse_changed_in_memory(["edited"])
    module.write("edited", written)
    refuse_changed_in_memory(["edited"])
    importlib.import_module("edited").WIDTH = 32
    with pytest.raises(InputError, match="edited: WIDTH is not what"):
        refuse_changed_in_memory(["edited"])
