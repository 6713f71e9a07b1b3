"""What an audit finds in made-up embeddings, and how its page shows it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support import music

from tonearm.data.index import Index, Track
from tonearm.data.splits import Split
from tonearm.faults import Faults
from tonearm.training import audit as auditing
from tonearm.training import audit_page, hold_out, html_page
from tonearm.training.audit_results import Audit, Copies, Neighbour, Suspect
from tonearm.training.custom_genres import EmbeddedTracks, embedded_tracks, subset

GENRES = ("drone", "chirp", "hiss")


def data_set(*, artists: int = 8, songs: int = 2) -> EmbeddedTracks:
    """Genres that are easily told apart: each has a third of the tags to itself."""
    rng = np.random.default_rng(0)
    tracks, embeddings = [], {}
    for g, genre in enumerate(GENRES):
        for i in range(artists * songs):
            name = f"{genre}/{i:02}.wav"
            tracks.append(Track(name, genre, f"artist:{genre}{i // songs}", name, 30.0))
            values = rng.beta(1, 9, (3, 12))
            values[:, 4 * g : 4 * g + 4] += 0.5
            embeddings[name] = values
    return embedded_tracks(Index(tuple(tracks)), embeddings)


def relabelled(found: EmbeddedTracks, labels: dict[str, str]) -> EmbeddedTracks:
    """The tracks with other labels for some, by name."""
    index = found.index
    tracks = tuple(replace(t, genre=labels.get(t.name, t.genre)) for t in index.tracks)
    kept = replace(found.tracks, labels=[track.genre for track in tracks])
    return EmbeddedTracks(replace(index, tracks=tracks), kept)


def test_a_wrong_label_is_the_first_suspect_with_the_right_genre_as_answer() -> None:
    wrong = relabelled(data_set(), {"drone/03.wav": "chirp", "hiss/07.wav": "drone"})
    found = auditing.audit("x", wrong, names=None)
    assert {(each.name, each.genre, each.answer) for each in found.suspects[:2]} == {
        ("drone/03.wav", "chirp", "drone"),
        ("hiss/07.wav", "drone", "hiss"),
    }
    assert len(found.suspects) == 2 and found.measured == 48
    assert found.agreement == pytest.approx(46 / 48)
    for each in found.suspects:
        assert each.probability > 0.5 > each.probability_of_label
        assert {near.genre for near in each.neighbours} == {each.answer}


def test_suspects_stand_in_the_order_of_their_margins() -> None:
    found = data_set()
    truth = np.zeros(48, dtype=np.int64)
    probabilities = np.full((48, 3), (0.6, 0.3, 0.1))
    probabilities[[4, 9, 20]] = (0.4, 0.5, 0.1), (0.1, 0.2, 0.7), (0.3, 0.65, 0.05)
    assert auditing.margin(probabilities, truth)[[0, 4, 9]] == pytest.approx([0.3, -0.1, -0.6])
    same = relabelled(found, {track.name: "drone" for track in found.index.tracks})
    measured = np.ones(48, dtype=bool)
    how = hold_out.units(same.tracks.labels, same.tracks.groups)
    asked = auditing.HeldOut(("drone", "chirp", "hiss"), measured, probabilities, how)
    order = auditing.suspects(same, asked)
    names = [track.name for track in found.index.tracks]
    assert [each.name for each in order] == [names[9], names[20], names[4]]
    measured[9] = False
    assert len(auditing.suspects(same, asked)) == 2


def test_no_song_of_an_artist_speaks_for_another_of_the_same() -> None:
    """One artist under a wrong label: heads that know the artist would agree with the label."""
    found = data_set(songs=4)
    own = {f"drone/{i:02}.wav": "chirp" for i in range(4)}
    suspects = auditing.audit("x", relabelled(found, own), names=None).suspects
    assert {each.name for each in suspects} == set(own)
    for each in suspects:
        assert not {near.name for near in each.neighbours} & set(own), "other artists only"


def test_an_answer_is_the_mean_of_the_draws() -> None:
    tracks = data_set(artists=4).once().tracks
    both = auditing.held_out(tracks, names=None, draws=2)
    each = [auditing.held_out(tracks, names=None, seed=seed, draws=1) for seed in (0, 1)]
    first, second = (one.probabilities for one in each)
    assert np.abs(first - second).max() > 1e-3, "draws differ"
    assert np.allclose(both.probabilities, (first + second) / 2)


def test_a_genre_of_one_artist_is_named_and_not_measured() -> None:
    found = data_set(artists=4)
    lonely = tuple(
        replace(t, group="artist:ann") if t.genre == "hiss" else t for t in found.index.tracks
    )
    groups = [track.group for track in lonely]
    made = EmbeddedTracks(replace(found.index, tracks=lonely), replace(found.tracks, groups=groups))
    result = auditing.audit("x", made, names=None)
    assert result.lonely == {"hiss": "artist:ann"}
    assert result.measured == 16 and result.suspects == ()
    everyone = replace(found.tracks, groups=[f"artist:{t.genre}" for t in lonely])
    alone = tuple(replace(t, group=f"artist:{t.genre}") for t in lonely)
    nothing = EmbeddedTracks(replace(found.index, tracks=alone), everyone)
    assert auditing.audit("x", nothing, names=None).agreement is None


def by_one_but_for(strangers: int, *, songs: int = 6) -> EmbeddedTracks:
    """Chirps of one artist, and drones by others under the same label."""
    found = data_set()
    chosen = [
        i
        for i, track in enumerate(found.index.tracks)
        if track.genre != "chirp" or int(track.name[6:8]) < songs
    ]
    tracks = tuple(
        replace(track, group="artist:bach") if track.genre == "chirp" else track
        for track in (found.index.tracks[i] for i in chosen)
    )
    wrong = {f"drone/{2 * i:02}.wav": "chirp" for i in range(strangers)}
    made = EmbeddedTracks(
        replace(found.index, tracks=tracks),
        replace(
            subset(found.tracks, chosen),
            groups=[track.group for track in tracks],
        ),
    )
    return relabelled(made, wrong)


@pytest.mark.parametrize("strangers", [1, 2])
def test_a_stranger_in_a_genre_by_one_artist_is_found_and_no_right_label_doubted(
    strangers: int,
) -> None:
    found = auditing.audit("x", by_one_but_for(strangers), names=None)
    assert {each.name for each in found.suspects} == {
        f"drone/{2 * i:02}.wav" for i in range(strangers)
    }
    assert not any(each.one_by_one for each in found.suspects), "held out with their own artists"
    assert found.measured == 38, "nothing is left out"
    assert found.dominated == {"chirp": ("artist:bach", strangers)}
    assert found.one_by_one == {"chirp": 6} and not found.unchecked
    (note,) = found.notes
    assert (
        f"All but {strangers} of the {6 + strangers} tracks of chirp are by one artist (bach)"
        in note
    )
    assert "held out one by one" in note


def test_a_genre_of_three_tracks_is_learnt_but_not_asked_about() -> None:
    found = auditing.audit("x", by_one_but_for(1, songs=2), names=None)
    assert found.unchecked == {"chirp": 3} and found.suspects == ()
    assert found.measured == 31, "drones and hisses alone"
    assert "chirp was not checked: 3 tracks are too few" in found.notes[-1]


def test_copies_and_artists_on_both_sides() -> None:
    found = data_set()
    copy_of = {"drone/01.wav": "drone/00.wav", "chirp/05.wav": "hiss/05.wav"}
    tracks = tuple(replace(t, copy_of=copy_of.get(t.name)) for t in found.index.tracks)
    made = EmbeddedTracks(replace(found.index, tracks=tracks), found.tracks)
    split = Split("mine", {"train": ("drone/02.wav", "hiss/00.wav"), "test": ("drone/03.wav",)})
    result = auditing.audit("x", made, names=None, split=split)
    assert result.copies == (
        Copies("hiss/05.wav", ("chirp/05.wav",), ("hiss", "chirp")),
        Copies("drone/00.wav", ("drone/01.wav",), ("drone",)),
    )
    assert result.across == result.copies[:1]
    assert result.measured == len(tracks) - 3, "one copy, and both of what has two genres"
    assert result.crossing == {"artist:drone1": {"train": "drone/02.wav", "test": "drone/03.wav"}}
    assert result.to_dict()["artists_on_both_sides"] == {
        "artist:drone1": {"train": "drone/02.wav", "test": "drone/03.wav"}
    }


def test_what_was_held_out_is_said_as_far_as_artists_are_known() -> None:
    assert page_of(unknown_artist=0).held_out == "artists held out"
    assert page_of().held_out == "artists held out where known, unknown for 1"
    assert page_of(artists=0, unknown_artist=5).held_out.startswith("no artist is known")


def page_of(**changes: object) -> Audit:
    suspect = Suspect("a/<b>.wav", "<i>rock", "pop", 0.9, 0.05, (Neighbour("c/d.wav", "pop", 0.8),))
    made = Audit(
        folder="/m/<set>",
        genres={"<i>rock": 3, "pop": 2},
        artists=4,
        unknown_artist=1,
        suspects=(suspect,),
        measured=5,
        agreement=0.8,
        copies=(Copies("c/d.wav", ("e.wav",), ("pop", "<i>rock")),),
        lonely={"pop": "artist:<ann>"},
        split="mine",
        crossing={"artist:bob": {"train": "x", "test": "y"}},
        failed=Faults(),
    )
    return replace(made, **changes)


def test_the_page_escapes_names_and_holds_its_sounds(tmp_path: Path) -> None:
    music.write(tmp_path / "c" / "d.wav", music.clip(0, 1, seconds=12))
    audit = page_of()
    audit.failed.add("bad.mp3", "is <damaged>")
    names = audit_page.played(audit)
    assert names == ["a/<b>.wav", "c/d.wav", "e.wav"]
    sounds = dict(html_page.players(tmp_path, names))
    assert list(sounds) == ["c/d.wav"], "a file that cannot be read has no player"
    page = audit_page.render(audit, sounds)
    assert not re.search(r"<(b>\.wav|i>rock|set>|ann>|damaged>)", page)
    assert page.count("<audio ") == 2, "as neighbour, and as copy"
    assert not re.search(r'(src|href)=(?!"data:)', page), "nothing is loaded"
    for text in (
        "contradict the sound: 1",
        "has a single artist (&lt;ann&gt;)",
        "bob</b> is in several subsets",
    ):
        assert text in page
    assert audit_page.render(audit, sounds) == page


def test_the_player_is_the_middle_of_the_song(tmp_path: Path) -> None:
    import io

    import soundfile

    samples = np.zeros(30 * music.RATE_HZ, dtype=np.float32)
    samples[12 * music.RATE_HZ : 18 * music.RATE_HZ] = 0.5 * np.sin(np.arange(6 * 22_050) / 5)
    music.write(tmp_path / "a.wav", samples)
    ((_, mp3),) = html_page.players(tmp_path, ["a.wav"])
    played, rate_hz = soundfile.read(io.BytesIO(mp3))
    assert len(played) / rate_hz == pytest.approx(html_page.PLAYER_S, abs=0.2)
    assert np.abs(played[3 * rate_hz : 5 * rate_hz]).max() > 0.3
    assert len(mp3) < 80_000


def test_a_page_without_findings_says_so() -> None:
    page = audit_page.render(page_of(suspects=(), copies=(), measured=0, agreement=None), {})
    assert "No label was checked" in page and "<p>None.</p>" in page
