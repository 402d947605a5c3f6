"""The files under ``conf/``, read as text: settings with their values and comments.

They are this project's own and plain: a setting a line, nested by indentation, no anchors.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

_ROOT = "config.yaml"
_GLOBAL = "# @package _global_"
_SETTING = re.compile(r"(?P<indent> *)(?P<key>\w+):(?: +(?P<value>[^#]*?))?(?:\s+# ?(?P<note>.*))?")
_LISTED = re.compile(r" *- (?:(?P<group>\w+): )?(?P<name>\w+)(?:\s+# (?P<note>.*))?")
# Where a sentence ends; "et al." ends none.
_SENTENCE = re.compile(r"(?<!\bal)\.(?= [A-Z]|$)")


def conf_dir() -> Path:
    """The folder of configuration files: inside an installed package, or beside ``src``."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "conf"
    return installed if installed.is_dir() else package.parents[1] / "conf"


@dataclass(frozen=True)
class Setting:
    """A line of a file.

    Attributes:
        name: The whole name, like ``finetune.epochs``.
        value: The value as it is written; ``""`` for one that has settings of its own.
        note: The comment beside it.
    """

    name: str
    value: str
    note: str


@dataclass(frozen=True)
class ConfFile:
    """A file of configuration.

    Attributes:
        about: The comment at its head, as one line.
        settings: Its settings, in order.
        defaults: The files that it begins with, with their notes: ``(group, name, note)``; the
            group is ``""`` for a file beside it.
    """

    about: str
    settings: tuple[Setting, ...]
    defaults: tuple[tuple[str, str, str], ...]

    @classmethod
    def read(cls, path: Path, group: str = "") -> "ConfFile":
        """Read a file of a group, or the root file."""
        lines = path.read_text(encoding="utf-8").splitlines()
        package = "" if _GLOBAL in lines or not group else f"{group}."
        found = [s for s in _settings(lines, package) if not s.name.startswith("hydra")]
        return cls(_about(lines), tuple(found), tuple(_defaults(lines)))

    @property
    def summary(self) -> str:
        """The first sentence of what it says about itself."""
        return _SENTENCE.split(self.about, maxsplit=1)[0]


@dataclass(frozen=True)
class ConfTree:
    """All files of configuration.

    Attributes:
        folder: Where they are.
    """

    folder: Path

    @cached_property
    def root(self) -> ConfFile:
        """The root file, which names the groups and their default choices."""
        return ConfFile.read(self.folder / _ROOT)

    @cached_property
    def choices(self) -> Mapping[str, Sequence[str]]:
        """The choices of every group, in the order of the root file."""
        groups = [group for group, _, _ in self.root.defaults if group]
        return {g: sorted(path.stem for path in (self.folder / g).glob("*.yaml")) for g in groups}

    def chosen(self, given: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
        """The choices of every group, where ``given`` ones stand for the defaults."""
        default = {group: [name] for group, name, _ in self.root.defaults if group}
        return {group: given.get(group) or names for group, names in default.items()}

    def file(self, group: str, name: str) -> ConfFile:
        """One choice of a group, with the settings of the file that it begins with."""
        own = ConfFile.read(self.folder / group / f"{name}.yaml", group)
        first = [self.file(group, base).settings for _, base, _ in own.defaults]
        settings = {s.name: s for each in [*first, own.settings] for s in each}
        return ConfFile(own.about, tuple(settings.values()), own.defaults)

    def settings(self, chosen: Mapping[str, Iterable[str]]) -> dict[str, Setting]:
        """Every setting there is by its whole name, under these choices; nodes among them.

        Values are those that hold: a group's file's, and the root file's where it says nothing.
        So are the comments.
        """
        found: dict[str, Setting] = {}
        for group, names in chosen.items():
            for name in names:
                for setting in self.file(group, name).settings:
                    if setting.name.startswith(f"{group}."):
                        found.setdefault(group, Setting(group, "", ""))
                    found[setting.name] = setting
        # The root file says `_self_` first: what a group's file sets holds.
        for setting in self.root.settings:
            own = found.get(setting.name, setting)
            found[setting.name] = replace(own, note=own.note or setting.note)
        return found


def _settings(lines: Sequence[str], package: str) -> Iterator[Setting]:
    parents: list[tuple[int, str]] = []
    for place, line in enumerate(lines):
        match = _SETTING.fullmatch(line.rstrip())
        if match is None:
            continue
        indent = len(match["indent"])
        parents = [(i, key) for i, key in parents if i < indent]
        names = [key for _, key in parents] + [match["key"]]
        parents.append((indent, match["key"]))
        if names[0] != "defaults":
            note = " ".join([match["note"] or "", *_continued(lines[place + 1 :])]).strip()
            yield Setting(package + ".".join(names), (match["value"] or "").strip(), note)


def _continued(lines: Sequence[str]) -> Iterator[str]:
    """The lines that only go on with the comment beside the line before them."""
    for line in lines:
        if not re.match(r" {8,}#", line):
            return
        yield line.strip().removeprefix("#").strip()


def _defaults(lines: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    if "defaults:" not in lines:
        return
    for line in lines[lines.index("defaults:") + 1 :]:
        match = _LISTED.fullmatch(line.rstrip())
        if match is None:
            return
        if match["name"] != "_self_":
            yield match["group"] or "", match["name"], match["note"] or ""


def _about(lines: Sequence[str]) -> str:
    head = []
    for line in lines:
        if not line.startswith("#"):
            break
        if line != _GLOBAL:
            head.append(line.removeprefix("#").strip())
    return " ".join(head)
