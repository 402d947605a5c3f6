"""Where a study keeps its files."""

from dataclasses import dataclass
from pathlib import Path

from sgq_auto.searching.settings import SearchSettings


@dataclass(frozen=True)
class StudyFolder:
    """Where a study keeps its files.

    Attributes:
        path: The folder.
        name: The study's name.
    """

    path: Path
    name: str

    @classmethod
    def of(cls, settings: SearchSettings, name: str) -> "StudyFolder":
        """The folder of the study ``name`` under the output folder of ``settings``."""
        return cls(settings.output_root.resolve() / "studies" / name, name)

    @property
    def graph(self) -> Path:
        """The prepared graph, without test labels."""
        return self.path / "graph.safetensors"

    @property
    def held_out(self) -> Path:
        """The test labels; only the confirm stage opens it."""
        return self.path / "held_out.safetensors"

    @property
    def config(self) -> Path:
        """The configuration of the search."""
        return self.path / "config.json"

    @property
    def sensitivities(self) -> Path:
        """What each group loses at each bit-width."""
        return self.path / "sensitivities.json"

    @property
    def summary(self) -> Path:
        """What its last search found."""
        return self.path / "summary.json"

    @property
    def confirmed(self) -> Path:
        """Rows of the confirm stage, one JSON object a line."""
        return self.path / "confirm.jsonl"
