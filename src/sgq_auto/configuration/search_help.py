"""The help of the search command, made of the comments in the files of configuration."""

import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from sgq_auto.configuration.configuration_files import ConfTree

_NARROWEST, _WIDEST, _NAMES_WIDTH = 60, 110, 34
# What a group is chosen by says already.
_OF_GROUPS = ("._target_", "engine.kind", "storage.kind", "granularity.name")
_MISSING = "???"
_USAGE = "usage: python -m sgq_auto.search [SETTING=VALUE ...]"
_ABOUT = """
Finds how few bits every layer, component and degree bucket of a graph neural network needs, and
what that costs in accuracy. Without a setting it searches a GCN on Cora, which is installed; it
takes a minute or two. The same command again goes on where it was.
"""
_EXAMPLES = (
    "dataset=citeseer model=gat n_trials=200 workers=2",
    "dataset=table dataset.source.nodes=nodes.csv dataset.source.edges=edges.csv",
    "model=custom model._target_=my_net.MyNet model.hidden=64",
    "max_kib=1700                             what fits, and how well",
    "-m seed=0,1,2 model=gcn,gat              a sweep: a study of each combination",
    "dataset=table --help                     this help with the settings of dataset=table",
)
_OPTIONS = (
    ("-m, --multirun", "a study of every combination of values that commas part"),
    ("-c, --cfg job", "print the settings as they are composed, and end"),
    ("--hydra-help", "what Hydra, which composes the settings, offers beside this"),
    ("-h, --help", "this help"),
    ("-V, --version", "the version of sgq-auto"),
)
_NOTES = """
A path or an address is taken as it is typed, with spaces, = and all. In a multirun (-m) a comma
parts values; a path with a comma is put in quotes there, unless it is that of a file that exists.
+NAME=VALUE adds what a group does not name, like an argument of a sampler. The status is 0 at the
end, 1 when a search fails, 2 for bad input, 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP;
a search that was stopped so leaves a valid summary once its trials run.
SGQ_AUTO_TRACEBACK=1 in the environment shows where an error comes from.
"""


def search_help(tree: ConfTree, chosen: Mapping[str, Sequence[str]]) -> str:
    """The help: usage, groups and their choices, settings with their values, examples.

    Args:
        tree: The files of configuration.
        chosen: The choices that the command line makes; their settings are listed.
    """
    width = min(max(shutil.get_terminal_size((100, 24)).columns, _NARROWEST), _WIDEST)
    lines = [_USAGE, _filled(_ABOUT, width), "Examples, after `python -m sgq_auto.search`:", ""]
    lines += [f"  {example}" for example in _EXAMPLES]
    lines += ["", "Groups, each a choice of settings:", ""]
    for group, default, note in tree.root.defaults:
        lines += _group(tree, group, default, note, chosen[group], width)
    lines += ["", "Settings, with their values where they are not given:", ""]
    lines += _settings(tree, chosen, width)
    lines += ["", "Options:", ""]
    lines += [line for option in _OPTIONS for line in _entry(*option, width)]
    return "\n".join([*lines, _filled(_NOTES, width)]).rstrip()


def _filled(text: str, width: int) -> str:
    return f"\n{textwrap.fill(' '.join(text.split()), width, break_on_hyphens=False)}\n"


def _group(
    tree: ConfTree, group: str, default: str, note: str, chosen: Sequence[str], width: int
) -> Iterator[str]:
    yield f"  {group}={','.join(chosen)}: {note}" if note else f"  {group}={','.join(chosen)}"
    for name in tree.choices[group]:
        summary = tree.file(group, name).summary
        mark = f"{name} (default)" if name == default else name
        room = width - _NAMES_WIDTH
        yield from _entry(f"  {mark}", textwrap.shorten(summary, room, placeholder=" ..."), width)


def _settings(tree: ConfTree, chosen: Mapping[str, Sequence[str]], width: int) -> Iterator[str]:
    """Those of the root file first, then those of the chosen files."""
    found = tree.settings(chosen)
    own = [s.name for s in tree.root.settings if "." not in s.name and s.value]
    rest = sorted((name for name in found if name not in own), key=lambda n: n.split(".")[0])
    for name in [*own, *rest]:
        setting = found[name]
        if name.endswith(_OF_GROUPS) and setting.value != _MISSING:
            continue
        if setting.value:
            yield from _entry(f"{name}={setting.value}", setting.note, width)
        elif setting.note and "." not in name:
            yield f"  {name}: {setting.note}"


def _entry(name: str, text: str, width: int) -> list[str]:
    """A name and what it means, beside it where there is room."""
    wrapped = textwrap.wrap(text, width - _NAMES_WIDTH, break_on_hyphens=False)
    first = f"  {name}"
    if not wrapped:
        return [first]
    if len(first) >= _NAMES_WIDTH:
        return [first, *(f"{'':{_NAMES_WIDTH}}{line}" for line in wrapped)]
    return [f"{first if k == 0 else '':{_NAMES_WIDTH}}{line}" for k, line in enumerate(wrapped)]
