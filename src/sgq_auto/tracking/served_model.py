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
    """Predicts nodes of the graph that the packed model holds."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the artifact ``model``, by the installed sgq_auto or by the copy ``runtime``."""
        try:
            from sgq_auto.packed import load
        except ImportError:
            # Last, for a part of sgq_auto must not hide a whole one.
            sys.path.append(context.artifacts["runtime"])
            from sgq_auto.packed import load
        self._model = load(context.artifacts["model"])
        self._model.predict([0])  # Kernels are compiled now: no request waits for it.

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> pd.DataFrame:
        """Classes, labels or numbers of nodes.

        Args:
            context: Not needed any more.
            model_input: A column ``node``.
            params: There are none.

        Returns:
            A row for each: ``node``; ``class`` (its name), ``class_index``, and ``logits``, a list
            of one number a class. Of several labels ``labels``, a list of the names of those that
            are likely, and ``probabilities``, a list of one a label; of numbers ``values``, a list.

        Raises:
            MlflowException: If a node is unknown; a server answers with status 400.
        """
        nodes = model_input["node"].to_numpy()
        try:
            logits = self._model.predict(nodes)
        except ValueError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error
        if not self._model.task.is_classification:
            return pd.DataFrame({"node": nodes, **self._columns(logits)})
        classes = logits.argmax(axis=1)
        return pd.DataFrame(
            {
                "node": nodes,
                "class": [self._model.classes[k] for k in classes],
                "class_index": classes,
                "logits": logits.tolist(),
            }
        )

    def _columns(self, outputs: Any) -> dict[str, Any]:
        """Labels and their probabilities, or numbers."""
        if self._model.task.is_regression:
            return {"values": outputs.tolist()}
        shares = 0.5 * (1 + np.tanh(outputs.astype(float) / 2))
        names = np.array(self._model.classes)
        likely = [names[row > 0.5].tolist() for row in shares]
        return {"labels": likely, "probabilities": shares.tolist()}


set_model(ServedModel())
