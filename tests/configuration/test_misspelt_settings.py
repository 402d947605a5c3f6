"""What is misspelt on a search's command line."""

import pytest

from sgq_auto.configuration import ConfTree, check_arguments, conf_dir
from sgq_auto.errors import InputError
from sgq_auto.errors.optional_packages import check_driver, check_engine

TREE = ConfTree(conf_dir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["n_trils=3"], "n_trils: there is no such setting; did you mean 'n_trials'?"),
        (["seed=1", "-m", "n_trils=3,4"], "n_trils: "),
        (["++finetune.epoch=3"], "finetune.epoch: there is no such setting; did you mean 'epochs'"),
        (["epochs=3"], "did you mean 'pretrain.epochs' or 'finetune.epochs'?"),
        (["+n_trails=5"], "did you mean 'n_trials'?"),
        (["dataset=npz", "dataset.source.pth=g.npz"], "did you mean 'path'?"),
        (["dataset.source.path=g.npz"], "dataset.source.path: there is no such setting"),
        (["dataset=corra"], "dataset=corra: there is no such choice; did you mean 'cora'?; there"),
        (["-m", "model=gcn,gatt"], "model=gatt: there is no such choice; did you mean 'gat'?"),
        (["objective=bytes"], "objective=bytes: choose one of resident_bytes, stored_bytes"),
        (["finetune.schedule=cosin"], "choose one of constant, cosine; did you mean 'cosine'?"),
        (["n_trials=many"], "n_trials=many: it must be a whole number"),
        (["tolerance=small"], "tolerance=small: it must be a number"),
        (["model.hidden=wide"], "model.hidden=wide: it must be a whole number, like 16"),
        (["dataset.normalize_rows=maybe"], "it must be true or false"),
        (["n_trials"], "n_trials: a setting is written NAME=VALUE"),
        (["seed", "=", "3"], "seed: a setting is written NAME=VALUE, without spaces"),
        (["--multirn"], "--multirn: there is no such option; did you mean '--multirun'?"),
        (["-m", "--cfg", "job"], "--multirun and --cfg: give one of them"),
        (["--experimental-rerun", "job.pickle"], "there is no such option"),
    ],
)
def test_what_is_misspelt_is_named(arguments: list[str], message: str) -> None:
    with pytest.raises(InputError) as said:
        check_arguments(arguments, TREE)
    assert message in str(said.value)
    assert "\n" not in str(said.value)


@pytest.mark.parametrize(
    "arguments",
    [
        ["n_trials=5", "finetune.epochs=3", "max_kib=1.5e3", "max_drop=null", "tolerance=.5"],
        ["dataset=table", "dataset.source.nodes=a,b = c.csv", "dataset.source.features=[a,b]"],
        ["-m", "dataset=cora,npz", "dataset.source.path=a.npz", "seed=range(5)", "model=glob(*)"],
        ["model=custom", "model._target_=net.Net", "model.depth=3", "model.wide=yes"],
        ["+sampler.n_startup_trials=3", "+model.heads=3", "++engine.parameters.slurm_qos=x"],
        ["hydra/launcher=joblib", "hydra.run.dir=out", "hydra.job.chdir=false", "~finetune.keep"],
        ["--cfg", "job", "--package", "finetune"],
        ["--cfg=job", "--resolve"],
        ["--config-dir", "mine", "dataset=mine", "own.setting=3"],
        ["hydra.searchpath=[file://mine]", "dataset=mine"],
        ["storage.grace_seconds=7.5", "storage.heartbeat_seconds=${seed}", "ladder=[2,4]"],
        ["buckets={split_points: [2, 4]}", "dataset.split.train_per_class=null"],
    ],
)
def test_what_may_be_right_passes(arguments: list[str]) -> None:
    check_arguments(arguments, TREE)


def test_packages_of_engines_and_drivers_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    check_engine("local")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    for kind in ("ray", "submitit"):
        with pytest.raises(InputError, match=rf"run: pip install 'sgq-auto\[{kind}\]'"):
            check_arguments([f"engine={kind}"], TREE)
    url = "storage.url=postgresql+no_such_driver://me@host/db"
    with pytest.raises(InputError, match=r"no_such_driver.*sgq-auto\[postgresql\]"):
        check_arguments(["storage=postgresql", url], TREE)
    with pytest.raises(InputError, match="no_such_driver"):
        check_driver("'postgresql+no_such_driver://me@host/db'")
