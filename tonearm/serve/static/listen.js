// The view for single files: drop, choose or record; one card each.
import { el, button, count, say } from "./dom.js";
import { makeCard } from "./card.js";
import { onDrop, sounds } from "./drop.js";
import { makeMicrophone } from "./microphone.js";
import * as player from "./player.js";

const AT_ONCE = 3;

export function makeListen() {
  const cards = [];
  const waiting = [];
  let busy = 0;

  const choose = (label, properties, take) => {
    const input = el("input", {
      type: "file",
      class: "unseen",
      tabindex: -1,
      "aria-hidden": "true",
      ...properties,
      onchange: () => (take([...input.files]), (input.value = "")),
    });
    return [button(label, () => input.click()), input];
  };
  const files = choose("Choose files", { multiple: true, id: "files" }, add);
  const folder = choose("Choose a folder", { webkitdirectory: true, id: "folder" }, (found) =>
    add(sounds(found)),
  );
  const zone = el(
    "section",
    { class: "drop", "aria-label": "Add music" },
    el("p", { class: "big" }, "Drop songs or folders here"),
    el("div", { class: "ways" }, ...files, ...folder, makeMicrophone(add)),
    el(
      "p",
      { class: "quiet" },
      "Nothing leaves this machine. What you drop is analysed and forgotten.",
    ),
  );
  const summary = el("p", { class: "summary" });
  const clear = button("Clear all", () => [...cards].forEach((card) => card.remove()), {
    hidden: true,
  });
  const list = el("ul", { class: "cards", "aria-label": "Results" });
  const node = el(
    "div",
    { class: "listen" },
    el("h1", { class: "unseen" }, "Listen"),
    zone,
    el("div", { class: "bar" }, summary, clear),
    list,
  );

  function add(found) {
    const made = found.map((file) => makeCard(file, { onremove: gone }));
    cards.push(...made);
    waiting.push(...made);
    list.append(...made.map((card) => card.node));
    if (!location.hash.startsWith("#listen")) location.hash = "#listen";
    update();
    work();
  }

  function gone(card) {
    cards.splice(cards.indexOf(card), 1);
    const at = waiting.indexOf(card);
    if (at >= 0) waiting.splice(at, 1);
    update();
  }

  async function work() {
    while (busy < AT_ONCE && waiting.length) {
      busy += 1;
      waiting
        .shift()
        .analyse()
        .finally(() => {
          busy -= 1;
          update();
          work();
        });
    }
  }

  function update() {
    node.classList.toggle("some", cards.length > 0);
    clear.hidden = cards.length < 2;
    const failed = cards.filter((card) => card.failed).length;
    const analysed = cards.filter((card) => card.answer).length;
    const parts = cards.length ? [`${analysed} of ${count(cards.length, "file")} analysed`] : [];
    if (failed) parts.push(`${failed} could not be read`);
    summary.textContent = parts.join(", ");
    if (cards.length && analysed + failed === cards.length) say(summary.textContent);
  }

  onDrop(add, (over) => document.body.classList.toggle("over", over));
  return { node, show: () => player.setShown(null) };
}
