"""What the charts of a report and of a training run show; `charts` draws them."""

from __future__ import annotations

from collections.abc import Sequence

from tonearm import metrics
from tonearm.training import charts
from tonearm.training.charts import Series, percent
from tonearm.training.evaluate import ModelResult
from tonearm.training.run import History

_LEAST_KEPT = 5  # accuracy of fewer tracks is noise
_MOST_POINTS = 300  # of a line: about as many as the drawing has pixels across
_LOSSES = {"loss": "train", "valid_loss": "valid"}
_ACCURACIES = {
    "accuracy": "train, windows",
    "valid_accuracy": "valid, windows",
    "valid_track_accuracy": "valid, tracks",
}


def reliability(result: ModelResult) -> str:
    """Share of right answers over confidence, a dot for each tenth that holds tracks.

    Parameters
    ----------
    result : ModelResult
        Answers of one model file.
    """
    bins = result.figures["tracks"]["calibration"]
    full = [
        (confidence, right, count)
        for confidence, right, count in zip(
            bins["confidence"], bins["accuracy"], bins["count"], strict=True
        )
        if count
    ]
    most = max(count for _, _, count in full)
    gaps = [
        Series("", [(confidence, confidence), (confidence, right)], colour=1)
        for confidence, right, _ in full
    ]
    dots = Series(
        "",
        [(confidence, right) for confidence, right, _ in full],
        line=False,
        # The area of a dot, not its radius, stands for the number of tracks.
        radii=[3 + 8 * (count / most) ** 0.5 for _, _, count in full],
        notes=[f"{c} tracks: confidence {percent(s)}, right {percent(r)}" for s, r, c in full],
    )
    return charts.chart(
        [Series("", [(0, 0), (1, 1)], colour=5, dashed=True), *gaps, dots],
        title="Reliability: fraction of right answers over confidence",
        x_label="confidence",
        y_label="right",
        x=(0, 1),
        y=(0, 1.05),
        as_percent=(True, True),
    )


def coverage(many: Sequence[ModelResult], names: Sequence[str]) -> str:
    """Accuracy over the fraction of tracks answered, a line a model file.

    Parameters
    ----------
    many : sequence of ModelResult
        Answers of each model file.
    names : sequence of str
        What each is called.
    """
    series = []
    for i, (result, name) in enumerate(zip(many, names, strict=True)):
        n = len(result.truth)
        step = -(-n // _MOST_POINTS)
        fractions = [kept / n for kept in range(n, min(_LEAST_KEPT, n) - 1, -step)]
        rows = metrics.coverage(result.truth, result.probabilities, fractions=fractions)
        points = [(row["coverage"], row["accuracy"]) for row in rows]
        series.append(Series(name, points, colour=i))
        own = result.figures["tracks"]["answered"]
        if own["unknown"] and own["n"]:
            mark = Series(
                "" if name else "where the model itself says unknown",
                [(own["coverage"], own["accuracy"])],
                colour=i,
                line=False,
                radii=[5],
                notes=[f"its own unknown: {percent(own['coverage'])} answered"],
            )
            series.append(mark)
    low = min(value for line in series for _, value in line.points)
    return charts.chart(
        series,
        title="Coverage: accuracy of the most confident tracks",
        x_label="fraction answered",
        y_label="right",
        x=(0, 1),
        # From .5 or lower, so that two reports look alike.
        y=(max(0.0, min(0.5, low - 0.05)), 1.02),
        as_percent=(True, True),
    )


def curves(history: History) -> dict[str, str]:
    """Loss and accuracy over the epochs, each a drawing, of what columns there are.

    Parameters
    ----------
    history : mapping of str to list of float
        ``history.csv``, column by column.
    """
    epochs = history.get("epoch", ())
    drawn: dict[str, str] = {}
    if len(epochs) < 2:
        return drawn
    for label, columns in (("loss", _LOSSES), ("accuracy", _ACCURACIES)):
        lines = [
            Series(name, list(zip(epochs, history[column], strict=True)), colour=i)
            for i, (column, name) in enumerate(columns.items())
            if column in history
        ]
        if not lines:
            continue
        highest = max(value for line in lines for _, value in line.points)
        drawn[label] = charts.chart(
            lines,
            title=f"Training: {label} over the epochs",
            x_label="epoch",
            y_label=label,
            x=(min(epochs), max(epochs)),
            y=(0, 1.02 if label == "accuracy" else 1.05 * max(highest, 1e-3)),
            as_percent=(False, label == "accuracy"),
        )
    return drawn
