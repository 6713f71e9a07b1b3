// Analyses sounds away from the page, so that it stays smooth: one at a time, in order.
const memories = countMemories();
const ort = await import(/** @type {any} */ ("../ort/ort.wasm.min.mjs"));
const { Classifier } = await import("./classifier.js");
const { loadNetwork } = await import("./encoder.js");
const { bytesOf, readModel } = await import("./model.js");
const { loadedBytes } = await import("./loaded.js");
const { picture } = await import("./picture.js");

/** The network's memory is not part of what the browser counts: its making is watched. */
function countMemories() {
  /** @type {WebAssembly.Memory[]} */
  const found = [];
  const Plain = WebAssembly.Memory;
  WebAssembly.Memory = /** @type {any} */ (
    class extends Plain {
      constructor(/** @type {WebAssembly.MemoryDescriptor} */ descriptor) {
        super(descriptor);
        found.push(this);
      }
    }
  );
  return found;
}

// One thread: more of them need headers that many hosts cannot send.
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = new URL("../ort/", import.meta.url).href;

async function load() {
  const model = await readModel();
  const first = await loadNetwork(ort, await bytesOf("encoder.onnx"), model.features);
  /** @type {?Promise<import("./encoder.js").Network>} */
  let second = null;
  // Only one track in three asks for it.
  const loadSecond = async () =>
    loadNetwork(ort, await bytesOf("texture.onnx"), /** @type {any} */ (model.texture));
  return new Classifier(model, { first, second: () => (second ??= loadSecond()) });
}

const loading = load();
/** @type {Promise<void>} */
let queue = Promise.resolve();
const stopped = new Set();

/**
 * @param {{id: number, sound: import("./decode.js").Sound, quickOnly: boolean}} task
 * @param {(values: object) => void} report
 */
async function analyse({ id, sound, quickOnly }, report) {
  const classifier = await loading;
  const check = (/** @type {number} */ progress) => {
    if (stopped.has(id)) throw new Error("stopped");
    report({ progress });
  };
  report({ quick: await classifier.predict(sound, check), ...costs(sound) });
  if (quickOnly) return;
  report({ picture: picture(sound, classifier.model.features) });
  const { answer, reasons } = await classifier.predictWhole(sound, check);
  report({ answer, ...costs(sound) });
  report({ reasons });
}

/**
 * What it took: bytes of memory, and bytes that were loaded.
 *
 * @param {import("./decode.js").Sound} sound
 */
function costs(sound) {
  const networks = memories.reduce((sum, memory) => sum + memory.buffer.byteLength, 0);
  return { memory: networks + sound.samples.byteLength, loaded: loadedBytes() };
}

addEventListener("message", ({ data }) => {
  if (data.stop) {
    stopped.add(data.id);
    return;
  }
  const report = (/** @type {object} */ values) => postMessage({ id: data.id, ...values });
  queue = queue.then(async () => {
    try {
      if (!stopped.has(data.id)) await analyse(data, report);
      report({ done: true });
    } catch (error) {
      report({ failed: /** @type {Error} */ (error).message });
    }
  });
});
// Messages that came while the modules loaded are kept by the page until now.
postMessage({ ready: true });
