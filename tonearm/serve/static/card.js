// One file on its way, and what it is.
import { predict } from "./api.js";
import { asError, bar, button, clock, el, percent } from "./dom.js";
import { badge, kindOf, swatch } from "./genres.js";
import { makePicture } from "./picture.js";
import * as player from "./player.js";
import { drawReasons } from "./reasons.js";
import { kindWords, lower, verdict } from "./words.js";

/** @typedef {import("./api.js").Prediction} Prediction */
/** @typedef {import("./api.js").About} About */
/**
 * A card of a file, and what is known of it.
 *
 * @typedef {object} Card
 * @property {HTMLElement} node
 * @property {string} name of the file
 * @property {File} file
 * @property {boolean} kept whether the library has it
 * @property {() => void} remove
 * @property {?Prediction} answer null until the whole is analysed
 * @property {?About} about its tags, as soon as they are known
 * @property {boolean} failed
 * @property {() => Promise<void>} analyse sends it, and resolves whatever becomes of it
 */

const MOST_ROWS = 10; // of probabilities, styles and moods each
const SENT = 0.2; // of the bar, for the way to the server

let numbers = 0;

/**
 * A card for a file.
 *
 * @param {File} file
 * @param {Record<"onremove" | "onkeep" | "onanswer", (card: Card) => void>} how
 * @returns {Card}
 */
export function makeCard(file, { onremove, onkeep, onanswer }) {
  const key = `card-${(numbers += 1)}`;
  const source = URL.createObjectURL(file);
  const stop = new AbortController();
  const name = file.name || "Recording";
  const title = el("h2", { class: "what", id: `${key}-name` }, "Waiting");
  const words = el("p", { class: "verdict" });
  const confidence = el("span", { class: "confidence" });
  const progress = el("progress", { max: 1, value: 0, "aria-label": `Analysing ${name}` });
  const body = el("div", { class: "body" }, progress);
  const why = el("div", { class: "why" });
  const now = el("p", { class: "now" });
  const playing = button("▶", toggle, {
    class: "play",
    "aria-label": `Play ${name}`,
    disabled: true,
  });
  const unfolds = button("▾", unfold, {
    class: "plain unfolds",
    "aria-expanded": "false",
    "aria-label": `Details of ${name}`,
  });
  const away = button("×", remove, { class: "plain away", "aria-label": `Remove ${name}` });
  const icon = el("span", { class: "icon", "aria-hidden": "true" });
  const cover = el("span", { class: "holds-cover" });
  const label = el("p", { class: "file" }, name);
  const node = el(
    "li",
    { class: "card waiting", "aria-labelledby": `${key}-name` },
    el(
      "div",
      { class: "head" },
      cover,
      playing,
      icon,
      el("div", { class: "said" }, title, words),
      confidence,
      unfolds,
      away,
    ),
    el("div", { class: "line" }, label, now),
    body,
  );
  const picture = makePicture({ label: name, onseek: (seconds) => play(seconds) });
  /** @type {?Prediction} of the whole */
  let answer = null;
  /** @type {?Prediction} of some windows */
  let first = null;
  /** @type {?About} */
  let about = null;
  /** @type {?() => void} */
  let unwatch = null;

  const sound = { key, source, title: name };
  const play = (/** @type {number} */ seconds) => player.play(sound, seconds);
  function toggle() {
    player.toggle(sound);
  }

  function remove() {
    stop.abort();
    player.stop(key);
    unwatch?.();
    picture.destroy();
    URL.revokeObjectURL(source);
    node.remove();
    onremove(card);
  }

  // In a table of many files a card is one line until it is opened.
  function unfold() {
    unfolds.setAttribute("aria-expanded", String(node.classList.toggle("open")));
  }
  title.addEventListener("click", unfold);

  /** @param {string} message */
  function bad(message) {
    node.className = "card bad";
    title.textContent = "Could not be read";
    // "is not an audio file" wants a subject; a sentence has its own.
    words.textContent = /^[A-Z]/.test(message) ? message : `${name} ${message}`;
    body.replaceChildren();
  }

  /**
   * The genre; of some windows at first, then of the whole.
   *
   * @param {Prediction} values
   * @param {string} [note]
   */
  function showVerdict(values, note = "") {
    node.className = kindOf(values) ? "card" : "card unknown";
    title.textContent = kindWords(values);
    words.textContent = `${inWords(values)}${note}`;
    icon.replaceChildren(swatch(kindOf(values), "large"));
    const meter = el("meter", { min: 0, max: 1, "aria-label": "Confidence" });
    meter.value = values.confidence;
    // A full bar at 94 % of a genre that it is not would look like an answer.
    const known = values.genre ? [meter, el("span", {}, percent(values.confidence))] : [];
    confidence.replaceChildren(...known);
    if (body.firstElementChild === progress || !body.contains(picture.node))
      body.replaceChildren(picture.node, progress);
    if (!answer) picture.setTimeline([], values.duration_s);
    playing.disabled = false;
    unwatch ??= player.watch(follow);
  }

  /** "almost certainly rock; hard rock". @param {Prediction} values */
  function inWords(values) {
    const styles = Object.keys(values.styles ?? {}).slice(0, 2);
    return styles.length ? `${verdict(values)}; ${styles.join(", ")}` : verdict(values);
  }

  /** @param {Prediction} values */
  function show(values) {
    if (values.error) return bad(values.error.message);
    answer = values;
    showVerdict(values);
    progress.remove();
    keeping.hidden = false;
    const warnings = (values.warnings ?? []).join("; ");
    if (warnings) body.before(el("p", { class: "warning" }, warnings));
    picture.setTimeline(values.timeline, values.duration_s);
    body.append(details(values));
    describe();
    onanswer(card);
  }

  /** All probabilities, styles and moods, for who wants them. @param {Prediction} values */
  function details({ probabilities, styles, tags }) {
    /** @param {Record<string, number>} values @param {boolean} isGenre */
    const rows = (values, isGenre) =>
      Object.entries(values)
        .slice(0, MOST_ROWS)
        .map(([label_, value]) =>
          el(
            "li",
            {},
            isGenre ? badge(label_) : el("span", {}, label_),
            bar(value),
            el("span", { class: "confidence" }, percent(value)),
          ),
        );
    /**
     * @param {string} heading
     * @param {Record<string, number>} [values]
     * @param {boolean} [isGenre]
     */
    const part = (heading, values, isGenre = false) =>
      values && Object.keys(values).length
        ? el(
            "div",
            {},
            el("h3", {}, heading),
            el("ul", { class: "probabilities" }, ...rows(values, isGenre)),
          )
        : null;
    return el(
      "details",
      { class: "more" },
      el("summary", {}, "Why, and all probabilities"),
      el(
        "div",
        { class: "columns" },
        part("Genres", probabilities, true),
        part("Styles", styles),
        part("Moods and instruments", tags),
        why,
      ),
    );
  }

  function describe() {
    const said = [about?.artist, about?.title].filter(Boolean).join(" – ");
    const tag = about?.genres?.length ? `tag: ${about.genres.join(", ")}` : "";
    const length = answer ? clock(answer.duration_s) : "";
    label.textContent = [said || name, said ? name : "", length, tag].filter(Boolean).join(" · ");
  }

  /** @param {player.State} state */
  function follow(state) {
    const mine = state.key === key;
    const runs = mine && !state.paused;
    if (node.classList.contains("playing") !== runs) {
      node.classList.toggle("playing", runs);
      playing.textContent = runs ? "❚❚" : "▶";
      playing.setAttribute("aria-label", `${runs ? "Pause" : "Play"} ${name}`);
    }
    if (!mine) {
      if (now.textContent) now.textContent = "";
      return;
    }
    picture.setTime(state.time);
    const part = picture.partAt(state.time);
    const sound = part?.genre ? `${lower(part.genre)}, ${percent(part.confidence)}` : "unknown";
    const text = `${clock(state.time)}  ${part ? sound : ""}`;
    if (now.textContent !== text) now.textContent = text;
  }

  /**
   * What to do with each kind of line that the server sends.
   *
   * @type {Record<string, (values: any) => void>}
   */
  const takers = {
    sent(/** @type {number} */ fraction) {
      title.textContent = fraction < 1 ? "Sending" : "Waiting";
      progress.value = fraction * SENT;
    },
    progress(/** @type {number} */ fraction) {
      if (answer) return;
      if (!first) title.textContent = "Analysing";
      // After the first genre the bar begins again: it is that of the whole then.
      progress.value = first ? fraction : SENT + (1 - SENT) * fraction;
    },
    quick(/** @type {Prediction} */ values) {
      first = values;
      showVerdict(values, ", from a few windows so far");
    },
    about(/** @type {About} */ values) {
      about = values;
      if (values.cover)
        cover.replaceChildren(el("img", { class: "cover large", src: values.cover, alt: "" }));
      describe();
    },
    answer: show,
    reasons: (/** @type {?import("./api.js").Reasons} */ values) => {
      if (values) why.append(el("h3", {}, "Why"), ...drawReasons(values, (at) => play(at)));
    },
    picture: picture.setPicture,
  };
  const report = (/** @type {Record<string, any>} */ values) =>
    Object.entries(values).forEach(([name, value]) => takers[name]?.(value));

  const keeping = button("Keep in library", () => onkeep(card), { class: "keep", hidden: true });
  label.after(keeping);

  /** @type {Card} */
  const card = {
    node,
    name,
    file,
    get kept() {
      return keeping.disabled;
    },
    set kept(value) {
      keeping.disabled = value;
      keeping.textContent = value ? "In the library" : "Keep in library";
    },
    remove,
    get answer() {
      return answer;
    },
    get about() {
      return about;
    },
    get failed() {
      return node.classList.contains("bad");
    },
    async analyse() {
      if (stop.signal.aborted) return;
      try {
        await predict(file, {
          report,
          signal: stop.signal,
          options: "timeline=true&draw=true&tags=true&quick=true&reasons=true",
        });
        if (!answer && !card.failed) bad("no answer came");
      } catch (error) {
        // What came before the connection broke is an answer still.
        if (!answer) bad(asError(error).message);
      }
    },
  };
  return card;
}
