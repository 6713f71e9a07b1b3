"""The history of a run for TensorBoard, next to ``history.csv``; an extra of its own."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from tonearm.errors import DatasetError, pip_install
from tonearm.training.run import Row

FOLDER = "tensorboard"


def check() -> None:
    """Say what is not installed, before anything is trained."""
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError as error:
        raise DatasetError(
            f"tensorboard=true needs {error.name or 'tensorboard'}: "
            f"{pip_install('tensorboard')}. Without it, history.csv has the same numbers"
        ) from None


def log(out: Path, row: Row) -> None:
    """Append an epoch to the folder ``tensorboard`` of a run.

    Parameters
    ----------
    out : Path
        The run's folder.
    row : Row
        Its figures.
    """
    from torch.utils.tensorboard import SummaryWriter

    # Opened for each epoch: what a killed run has logged is whole, and resuming needs no care.
    with SummaryWriter(str(out / FOLDER)) as writer:
        for name, value in asdict(row).items():
            if name != "epoch":
                writer.add_scalar(name, value, row.epoch)
