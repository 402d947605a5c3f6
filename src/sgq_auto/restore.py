"""``python -m sgq_auto.restore``: take in a study that was exported elsewhere."""

from pathlib import Path

from sgq_auto.arguments import parse_arguments, run_command
from sgq_auto.errors import InputError
from sgq_auto.searching.bundle import read_bundle
from sgq_auto.tracking import quiet_libraries
from sgq_auto.tracking.settings import default_store, local_artifacts

_USAGE = "python -m sgq_auto.restore file=NAME.zip [output_root=outputs] [own_code=false]"
_KNOWN = ("file", "output_root", "own_code")


def main() -> None:
    """Run the command; bad input ends it with one line and status 2."""
    run_command(_run)


def _run(arguments: list[str]) -> None:
    given = parse_arguments(arguments, _KNOWN, ("file",), _USAGE)
    quiet_libraries()
    store = {"uri": default_store(), "artifacts": str(local_artifacts())}
    output_root = Path(given.get("output_root", "outputs"))
    own_code = given.get("own_code", "false")
    if own_code not in ("true", "false"):
        raise InputError(f"own_code={own_code}: it must be true or false")
    folder = read_bundle(Path(given["file"]), output_root, store, own_code=own_code == "true")
    print(f"{folder.path}\nIts front: python -m sgq_auto.status study={folder.name}")
    print(f"Track it: python -m sgq_auto.sync study={folder.name}")


if __name__ == "__main__":
    main()
