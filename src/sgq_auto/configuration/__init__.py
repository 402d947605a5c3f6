"""Configuration: the files under ``conf/``, what is misspelt, and the checked settings.

What is imported here needs the standard library only (but for the types of the schema): help and
misspelt settings are answered before anything large is imported. ``build`` imports the rest.
"""

from sgq_auto.configuration.configuration_files import ConfFile, ConfTree, Setting, conf_dir
from sgq_auto.configuration.literal_values import as_typed, with_literals, with_own_arguments
from sgq_auto.configuration.misspelt_settings import check_arguments, chosen_files, no_such_setting
from sgq_auto.configuration.search_help import search_help

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
