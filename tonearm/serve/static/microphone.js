// Recording a few seconds from the microphone; the sound goes to this machine's Tonearm alone.
import { button, clock, toast, say } from "./dom.js";

const LONGEST_S = 120;

/** A button that records, and gives the recording to `take` when it is stopped. */
export function makeMicrophone(take) {
  let [recorder, timer, number] = [null, 0, 0];
  const node = button("Record", () => (recorder ? recorder.stop() : start()), {
    class: "record",
    "aria-pressed": "false",
  });

  async function start() {
    if (!navigator.mediaDevices || !window.MediaRecorder) {
      toast("Browsers give the microphone only to pages of this machine, or over HTTPS.", {
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
      const none = error.name === "NotFoundError";
      toast(none ? "There is no microphone." : "The microphone was not allowed.", { bad: true });
      return;
    }
    const chunks = [];
    const begun = Date.now();
    recorder = new MediaRecorder(stream);
    recorder.ondataavailable = (event) => chunks.push(event.data);
    recorder.onstop = () => {
      clearInterval(timer);
      stream.getTracks().forEach((track) => track.stop());
      const kind = recorder.mimeType.includes("mp4")
        ? "m4a"
        : recorder.mimeType.includes("ogg")
          ? "ogg"
          : "webm";
      number += 1;
      take([new File(chunks, `Recording ${number}.${kind}`, { type: recorder.mimeType })]);
      recorder = null;
      node.textContent = "Record";
      node.setAttribute("aria-pressed", "false");
    };
    recorder.start(1000);
    node.setAttribute("aria-pressed", "true");
    say("Recording. Press again to stop and analyse it.");
    const show = () => {
      const seconds = (Date.now() - begun) / 1000;
      node.textContent = `Stop · ${clock(seconds)}`;
      if (seconds >= LONGEST_S && recorder) recorder.stop();
    };
    show();
    timer = setInterval(show, 250);
  }
  return node;
}
