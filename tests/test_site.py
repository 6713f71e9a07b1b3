"""The page without a server, in a browser: the answers of the command line, and nothing sent."""

import base64
import importlib.util
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from support.serving import CHROMIUM
from support.small_files import RATE_HZ, wav

from runs.browser_parity import compare, serving
from tonearm.audio import resample
from tonearm.model import file as model_file
from tonearm.model.classifier import Classifier
from tonearm.model.mix import with_mix
from tonearm.model.multi_label import MultiLabelHead
from tonearm.model.prediction import Prediction
from tonearm.timeline.segments import LEAST_PROBABILITY, segments

ROOT = Path(__file__).parents[1]
EXAMPLES = {
    path.name: path for path in (ROOT / "examples").iterdir() if path.suffix in (".mp3", ".ogg")
}

specification = importlib.util.spec_from_file_location("site_build", ROOT / "site" / "build.py")
build = importlib.util.module_from_spec(specification)
sys.modules["site_build"] = build
specification.loader.exec_module(build)

in_browser = pytest.mark.skipif(
    not CHROMIUM or not build.RUNTIME.is_dir(),
    reason="chromium or onnxruntime-web (npm ci) is not installed",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The site, two folders below the root of its server."""
    root = tmp_path_factory.mktemp("host")
    build.build(root / "some" / "where")
    return root


@pytest.fixture(scope="module")
def page(browser, folder):
    """The site, opened; whatever it complains of, and whom it asked."""
    page = browser.new_context().new_page()
    page.faults, page.asked = [], []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("console", lambda message: page.faults.append(message.text))
    page.on("request", lambda request: page.asked.append(request.url))
    with serving(folder, EXAMPLES) as address:
        page.goto(f"{address}some/where/")
        page.wait_for_selector(".drop", timeout=90_000)
        yield page
    page.context.close()


@in_browser
def test_a_song_gets_its_card_and_the_page_says_what_it_took(page):
    page.set_input_files("#files", EXAMPLES["midnight_walk.mp3"])
    card = page.locator(".card").first
    sync_api.expect(card.locator("summary")).to_be_visible(timeout=60_000)
    assert card.locator(".what").text_content() == "Jazz"
    assert card.get_by_text("Keep in library").is_hidden()
    assert "Midnight Walk" in card.locator(".file").text_content()
    costs = page.locator(".costs").text_content()
    assert "first answer after" in costs and "memory at most" in costs
    assert page.faults == []
    card.locator(".away").click()


@in_browser
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_answer_is_that_of_the_command_line(page, name):
    row = compare(name, EXAMPLES[name], page, Classifier.load(), timeline=True)
    assert row["here"] == row["there"]
    assert row["most"] < 0.02, row
    assert row["segments"][0] == row["segments"][1]


@in_browser
@pytest.mark.parametrize(("steps", "seconds"), [(0, 4), (1, 4), (9, 4), (3_000, 1)])
def test_silence_and_short_sounds_are_named_as_on_the_command_line(page, tmp_path, steps, seconds):
    noise = np.random.default_rng(0).uniform(-1, 1, (RATE_HZ * seconds, 1))
    path = wav(tmp_path / "sound.wav", (noise * steps / 32_768).astype(np.float32))
    there = page.evaluate(
        """async (data) => {
            const api = await import("./api.js");
            const found = {};
            const report = (values) => Object.assign(found, values);
            const bytes = Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0));
            await api.predict(new File([bytes], "sound.wav"), {report});
            return found;
        }""",
        base64.b64encode(path.read_bytes()).decode(),
    )
    here = Classifier.load().predict(path, timeline=True, reasons=True)
    assert there["quick"].get("note") == there["answer"].get("note") == here.note
    assert (there["reasons"] is None) == (here.reasons is None)
    assert there["answer"]["genre"] == here.genre


@in_browser
def test_what_is_no_audio_is_named_and_the_page_goes_on(page, tmp_path):
    wrong = tmp_path / "letter.mp3"
    wrong.write_bytes(b"Dear reader, " * 99)
    page.set_input_files("#files", wrong)
    bad = page.locator(".card.bad .verdict")
    sync_api.expect(bad).to_contain_text("letter.mp3 is not an audio file that this browser can")
    assert page.faults == []
    page.locator(".card.bad .away").click()


@in_browser
def test_the_page_cannot_send_anything_elsewhere(page):
    """The browser itself refuses: the other server sees no request."""
    seen = []

    class Other(BaseHTTPRequestHandler):
        def do_POST(self):
            seen.append(self.path)

        do_GET = do_POST

    with HTTPServer(("127.0.0.1", 0), Other) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{other.server_port}/"
        tries = """async (address) => {
            const refused = [];
            document.addEventListener("securitypolicyviolation",
                (event) => refused.push(event.effectiveDirective));
            await fetch(address, {method: "POST", mode: "no-cors", body: "x"}).catch(() => 0);
            navigator.sendBeacon(address, "x");
            new Image().src = address;
            await new Promise((resolve) => setTimeout(resolve, 300));
            return refused;
        }"""
        refused = page.evaluate(tries, address)
        other.shutdown()
    assert seen == []
    assert {"connect-src", "img-src"} <= set(refused)
    hosts = {url.split("/")[2] for url in page.asked if url.startswith("http")} - {address[7:-1]}
    assert all(host.startswith("127.0.0.1") for host in hosts)
    page.faults.clear()


@in_browser
@pytest.mark.parametrize(
    ("from_hz", "to_hz"), [(44_100, 16_000), (22_050, 16_000), (48_000, 22_050)]
)
def test_resampling_is_as_that_of_the_program(page, from_hz, to_hz):
    """Noise: within -70 dB of soxr in what both let pass."""
    noise = np.random.default_rng(1).normal(0, 0.1, from_hz // 4).astype(np.float32)
    # Without the top, where filters may differ.
    spectrum = np.fft.rfft(noise)
    spectrum[int(0.45 * min(1, to_hz / from_hz) * len(noise)) :] = 0
    noise = np.fft.irfft(spectrum, len(noise)).astype(np.float32)
    ours = page.evaluate(
        """async ([samples, from, to]) => {
            const { resample } = await import("./analysis/resample.js");
            return [...resample(Float32Array.from(samples), from, to)];
        }""",
        [noise.tolist(), from_hz, to_hz],
    )
    theirs = resample(noise, from_hz, to_hz)
    assert len(ours) == len(theirs)
    inside = slice(800, -800)  # the ends hang on what is taken to lie outside
    error = np.std((np.array(ours) - theirs)[inside]) / np.std(theirs[inside])
    assert error < 10 ** (-70 / 20), f"{20 * np.log10(error):.1f} dB"


@in_browser
def test_head_and_timeline_are_those_of_the_program(page):
    """Random windows and textures, known and unknown, with gaps of silence: the same numbers."""
    rng = np.random.default_rng(4)
    head = model_file.load().head
    tracks, expected = [], []
    for n in (1, 2, 8, 40):
        windows = rng.beta(0.3, 3, (n, head.dimensions)).astype(np.float32)
        starts_s = np.cumsum(rng.choice([1.0, 3.0, 20.0], n, p=[0.8, 0.15, 0.05]))
        texture = rng.standard_normal((2, head.texture.dimensions)).astype(np.float32)
        # Short and long: the second line of the detector has a limit for each.
        length_s = 5.0 * n
        output = head.classify(windows, texture, duration_s=length_s)
        each = head.classify_each(windows)
        found = segments(
            starts_s,
            each,
            (*head.labels, None),
            duration_s=float(starts_s[-1]) + 5,
            window_s=3,
            minimum_s=3,
            change_cost=1,
            together=lambda a, b, w=windows: _named(head, head.classify(w[a:b])),
        )
        tracks.append([windows.tolist(), starts_s.tolist(), texture.tolist(), length_s])
        confident = head.is_confident(windows, confidence=0.5)
        expected.append(
            [output.probabilities, output.known, output.unknown, each, confident, found]
        )
    answers = page.evaluate(
        """async (tracks) => {
            const { Head } = await import("./analysis/head.js");
            const { readModel } = await import("./analysis/model.js");
            const { segments } = await import("./analysis/segments.js");
            const { together } = await import("./analysis/mix.js");
            const model = await readModel();
            const head = new Head(model);
            return tracks.map(([windows, starts, texture, length_s]) => {
                const {probabilities, known, unknown} = head.classify(windows, texture, length_s);
                const each = head.classifyEach(windows);
                const how = {
                    duration_s: starts.at(-1) + 5, window_s: 3, minimum_s: 3, change_cost: 1,
                    rules: model.rules,
                    together: (a, b) => together(head, head.classify(windows.slice(a, b))),
                };
                const confident = head.isConfident(windows, 0.5);
                const found = segments(starts, each, how);
                return [probabilities, known, unknown, each, confident, found];
            });
        }""",
        tracks,
    )
    for (p, known, unknown, each, confident, found), answer in zip(expected, answers, strict=True):
        np.testing.assert_allclose(answer[0], p, atol=1e-6)
        assert answer[1] == known and answer[4] == confident
        assert answer[2] == pytest.approx(unknown, abs=1e-6)
        np.testing.assert_allclose(answer[3], each, atol=1e-6)
        assert [list(segment.values())[:3] for segment in answer[5]] == [list(s[:3]) for s in found]


@in_browser
def test_mixes_are_those_of_the_program(page):
    """Twelve minutes of windows of two genres, in blocks and by turns, or partly unknown."""
    rng, head = np.random.default_rng(5), model_file.load().head
    windows = rng.beta(0.3, 3, (3_000, head.dimensions)).astype(np.float32)
    states = head.classify_each(windows).argmax(axis=1)
    counts = np.bincount(states, minlength=len(head.labels) + 1)
    first, second = (windows[states == i] for i in np.argsort(-counts[:-1])[:2])
    unknown = windows[states == len(head.labels)]
    tracks, expected = [], []
    for kind in ("one", "blocks", "little", "turns", "unknown"):
        picked = [
            second[i % len(second)]
            if (kind == "blocks" and i > 30)
            or (kind == "little" and i > 42)
            or (kind == "turns" and i % 2)
            else unknown[i % len(unknown)]
            if kind == "unknown" and i > 30
            else first[i % len(first)]
            for i in range(48)
        ]
        values, starts_s = np.stack(picked), 15.0 * np.arange(48)
        output = head.classify(values)
        named = Prediction.of(head.labels, output.probabilities, known=output.known)
        whole = with_mix(named, head, values, starts_s=starts_s, duration_s=720.0, window_s=3.0)
        tracks.append([values.tolist(), starts_s.tolist()])
        expected.append([whole.genre, whole.mix, [segment.genre for segment in whole.timeline]])
    answers = page.evaluate(
        """async (tracks) => {
            const { Classifier } = await import("./analysis/classifier.js");
            const { readModel } = await import("./analysis/model.js");
            const { Head } = await import("./analysis/head.js");
            const { withMix } = await import("./analysis/mix.js");
            const head = new Head(await readModel());
            return tracks.map(([values, starts_s]) => {
                const output = head.classify(values);
                const best = Math.max(...output.probabilities);
                const genre = output.known ? head.labels[output.probabilities.indexOf(best)] : null;
                const embeddings = { values, starts_s, duration_s: 720 };
                const whole = withMix({ genre, confidence: best }, head, embeddings, 3);
                return [whole.genre, whole.mix ?? null, (whole.timeline ?? []).map((s) => s.genre)];
            });
        }""",
        tracks,
    )
    assert sum(mix is not None for _, mix, _ in expected) in {2, 3}, "both answers are tried"
    for (genre, mix, timeline), answer in zip(expected, answers, strict=True):
        assert [answer[0], answer[2]] == [genre, timeline]
        assert answer[1] == (None if mix is None else pytest.approx(mix, abs=2e-4))


def _named(head, output):
    best = int(output.probabilities.argmax())
    known = (head.labels[best], float(output.probabilities[best]))
    return known if output.known else (None, output.unknown)


def test_what_stands_for_the_server_has_all_that_views_import():
    names = re.compile(r"^export (?:async )?(?:const|function|class) (\w+)", re.MULTILINE)
    server = (build.PAGE / "api.js").read_text(encoding="utf-8")
    here = (ROOT / "site" / "api.js").read_text(encoding="utf-8")
    assert set(names.findall(server)) <= set(names.findall(here))


def test_the_numbers_that_the_page_needs_are_those_of_the_program():
    """Without Node too: a constant that is renamed would break the build alone."""
    rules = build.rules()
    assert rules["least_state"] == rules["mix"]["least_probability"] == LEAST_PROBABILITY


def test_a_head_that_the_page_does_not_understand_is_refused():
    settings = model_file.load().head.settings()
    build.check_settings(settings)
    with pytest.raises(SystemExit, match="does not know mood"):
        build.check_settings({**settings, "mood": 1})
    imported = MultiLabelHead.of((), ["a", "b"], labels=["a", "b"], members=[0, 1])
    with pytest.raises(SystemExit, match="does not know activations, classes, members"):
        build.check_settings(imported.settings())
    with pytest.raises(SystemExit, match="known_region"):
        build.check_settings({**settings, "known_region": ["polka"]})


@in_browser
def test_every_setting_comes_from_the_model_file(folder):
    values = json.loads((folder / "some" / "where" / "model" / "model.json").read_text())
    model = model_file.load()
    assert values["features"] == model.features.to_dict()
    assert values["head"] == json.loads(json.dumps(model.head.settings()))
    for path in (ROOT / "site").rglob("*.js"):
        text = path.read_text(encoding="utf-8")
        for number in ("16_000", "16000", "22050", "187", "387", "1707"):
            here = path.name == "rate.js"  # the rates that files may state
            assert here or number not in text, f"{path.name}: {number}"
