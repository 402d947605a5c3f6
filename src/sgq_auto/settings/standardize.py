"""Whether columns of node features are scaled before a model sees them."""

from enum import StrEnum


class Standardize(StrEnum):
    """Whether columns of node features become mean 0 and deviation 1."""

    OFF = "false"
    ON = "true"
    # Where the columns' sizes differ, and the model is not trained yet.
    AUTO = "auto"

    @classmethod
    def _missing_(cls, value: object) -> "Standardize | None":
        # YAML reads true and false as such, and OmegaConf writes them with capitals.
        known = {"true": cls.ON, "on": cls.ON, "false": cls.OFF, "off": cls.OFF, "none": cls.OFF}
        return known.get(str(value).lower())
