"""Which edits make a model another one: of any own module that it loads, not of words about it."""

import sys

import pytest
from projects import Project

from sgq_auto.searching import ModelSettings
from sgq_auto.searching.own_model.module_sources import essence

_NET = "from torch import nn\n\n\nclass Net(nn.Linear):\n    def __init__(self):\n"
_NET += "        super().__init__(80, 4)\n\n    def forward(self, x):\n        {}\n"
_HELPER = "def act(h):\n    return h\n"
_EDITED = "def act(h):\n    return h * 0\n"

# A model's module and the place of a helper that it needs.
_NEEDED = {
    "beside it": ("net", "from blocks import act\n", "blocks"),
    "in its package": ("pkg.net", "from .blocks import act\n", "pkg.blocks"),
    "in a package's root": ("pkg.net", "from . import act\n", "pkg.__init__"),
    "one package up": ("pkg.sub.net", "from ..blocks import act\n", "pkg.blocks"),
    "as a module": ("net", "import lib.blocks\n", "lib.blocks"),
    "of a package": ("net", "from lib import blocks\n", "lib.blocks"),
    "by its name": ("net", "import importlib\nb = importlib.import_module('blocks')\n", "blocks"),
    "by a made-up name": ("net", "b = __import__('blo' + 'cks')\n", "blocks"),
    "through another": ("net", "import between\n", "blocks"),
}


@pytest.mark.parametrize("where", _NEEDED)
def test_an_edit_of_what_a_model_imports_makes_another_model(where: str, project: Project) -> None:
    module, line, helper = _NEEDED[where]
    project.write("between", "from blocks import act\n")
    project.write(helper, _HELPER)
    project.write(module, line + _NET.format("return x"))
    target = f"{module}.Net"
    before = project.settings(target).key
    assert project.settings(target).key == before
    project.write(helper, _EDITED)
    assert project.settings(target).key != before


def test_an_import_inside_the_forward_pass_counts(project: Project) -> None:
    project.write("net", _NET.format("from late import act; return act(x)"))
    project.write("late", _HELPER)
    before = project.settings().key
    project.write("late", _EDITED)
    assert project.settings().key != before
    assert "late" not in sys.modules


def test_what_the_arguments_name_counts(project: Project) -> None:
    project.write("net", _NET.format("return x"))
    project.write("blocks", "class Encoder:\n    pass\n")
    arguments = {"encoder": {"_target_": "blocks.Encoder"}}
    before = project.settings(**arguments).key
    project.write("blocks", "class Encoder:\n    depth = 2\n")
    assert project.settings(**arguments).key != before


def test_other_modules_of_the_same_folder_do_not_count(project: Project) -> None:
    project.write("net", _NET.format("return x"))
    project.write("other", _HELPER)
    before = project.settings().key
    project.write("other", _EDITED)
    assert project.settings().key == before


def test_comments_and_what_only_a_script_runs_do_not_count(project: Project) -> None:
    project.write("net", _NET.format("return '''a\n\n#b'''"))
    before = project.settings().key
    said = "# Mine.\n\n" + _NET.format("return '''a\n\n#b'''  # the answer")
    project.write("net", f"{said}\n\nif __name__ == '__main__':\n    print(Net())\n")
    assert project.settings().key == before
    project.write("net", _NET.format("return '''a\n#b'''"))
    assert project.settings().key != before


def test_constants_count(project: Project) -> None:
    project.write("net", "from sizes import P\n" + _NET.format("return P * x"))
    project.write("sizes", "P = 0.5\n")
    before = project.settings().key
    project.write("sizes", "P = 0.6\n")
    assert project.settings().key != before


def test_installed_packages_count_by_the_models_file_alone(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They change with their versions; what is installed in editable mode is the user's own."""
    for folder, helper_counts in (("site-packages", False), ("src", True)):
        name = f"bought_in_{folder[:3]}"
        root = project.folder / folder
        monkeypatch.setattr(sys, "path", [*sys.path, str(root)])
        place, net = f"{folder}.{name}", "from .blocks import act\n" + _NET
        project.write(f"{place}.__init__", "")
        project.write(f"{place}.blocks", _HELPER)
        project.write(f"{place}.net", net.format("return x"))
        target = f"{name}.net.Net"
        before = project.settings(target).key
        project.write(f"{place}.blocks", _EDITED)
        assert (project.settings(target).key != before) is helper_counts
        project.write(f"{place}.net", net.format("return x * 2"))
        assert project.settings(target).key != before


def test_models_of_this_project_and_of_pyg_have_the_keys_they_had() -> None:
    config = {"_target_": "sgq_auto.models.GCN", "hidden": 16}
    assert ModelSettings("gcn", config).key == '{"_target_": "sgq_auto.models.GCN", "hidden": 16}'
    config = {"_target_": "torch_geometric.nn.models.GCN", "hidden_channels": 16}
    assert ModelSettings("custom-GCN", config).sources == {}


def test_a_file_that_is_no_text_counts_as_it_is() -> None:
    for source in (b"def broken(:\n", b"\xff\xfe\x00"):
        assert essence(source) == source
    assert essence("# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1")) == "x = 'é'".encode()
