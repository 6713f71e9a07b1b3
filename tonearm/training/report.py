"""An evaluation as one HTML file that needs nothing else: no scripts, fonts, or other hosts.

Readable on a phone and on paper, in light and dark. Every text that came from data, models or
file names is escaped. The same evaluation gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from tonearm.errors import counted
from tonearm.training import charts, html_page
from tonearm.training.caveats import Caveat
from tonearm.training.charts import percent
from tonearm.training.evaluate import Evaluation, ModelResult
from tonearm.training.report_charts import coverage, curves, reliability
from tonearm.training.run import History

_ANY_RUN = "model"  # what every training run calls its model file


def played(evaluation: Evaluation) -> list[str]:
    """Paths of the tracks that the page has players of: the mistakes that it lists.

    Parameters
    ----------
    evaluation : Evaluation
        What is shown.
    """
    rows = (row for result in evaluation.results for row in result.mistakes())
    # Several models make the same mistakes: one player each is enough.
    return list(dict.fromkeys(row["path"] for row in rows))


def render(
    evaluation: Evaluation,
    *,
    histories: Sequence[History | None],
    sounds: Mapping[str, bytes] | None = None,
) -> str:
    """The whole page.

    Parameters
    ----------
    evaluation : Evaluation
        All figures.
    histories : sequence of mapping or None
        ``history.csv`` of each model file, column by column.
    sounds : mapping of str to bytes or None
        An MP3 of each track in :func:`played` that could be read, for its player.

    Returns
    -------
    str
        HTML. Encode it with ``backslashreplace``: names may hold what UTF-8 cannot.
    """
    names = _names(evaluation)
    title = f"{' and '.join(names)} on {evaluation.evaluation_set.folder.name}"
    pieces = []
    if len(evaluation.results) > 1:
        pieces.append(_comparison(evaluation, names))
    for result, name, history in zip(evaluation.results, names, histories, strict=True):
        # Those of the split stand at the top once, since they hold for all models.
        own = evaluation.caveats_of(result)
        heading = name if len(names) > 1 else "The model"
        pieces += [
            f"<section><h2>{escape(heading)}</h2>{_warnings(own)}",
            _model(result, history, sounds or {}),
            "</section>",
        ]
    pieces += [_failed(evaluation), _words()]
    under = f"{_protocol(evaluation)}{_warnings(evaluation.evaluation_set.caveats())}"
    return html_page.page(title, "how good is it?", under=under, sections=pieces)


def _names(evaluation: Evaluation) -> list[str]:
    """What each model is called: its file or its run's folder, or its path if two are alike."""
    short = [
        path.absolute().parent.name if path.stem == _ANY_RUN else path.stem
        for path in (result.path for result in evaluation.results)
    ]
    # Two runs that are both called `lstm` would look like one.
    if len(set(short)) < len(short):
        return [str(result.path) for result in evaluation.results]
    return short


def _protocol(evaluation: Evaluation) -> str:
    evaluation_set, split = evaluation.evaluation_set, evaluation.evaluation_set.split
    n = len(evaluation.results[0].tracks)
    groups = len({track.group for track in evaluation.results[0].tracks})
    rows = {"data": str(evaluation_set.folder)}
    if split is None:
        rows["split"] = "none: all tracks"
    else:
        rows["split"] = f"{split.name}, subset {evaluation_set.subset}"
        rows["SHA-256 of the split"] = split.sha256
    here = f"{n} tracks of {groups} artists or groups"
    if n < evaluation_set.promised:
        # A figure of half a test set is another figure, so what is missing is said next to it.
        here += f"; the subset names {evaluation_set.promised}"
    rows["measured on"] = here
    return _pairs(rows)


def _pairs(rows: Mapping[str, str]) -> str:
    cells = (f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in rows.items())
    return f"<dl>{''.join(cells)}</dl>"


def _warnings(caveats: Sequence[Caveat]) -> str:
    return "".join(
        f'<p class="{caveat.kind}"><b>{caveat.kind.capitalize()}.</b> {escape(caveat.text)}</p>'
        for caveat in caveats
    )


def _model(result: ModelResult, history: History | None, sounds: Mapping[str, bytes]) -> str:
    training = result.model.training
    learnt = training.get("data") or training.get("split") or "not stated"
    facts = {
        "model": f"{result.model.name}, {counted(len(result.model.labels), 'genre')}",
        "file": str(result.path),
        "SHA-256": result.model.sha256,
        "trained on": str(learnt),
    }
    drawn = [
        _figure(
            _confusion(result),
            "Confusion in tracks: a row for each true genre, a column for each prediction",
        ),
        _figure(
            reliability(result),
            "Reliability: below the line the model is too confident. Larger dots: more tracks",
        ),
        _figure(
            coverage([result], [""]),
            "Coverage: accuracy on the most confident tracks alone",
        ),
        *(_figure(drawing, f"Training: {what}") for what, drawing in curves(history or {}).items()),
    ]
    return "".join(
        [
            _tiles(result),
            _pairs(facts),
            f"<div class=figures>{''.join(drawn)}</div>",
            _genres(result),
            _mistakes(result, sounds),
        ]
    )


def _figure(drawing: str, caption: str) -> str:
    return f"<figure>{drawing}<figcaption>{escape(caption)}</figcaption></figure>"


def _tiles(result: ModelResult) -> str:
    tracks, windows = result.figures["tracks"], result.figures["windows"]
    answered = tracks["answered"]
    leaks = ' <em class="flag">leaks</em>' if result.leaks else ""
    # A model that answers nothing has no accuracy, not one of 0.
    said = percent(answered["accuracy"]) if answered["n"] else "none"
    cells = [
        (
            f"tracks right{leaks}",
            percent(tracks["accuracy"]),
            charts.interval(tracks["accuracy"], *tracks["interval_95_by_group"])
            + f"{_between(tracks['interval_95_by_group'])} by "
            f"{counted(tracks['groups'], 'group')}, {_between(tracks['interval_95'])} by "
            f"{counted(tracks['n'], 'track')}",
        ),
        (
            f"windows right{leaks}",
            percent(windows["accuracy"]),
            charts.interval(windows["accuracy"], *windows["interval_95_by_group"])
            + f"{_between(windows['interval_95_by_group'])} by groups, n = {windows['n']}",
        ),
        (
            "macro F1",
            percent(tracks["macro_f1"]),
            f"mean over {counted(len(result.figures['genres']), 'genre')}, tracks",
        ),
        (
            "calibration error",
            percent(tracks["calibration"]["ece"]),
            f"log loss {tracks['log_loss']:.3f}",
        ),
        (
            "answered",
            percent(answered["coverage"]),
            f"{said} of these right; {answered['unknown']} called unknown, "
            f"{answered['unknown_right']} of them wrongly",
        ),
    ]
    return html_page.tiles(cells)


def _confusion(result: ModelResult) -> str:
    labels, counts = result.model.labels, result.figures["tracks"]["confusion"]
    heads = "".join(f"<th scope=col><span>{escape(label)}</span></th>" for label in labels)
    rows = []
    for i, label in enumerate(labels):
        total = sum(counts[i])
        cells = []
        for j, count in enumerate(counts[i]):
            kind = "right" if i == j else "wrong"
            fraction = count / total if total else 0.0
            # Digits in the colour of the paper from half on, where the cell is dark.
            strong = " strong" if fraction > 0.5 else ""
            text = str(count) if count else ""
            cells.append(
                f'<td class="{kind}{strong}" style="--p:{100 * fraction:.0f}%">{text}</td>'
            )
        rows.append(f"<tr><th scope=row>{escape(label)}</th>{''.join(cells)}</tr>")
    return (
        "<div class=scroll><table class=confusion><thead><tr><td></td>"
        f"{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _genres(result: ModelResult) -> str:
    rows = []
    for row in result.figures["genres"]:
        # Recall says how many are lost, this says where to.
        taken = (
            f"{', '.join(row['confused_with'])} ({row['confused_with_count']})"
            if row["confused_with"]
            else "–"
        )
        precision = "–" if row["precision"] is None else f"{row['precision']:.0%}"
        rows.append(
            f"<tr><th scope=row>{escape(row['genre'])}</th><td>{row['n']}</td>"
            f"<td>{row['recall']:.0%}</td><td>{precision}</td><td>{row['f1']:.0%}</td>"
            f"<td class=text>{escape(taken)}</td></tr>"
        )
    return (
        "<h3>Genre by genre</h3><div class=scroll><table class=rows><thead><tr><th>genre</th>"
        "<th>n</th><th>recall</th><th>precision</th><th>F1</th><th class=text>confused with</th>"
        "</tr>"
        f"</thead><tbody>{''.join(rows)}</tbody></table></div>"
        + (f"<p class=note>{escape(result.not_measured)}</p>" if result.not_measured else "")
    )


def _mistakes(result: ModelResult, sounds: Mapping[str, bytes]) -> str:
    found = result.mistakes()
    if not found:
        return "<h3>Mistakes</h3><p>None.</p>"
    rows = []
    for row in found:
        unknown = ", but called unknown" if row["unknown"] else ""
        rows.append(
            f"<li><code>{escape(row['path'])}</code><span>is <b>{escape(row['genre'])}</b> "
            f"({percent(row['probability_of_genre'])}), "
            f"classified as <b>{escape(row['answer'])}</b> "
            f"({percent(row['confidence'])}){unknown}</span>"
            f"{html_page.player(row['path'], sounds)}</li>"
        )
    wrong = int((~result.right).sum())
    many = (
        f"The {len(found)} most confident of {wrong} mistakes" if wrong > 1 else "The one mistake"
    )
    return f"<h3>{many}</h3><ol>{''.join(rows)}</ol>"


def _comparison(evaluation: Evaluation, names: Sequence[str]) -> str:
    """Figures of all; those that leak stand in a table of their own."""
    pieces = []
    # Honest figures first; nobody shall read down a column from one kind to the other.
    for leaks in (False, True):
        # By place, which is the colour of a model in every chart.
        rows = [i for i, result in enumerate(evaluation.results) if result.leaks is leaks]
        if rows:
            heading = "Side by side, on the same tracks"
            pieces.append(
                f"<h2>{heading}{': these leak, so they are too good' if leaks else ''}</h2>"
            )
            pieces.append(_side_by_side(evaluation, names, rows))
    marked = [
        f"{name} (leaks)" if result.leaks else name
        for name, result in zip(names, evaluation.results, strict=True)
    ]
    drawn = _figure(coverage(evaluation.results, marked), "Coverage of all")
    recalls = _figure(_recalls(evaluation, marked), "Recall genre by genre")
    return f"<section>{''.join(pieces)}<div class=figures>{drawn}{recalls}</div></section>"


def _side_by_side(evaluation: Evaluation, names: Sequence[str], chosen: Sequence[int]) -> str:
    changes = [None, *evaluation.differences]
    ends = [abs(end) for row in changes if row for end in row["interval_95_by_group"]]
    # At least five points, or a difference of nothing would fill the chart.
    widest = max(0.05, *ends)
    rows = []
    for i in chosen:
        result, change = evaluation.results[i], changes[i]
        tracks = result.figures["tracks"]
        interval = tracks["interval_95_by_group"]
        careful = any(caveat.kind == "caveat" for caveat in result.caveats)
        flag = " <em class=care>caveat</em>" if careful else ""
        if change is None:
            against = "<td class=text colspan=2>the others are compared with it</td>"
        # The difference would be that between a figure and a wish.
        elif change["one_leaks"]:
            against = "<td class=text colspan=2>not comparable: one of the two leaks</td>"
        else:
            low, high = change["interval_95_by_group"]
            # All bars on one scale, so that they can be compared by eye.
            bar = charts.interval(
                change["difference"], low, high, stretch=(-widest, widest), colour=i, mark=0
            )
            against = (
                f"<td class=bar>{bar}{points(change['difference'])} "
                f"<small>{points(low)} to {points(high)}</small></td>"
                f"<td>{change['only_this_right']} : {change['only_first_right']}</td>"
            )
        rows.append(
            f"<tr><th scope=row>{escape(names[i])}{flag}</th>"
            f"<td class=bar>{charts.interval(tracks['accuracy'], *interval, colour=i)}"
            f"{percent(tracks['accuracy'])} <small>{_between(interval)}</small></td>"
            f"{against}<td>{percent(tracks['macro_f1'])}</td>"
            f"<td>{percent(tracks['calibration']['ece'])}</td></tr>"
        )
    head = (
        "<th>model</th><th class=text>tracks right</th><th class=text>difference</th>"
        "<th>won : lost</th><th>macro F1</th><th>calibration error</th>"
    )
    return (
        f"<div class=scroll><table class=rows><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _recalls(evaluation: Evaluation, names: Sequence[str]) -> str:
    """Recall of each genre, a column a model file."""
    columns = [
        {row["genre"]: row for row in result.figures["genres"]} for result in evaluation.results
    ]
    heads = "".join(f"<th>{escape(name)}</th>" for name in names)
    rows = []
    # By the first model's genres: all were measured on the same tracks.
    for genre, row in columns[0].items():
        cells = "".join(f"<td>{column[genre]['recall']:.0%}</td>" for column in columns)
        rows.append(f"<tr><th scope=row>{escape(genre)}</th><td>{row['n']}</td>{cells}</tr>")
    return (
        f"<div class=scroll><table class=rows><thead><tr><th>genre</th><th>n</th>{heads}</tr>"
        f"</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _failed(evaluation: Evaluation) -> str:
    left_out = counted(
        len(evaluation.failed),
        "track could not be analysed and is not counted",
        "tracks could not be analysed and are not counted",
    )
    return html_page.files(left_out, evaluation.failed)


def _words() -> str:
    meanings = {
        "interval": "95 % bootstrap. By groups, whole artists are drawn: songs of one artist "
        "tend to fail together, so trust this one.",
        "tracks right": "the most probable genre is right, even if the model says unknown.",
        "windows right": "each window of a few seconds is classified by itself, and its most "
        "probable genre is right.",
        "macro F1": "the mean of F1 over the genres that have tracks here.",
        "called unknown": "the track is unlike everything the model learnt, so it gets no genre. "
        "Wrongly: its most probable genre is right all the same.",
        "difference": "in percentage points of tracks right, on the same tracks. Won: tracks "
        "that only this model got right. Lost: tracks that only the first model got right.",
        "recall, precision": "recall: the fraction of a genre's tracks that got this genre. "
        "Precision: the fraction of tracks with this prediction that are right.",
        "calibration error": "mean difference between confidence and the fraction of right "
        "predictions, in ten bins.",
    }
    return f"<footer>{_pairs(meanings)}</footer>"


def points(difference: float) -> str:
    """``+1.2`` or ``−0.8``: percentage points.

    Parameters
    ----------
    difference : float
        A difference of fractions, such as accuracies.
    """
    # A hyphen is narrower than a plus, and columns of both would not line up.
    return f"{100 * difference:+.1f}".replace("-", "\N{MINUS SIGN}")


def _between(ends: Sequence[float]) -> str:
    return f"{100 * ends[0]:.1f}–{percent(ends[1])}"
