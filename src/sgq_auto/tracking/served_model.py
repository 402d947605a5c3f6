"""The script by which MLflow loads a packed model ("models from code"); nothing is pickled.

MLflow copies it into the model's folder and runs it there, so it imports nothing of sgq_auto
before it knows where that is.
"""

import sys
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class ServedModel(PythonModel):
    """Predicts nodes of the graph that the packed model holds; or the graphs of a request."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the artifact ``model``, by the installed sgq_auto or by the copy ``runtime``."""
        try:
            from sgq_auto.packed import load
        except ImportError:
            # Last, for a part of sgq_auto must not hide a whole one.
            sys.path.append(context.artifacts["runtime"])
            from sgq_auto.packed import load
        self._model = load(context.artifacts["model"])
        # Kernels are compiled now: no request waits for it.
        if self._model.holds_features:
            self._model.predict([0])
        elif self._model.holds_graph:
            self._logits({"x": np.zeros((self._model.num_nodes, self._width))})
        else:
            self._logits({"x": np.zeros((1, self._width)), "edge_index": [[], []]})

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> pd.DataFrame:
        """Classes, labels or numbers of nodes, or of graphs.

        Args:
            context: Not needed any more.
            model_input: A column ``node``; for a model without a graph of its own a row for each
                graph: ``x``, a list of one list of features a node; ``edge_index``, two lists, the
                sources and the targets of the edges, left out where the model holds them; and
                ``edge_weight``, a number an edge, if the model reads weights, or ``edge_attr``, a
                list an edge, if it reads features of edges.
            params: There are none.

        Returns:
            A row for each: ``node``; ``class`` (its name), ``class_index``, and ``logits``, a list
            of one number a class. Of several labels ``labels``, a list of the names of those that
            are likely, and ``probabilities``, a list of one a label; of numbers ``values``, a list.
            Where graphs are given, ``graph`` is the row that each one had, and nodes are numbered
            inside it; a model that predicts whole graphs has a row for each of them, without
            ``node``.

        Raises:
            MlflowException: If a node is unknown, or a graph malformed; a server answers with
                status 400.
        """
        if not self._model.holds_features:
            return self._graphs(model_input)
        nodes = model_input["node"].to_numpy()
        try:
            logits = self._model.predict(nodes)
        except ValueError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error
        return pd.DataFrame({"node": nodes, **self._answers(logits)})

    def _graphs(self, given: pd.DataFrame) -> pd.DataFrame:
        tables = []
        for number, row in enumerate(given.to_dict(orient="records")):
            try:
                logits = self._logits(row)
            except ValueError as error:
                raise MlflowException.invalid_parameter_value(f"row {number}: {error}") from error
            named: dict[str, Any] = {"graph": number}
            if not self._model.task.predicts_graphs:
                named["node"] = range(len(logits))
            tables.append(pd.DataFrame({**self._answers(logits), **named}))
        whole = pd.concat(tables) if tables else pd.DataFrame(columns=["graph", "node"])
        first = [name for name in ("graph", "node") if name in whole]
        rest = [name for name in whole if name not in first]
        return whole[[*first, *rest]].reset_index(drop=True)

    def _logits(self, row: dict[Any, Any]) -> Any:
        """What the model returns for one graph.

        Raises:
            ValueError: If it is none, or not one that the model can predict.
        """
        arrays: dict[str, Any] = {
            "x": np.array([list(node) for node in row["x"]], np.float32),
        }
        if row.get("edge_index") is None:
            return self._model.predict(**arrays)
        arrays["edge_index"] = np.array([list(ends) for ends in row["edge_index"]], np.int64)
        if row.get("edge_weight") is not None:
            arrays["edge_weight"] = np.array(list(row["edge_weight"]), np.float32)
        elif row.get("edge_attr") is not None:
            arrays["edge_attr"] = np.array([list(edge) for edge in row["edge_attr"]], np.float32)
        columns = self._model.graph.spec.edge_columns
        if self._model.graph.weights is not None and arrays["edge_index"].size == 0:
            arrays.pop("edge_attr", None)
            name = "edge_weight" if columns == 1 else "edge_attr"
            arrays[name] = np.empty(0 if columns == 1 else (0, columns), np.float32)
        return self._model.predict(**arrays)

    def _answers(self, logits: Any) -> dict[str, Any]:
        if not self._model.task.is_classification:
            return self._columns(logits)
        classes = logits.argmax(axis=1)
        return {
            "class": [self._model.classes[k] for k in classes],
            "class_index": classes,
            "logits": logits.tolist(),
        }

    @property
    def _width(self) -> int:
        return int(self._model.features.spec.num_features)

    def _columns(self, outputs: Any) -> dict[str, Any]:
        """Labels and their probabilities, or numbers."""
        if self._model.task.is_regression:
            return {"values": outputs.tolist()}
        shares = 0.5 * (1 + np.tanh(outputs.astype(float) / 2))
        names = np.array(self._model.classes)
        likely = [names[row > 0.5].tolist() for row in shares]
        return {"labels": likely, "probabilities": shares.tolist()}


set_model(ServedModel())
