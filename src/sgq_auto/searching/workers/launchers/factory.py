"""From an engine's settings to its crew."""

from pathlib import Path
from tempfile import TemporaryDirectory

from sgq_auto.optional_packages import check_engine
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.study.folder import StudyFolder
from sgq_auto.searching.workers.launchers.launcher import Crew
from sgq_auto.searching.workers.launchers.local import LocalCrew
from sgq_auto.settings.worker_settings import EngineKind


def crew_of(settings: SearchSettings, folder: StudyFolder) -> Crew:
    """The crew of a search, nobody in it yet.

    Raises:
        InputError: If the engine is not installed, or cannot be reached.
    """
    check_engine(settings.engine.kind)
    match settings.engine.kind:
        case EngineKind.LOCAL:
            return LocalCrew(settings, folder)
        case EngineKind.RAY:
            from sgq_auto.searching.workers.launchers.ray_launcher import RayCrew

            return RayCrew(settings, folder)
        case EngineKind.SUBMITIT:
            from sgq_auto.searching.workers.launchers.submitit_launcher import SubmititCrew

            return SubmititCrew(settings, folder)


def check_crew(settings: SearchSettings) -> None:
    """Reach what would run the workers; call it before anything is trained.

    Raises:
        InputError: If the engine is not installed, or cannot be reached.
    """
    check_engine(settings.engine.kind)
    if settings.engine.kind is EngineKind.RAY:
        from sgq_auto.searching.workers.launchers.ray_launcher import connect

        connect(settings.engine.address)
    elif settings.engine.kind is EngineKind.SUBMITIT:
        from sgq_auto.searching.workers.launchers.submitit_launcher import SubmititCrew

        with TemporaryDirectory() as scratch:
            SubmititCrew(settings, StudyFolder(Path(scratch), "check"))
