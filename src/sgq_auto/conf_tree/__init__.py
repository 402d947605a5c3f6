"""The files of configuration as text: which settings there are, what they say, what is misspelt.

Standard library only (but for the types of the schema): help and misspelt settings are answered
before anything large is imported.
"""

from sgq_auto.conf_tree.early_check import check_arguments, chosen_files, no_such_setting
from sgq_auto.conf_tree.files import ConfFile, ConfTree, Setting, conf_dir
from sgq_auto.conf_tree.literals import as_typed, with_literals, with_own_arguments
from sgq_auto.conf_tree.search_help import search_help

__all__ = [
    "ConfFile",
    "ConfTree",
    "Setting",
    "as_typed",
    "check_arguments",
    "chosen_files",
    "conf_dir",
    "no_such_setting",
    "search_help",
    "with_literals",
    "with_own_arguments",
]
