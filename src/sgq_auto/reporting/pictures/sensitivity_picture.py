"""The picture of sensitivities: what each group of sites loses."""

from pathlib import Path

import matplotlib.colors
import matplotlib.figure
import numpy as np

from sgq_auto.searching.measuring.sensitivity import Sensitivities


def save_sensitivities_png(sensitivities: Sensitivities, path: Path) -> None:
    """Draw what each group of sites loses where it alone has few bits."""
    loss = sensitivities.monotone
    groups, ladder = sensitivities.groups, sensitivities.ladder
    figure = matplotlib.figure.Figure(
        figsize=(1.8 + 0.7 * len(ladder), 1.3 + 0.26 * len(groups)), dpi=140, layout="constrained"
    )
    axes = figure.add_subplot()
    # Below a thousandth nothing is lost; colours are on a log scale above it.
    norm = matplotlib.colors.LogNorm(1e-3, max(1e-2, float(loss.max())))
    image = axes.imshow(np.clip(loss, 1e-3, None), norm=norm, cmap="YlOrRd", aspect="auto")
    axes.set_xticks(range(len(ladder)), [str(bits) for bits in ladder])
    axes.set_yticks(range(len(groups)), groups, fontsize=8)
    for (row, column), value in np.ndenumerate(loss):
        axes.text(column, row, f"{value:.2g}", ha="center", va="center", fontsize=6)
    axes.set_xlabel("bits")
    axes.set_title("increase of the validation loss, without fine-tuning", fontsize=9)
    figure.colorbar(image)
    figure.savefig(path)
