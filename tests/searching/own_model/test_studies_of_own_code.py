"""Studies and cached weights of a user's own code: found again, and new after an edit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from projects import Project

from sgq_auto.errors import InputError
from sgq_auto.graphs import PreparedData
from sgq_auto.searching import SearchSettings
from sgq_auto.searching.measuring.reference_models import model_path
from sgq_auto.searching.study.own_code import keep_sources, kept_sources, refuse_edited
from sgq_auto.searching.study.study_folder import StudyFolder, search_notes

_NET = (
    "from torch import nn\nfrom blocks import act\n\n\nclass Net(nn.Module):\n"
    "    def __init__(self, nfeat, nclass):\n        super().__init__()\n"
    "        self.lin = nn.Linear(nfeat, nclass)\n\n"
    "    def forward(self, x):\n        return act(self.lin(x))\n"
)
_SAMPLER = "from optuna.samplers import RandomSampler\n\n\nclass Own(RandomSampler):\n    {}\n"

SettingsBuilder = Callable[..., SearchSettings]


@pytest.fixture
def own(project: Project, settings: SettingsBuilder) -> Callable[..., SearchSettings]:
    """Settings of a new command with the user's model; ``act`` is the body of its helper."""
    project.write("net", _NET)

    def build(act: str = "return h", **changes: Any) -> SearchSettings:
        project.write("blocks", f"def act(h):\n    {act}\n")
        return settings(model=project.settings(), **changes)

    return build


def test_an_edit_makes_a_new_study_and_new_weights(
    own: SettingsBuilder, synthetic: PreparedData
) -> None:
    names, paths, families = [], [], []
    for act in ("return h", "return h  # as it was", "return h * 2"):
        made = own(act)
        names.append(made.study_name(synthetic))
        paths.append(model_path(made, synthetic.graph, seed=3))
        families.append(made.family(synthetic.graph))
    for found in (names, paths, families):
        assert found[0] == found[1] != found[2]


def test_an_edited_sampler_makes_a_new_study(
    project: Project, settings: SettingsBuilder, synthetic: PreparedData
) -> None:
    names = []
    for body in ("pass", "pass  # Mine.", "depth = 2"):
        project.write("own_sampler", _SAMPLER.format(body))
        made = settings(sampler={"_target_": "own_sampler.Own"})
        names.append(made.study_name(synthetic))
    assert names[0] == names[1] != names[2]


def test_a_study_of_an_earlier_version_is_named(
    own: SettingsBuilder, synthetic: PreparedData, tmp_path: Path
) -> None:
    (sizes,) = search_notes(own(), synthetic)
    assert sizes == "custom-Net: nfeat=80 features, nclass=4 classes"
    # As version 0 made it: the hash of the model's file alone.
    earlier = own().earlier_name(synthetic)
    assert earlier is not None
    assert earlier != own().study_name(synthetic)
    StudyFolder.of(tmp_path, earlier).path.mkdir(parents=True)
    _, said = search_notes(own(), synthetic)
    assert said.startswith(f"{earlier} is a study of this search by an earlier version")
    assert own("return h * 2").earlier_name(synthetic) == earlier


def test_a_study_whose_code_was_edited_is_not_trained_from_again(own: SettingsBuilder) -> None:
    study = optuna.create_study(study_name="mine")
    refuse_edited(study, own())  # Of an earlier version: nothing is known.
    keep_sources(study, own().model.sources)
    assert kept_sources(study).keys() == {"net", "blocks"}
    refuse_edited(study, own("return h  # as it was"))
    keep_sources(study, {"other": "0"})
    with pytest.raises(InputError, match=r"^study=mine: .* edited .*\(blocks\); put back") as said:
        refuse_edited(study, own("return h * 2"))
    assert "\n" not in str(said.value)


def test_models_of_this_project_have_the_studies_they_had(
    settings: SettingsBuilder, synthetic: PreparedData
) -> None:
    made = settings()
    assert made.model.key_on(synthetic.graph) == made.model.key
    assert made.model.sources == {}
    assert search_notes(made, synthetic) == ()
