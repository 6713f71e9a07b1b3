// Recording a few seconds from the microphone; the sound goes to this machine's Tonearm alone.
import { asError, button, clock, say, toast } from "./dom.js";

const LONGEST_S = 120;
const CHUNK_MS = 1_000;

/** The suffix of a recording: Safari makes MP4, Firefox Ogg, Chromium WebM. @param {string} type */
const suffixOf = (type) => (type.includes("mp4") ? "m4a" : type.includes("ogg") ? "ogg" : "webm");

/**
 * A button that records.
 *
 * @param {(files: File[]) => void} take called with the recording when it is stopped
 * @returns {HTMLButtonElement}
 */
export function makeMicrophone(take) {
  /** @type {?MediaRecorder} */
  let recorder = null;
  let [timer, number] = [0, 0];
  const node = button("Record", () => (recorder ? recorder.stop() : start()), {
    class: "record",
    "aria-pressed": "false",
  });

  async function start() {
    if (!navigator.mediaDevices || !window.MediaRecorder) {
      toast("Browsers allow the microphone only on pages of this machine, or over HTTPS.", {
        bad: true,
      });
      return;
    }
    let stream;
    try {
      // As it is: cleaning for speech removes music.
      stream = await navigator.mediaDevices.getUserMedia({
        audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
      });
    } catch (error) {
      const none = asError(error).name === "NotFoundError";
      toast(none ? "There is no microphone." : "The microphone was not allowed.", { bad: true });
      return;
    }
    /** @type {Blob[]} */
    const chunks = [];
    const begun = Date.now();
    const records = new MediaRecorder(stream);
    recorder = records;
    records.ondataavailable = (event) => chunks.push(event.data);
    records.onstop = () => {
      clearInterval(timer);
      // Or the browser goes on showing that somebody is listening.
      stream.getTracks().forEach((track) => track.stop());
      const type = records.mimeType;
      number += 1;
      take([new File(chunks, `Recording ${number}.${suffixOf(type)}`, { type })]);
      recorder = null;
      node.textContent = "Record";
      node.setAttribute("aria-pressed", "false");
    };
    records.start(CHUNK_MS);
    node.setAttribute("aria-pressed", "true");
    say("Recording. Press again to stop and analyse it.");
    const show = () => {
      const seconds = (Date.now() - begun) / 1000;
      node.textContent = `Stop · ${clock(seconds)}`;
      if (seconds >= LONGEST_S) recorder?.stop();
    };
    show();
    timer = window.setInterval(show, 250);
  }
  return node;
}
