"""``python -m sgq_auto.ui``: the MLflow UI on the store that searches here write to."""

import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Open the UI; further arguments (like ``--port 5001``) go to ``mlflow ui``."""
    store = Path.cwd() / "mlruns" / "mlflow.db"
    if not store.exists():
        print(
            f"sgq-auto: there is no store {store}; run a search here first, or change to the "
            "folder that searches were started in",
            file=sys.stderr,
        )
        sys.exit(2)
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", f"sqlite:///{store}"]
    try:
        sys.exit(subprocess.call([*command, *sys.argv[1:]]))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
