"""``python -m sgq_auto.export``: a study as one file, a trial packed, a model in C or as a page."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sgq_auto.commands.arguments import as_path, parse_arguments, run_command
from sgq_auto.errors import InputError

if TYPE_CHECKING:
    from sgq_auto.searching import SearchSettings
    from sgq_auto.searching.study.study_folder import StudyFolder

_USAGE = (
    "python -m sgq_auto.export study=NAME|artifact=PATH [trial=17] [format=c|html] [out=PATH] "
    "[output_root=outputs] [own_code=false]"
)
_EXPLAINED = """
Packs a trial of a study as one file that `python -m sgq_auto.infer` predicts with; without a trial,
puts the whole study into one file that `python -m sgq_auto.restore` takes in elsewhere. With
format=c, writes a model as C for a small device, and with format=html as a page that predicts in a
browser: the recommended model, a trial, or a packed file.

  study=NAME            the study: its name, as a search prints it, or its folder
  artifact=PATH         for a format: a packed model, or the folder of a run (outputs/runs/...)
  trial=17              the number of the trial to pack; none: the whole study, or with a format the
                        recommended model
  format=c              write a folder of C99 files: tables, runtime, example, Makefile, MEMORY.md
  format=html           write one page with the model in it; it needs clang and wasm-ld here
  out=PATH              the file or folder to write; none: beside the study for a trial, else
                        NAME.zip here, NAME-c for format=c, or NAME.html
  output_root=outputs   where studies are: the search's output_root
  own_code=false        true: the study may call code that its files name although no search of
                        yours made it here; for files that you trust

Example: python -m sgq_auto.export study=NAME trial=17 out=small.safetensors
Example: python -m sgq_auto.export study=NAME format=c out=device
"""
_KNOWN = ("study", "artifact", "trial", "format", "out", "output_root", "own_code")


def main() -> None:
    """Run the command; bad input ends it with one line and status 2."""
    run_command(_run)


def _run(arguments: list[str]) -> None:
    given = parse_arguments(arguments, _KNOWN, (), _USAGE, _EXPLAINED)
    _check(given)
    if "format" in given:
        _FORMATS[given["format"]](given)
        return
    # Not before the arguments are right: it takes seconds.
    from sgq_auto.commands.named_study import named_study
    from sgq_auto.searching.confirming.pack_trial import pack_trial

    settings, folder = named_study(given)
    out = as_path(given["out"]) if "out" in given else None
    if "trial" in given:
        what, path = "Artifact", pack_trial(settings, folder, int(given["trial"]), out)
    else:
        what, path = "Study", _export_study(settings, folder, out)
    print(f"{what}: {path} ({path.stat().st_size / 1024:,.1f} KiB)")


def _check(given: Mapping[str, str]) -> None:
    if "trial" in given and not given["trial"].isdecimal():
        raise InputError(f"trial={given['trial']}: it must be the number of a trial")
    if given.get("format", "c") not in _FORMATS:
        raise InputError(f"format={given['format']}: it must be c or html; none: a packed file")
    if "artifact" in given and "format" not in given:
        raise InputError("artifact: it goes with a format; a packed file need not be exported")
    if "artifact" in given and ("study" in given or "trial" in given):
        raise InputError("artifact: it is a model by itself; give no study or trial with it")
    if "artifact" not in given and "study" not in given:
        raise InputError(f"study is missing; usage: {_USAGE}")


def _export_c(given: Mapping[str, str]) -> None:
    """Write a model as C, and say what it takes and what to do next."""
    from sgq_auto.packed import load, write_c

    artifact, name = _packed_file(given)
    folder = as_path(given.get("out", f"{name}-c"))
    footprint = write_c(load(artifact), folder)
    print(
        f"C model: {folder} (flash {footprint.flash_bytes / 1024:,.1f} KiB of tables, "
        f"RAM {footprint.ram_bytes / 1024:,.1f} KiB)"
    )
    print(f"By part: {folder / 'MEMORY.md'}")
    print(
        f"Next, where a C compiler is: make -C {folder} && {folder / 'example'}; for a device, add "
        "sgq_model.c and sgq_runtime.c to your own program"
    )


def _export_page(given: Mapping[str, str]) -> None:
    """Write a model as a page, and say what is in it."""
    from sgq_auto.files.atomic_file import whole_file
    from sgq_auto.packed import load
    from sgq_auto.reporting.try_it_page import try_it_page

    artifact, name = _packed_file(given)
    path = as_path(given.get("out", f"{name}.html"))
    text = try_it_page(load(artifact))
    with whole_file(path) as scratch:
        scratch.write_text(text, encoding="utf-8")
    print(f"Page: {path} ({len(text) / 1024:,.1f} KiB); a browser that opens it predicts")


_FORMATS = {"c": _export_c, "html": _export_page}


def _packed_file(given: Mapping[str, str]) -> tuple[Path, str]:
    """The file of the model that is to be written, and a name for what is made of it."""
    from sgq_auto.commands.infer import artifact_of

    if "artifact" in given:
        named = as_path(given["artifact"])
        return artifact_of(named), named.stem
    from sgq_auto.commands.named_study import named_study
    from sgq_auto.searching.confirming.pack_trial import pack_trial

    settings, folder = named_study(given)
    if "trial" in given:
        return pack_trial(settings, folder, int(given["trial"])), folder.name
    return artifact_of(folder.path), folder.name


def _export_study(settings: "SearchSettings", folder: "StudyFolder", out: Path | None) -> Path:
    from sgq_auto.searching.studies.study_archive import write_bundle

    path = out or Path(f"{folder.name}.zip")
    write_bundle(settings, folder, path)
    return path
