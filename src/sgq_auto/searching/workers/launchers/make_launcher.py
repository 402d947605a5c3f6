"""From the settings of workers to what launches them."""

from pathlib import Path
from tempfile import TemporaryDirectory

from sgq_auto.errors.optional_packages import check_engine
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.study.study_folder import StudyFolder
from sgq_auto.searching.workers.launchers.launcher import Launcher
from sgq_auto.searching.workers.launchers.local_launcher import LocalLauncher
from sgq_auto.settings.worker_settings import EngineKind


def launcher_for(settings: SearchSettings, folder: StudyFolder) -> Launcher:
    """The launcher of a search, before it has started a worker.

    Raises:
        InputError: If the engine is not installed, or cannot be reached.
    """
    check_engine(settings.engine.kind)
    match settings.engine.kind:
        case EngineKind.LOCAL:
            return LocalLauncher(settings, folder)
        case EngineKind.RAY:
            from sgq_auto.searching.workers.launchers.ray_launcher import RayLauncher

            return RayLauncher(settings, folder)
        case EngineKind.SUBMITIT:
            from sgq_auto.searching.workers.launchers.submitit_launcher import SubmititLauncher

            return SubmititLauncher(settings, folder)


def check_launcher(settings: SearchSettings) -> None:
    """Reach what would run the workers; call it before anything is trained.

    Raises:
        InputError: If the engine is not installed, or cannot be reached.
    """
    check_engine(settings.engine.kind)
    if settings.engine.kind is EngineKind.RAY:
        from sgq_auto.searching.workers.launchers.ray_launcher import connect

        connect(settings.engine.address)
    elif settings.engine.kind is EngineKind.SUBMITIT:
        from sgq_auto.searching.workers.launchers.submitit_launcher import SubmititLauncher

        with TemporaryDirectory() as scratch:
            SubmititLauncher(settings, StudyFolder(Path(scratch), "check"))
