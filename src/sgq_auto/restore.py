"""``python -m sgq_auto.restore``: take in a study that was exported elsewhere."""

from pathlib import Path

from sgq_auto.arguments import parse_arguments, run_command
from sgq_auto.searching.bundle import read_bundle
from sgq_auto.studies import takes_own_code
from sgq_auto.tracking import quiet_libraries
from sgq_auto.tracking.stores import local_artifacts, local_store

_USAGE = "python -m sgq_auto.restore file=NAME.zip [output_root=outputs] [own_code=false]"
_KNOWN = ("file", "output_root", "own_code")


def main() -> None:
    """Run the command; bad input ends it with one line and status 2."""
    run_command(_run)


def _run(arguments: list[str]) -> None:
    given = parse_arguments(arguments, _KNOWN, ("file",), _USAGE)
    quiet_libraries()
    store = {"uri": local_store(), "artifacts": str(local_artifacts())}
    output_root = Path(given.get("output_root", "outputs"))
    own_code = takes_own_code(given)
    folder = read_bundle(Path(given["file"]), output_root, store, own_code=own_code)
    print(f"{folder.path}\nIts front: python -m sgq_auto.status study={folder.name}")
    print(f"Track it: python -m sgq_auto.sync study={folder.name}")


if __name__ == "__main__":
    main()
