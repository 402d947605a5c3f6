"""The files that a study has before its first trial: graph, labels, names of nodes, weights."""

import errno

from sgq_auto.errors import InputError
from sgq_auto.files.atomic_file import whole_file
from sgq_auto.graphs import Graph, PreparedData
from sgq_auto.graphs.store import load_graph, load_labels, save_graph, save_labels
from sgq_auto.node_files.node_ids import save_node_ids
from sgq_auto.searching.own_model.trained_model import save_weights
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.study.study_folder import StudyFolder, settings_in


def make_folder(settings: SearchSettings, data: PreparedData) -> StudyFolder:
    """The folder of a study, with what its workers read; it is made where there is none.

    Raises:
        InputError: If it cannot be written.
    """
    folder = StudyFolder.of(settings.output_root, settings.study_name(data))
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        if not _has_graph(folder, data):
            save_graph(data.graph, folder.graph)
            save_labels(data.held_out, folder.held_out)
            if data.unseen is not None:
                save_graph(data.unseen, folder.unseen)
        _keep_ids(folder, data)
        _keep_checkpoint(folder, settings, data.graph)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise  # The command says that, and how to go on.
        raise InputError(
            f"output_root={settings.output_root}: {folder.path} cannot be written "
            f"({error.strerror or error}); give a folder that can"
        ) from error
    return folder


def _keep_ids(folder: StudyFolder, data: PreparedData) -> None:
    """Keep what the nodes are called now; like names of classes, that is no part of the study."""
    if data.node_ids is None:
        folder.node_ids.unlink(missing_ok=True)
        return
    with whole_file(folder.node_ids) as scratch:
        save_node_ids(data.node_ids, scratch, folder.name)


def _keep_checkpoint(folder: StudyFolder, settings: SearchSettings, graph: Graph) -> None:
    """Keep the weights that the user has trained: their file may go or change.

    Nothing else can lie there, if it is whole: the study's name depends on them.
    """
    if settings.model.checkpoint is None:
        return
    try:
        if folder.checkpoint.exists():
            settings_in(folder, settings).model.trained(graph)
            return
    except InputError:
        pass  # Damaged: it is written again.
    save_weights(settings.model.trained(graph), folder.checkpoint)


def _has_graph(folder: StudyFolder, data: PreparedData) -> bool:
    """Whether the folder has the study's graph, whole, its classes called as they are now.

    Nothing else of the graph can differ: the study's name depends on it.
    """
    if not (folder.graph.exists() and folder.held_out.exists()):
        return False
    try:
        graph = load_graph(folder.graph)
        if data.unseen is not None:
            # What is only tested is opened by the confirm stage alone, which checks it.
            return folder.unseen.exists() and graph.class_names == data.graph.class_names
        load_labels(folder.held_out, graph)
        return graph.class_names == data.graph.class_names
    except InputError:
        return False  # Damaged: it is made again.
