// The sample rate that a file states. The browser resamples whatever it decodes, so it is asked to
// decode at the file's own rate, and the one conversion is ours.

/** @param {DataView} view @param {number} at @param {string} text */
const says = (view, at, text) =>
  at >= 0 &&
  at + text.length <= view.byteLength &&
  [...text].every((character, i) => view.getUint8(at + i) === character.charCodeAt(0));

/** @param {DataView} view @param {string} text @param {number} from @param {number} to */
function find(view, text, from, to) {
  const stop = Math.min(to, view.byteLength) - text.length;
  for (let at = from; at <= stop; at++) if (says(view, at, text)) return at;
  return -1;
}

/** RIFF, RF64: the chunk "fmt ", wherever it stands. @param {DataView} view */
function wav(view) {
  for (let at = 12; at + 24 <= view.byteLength; ) {
    if (says(view, at, "fmt ")) return view.getUint32(at + 12, true);
    at += 8 + view.getUint32(at + 4, true) + (view.getUint32(at + 4, true) & 1);
  }
  return 0;
}

/** FLAC: 20 bits of STREAMINFO, which comes first. @param {DataView} view @param {number} at */
const flac = (view, at) => view.getUint32(at + 18) >>> 12;

/** Ogg: Opus always decodes at 48 kHz. @param {DataView} view */
function ogg(view) {
  const vorbis = find(view, "\x01vorbis", 0, 4096);
  if (vorbis >= 0) return view.getUint32(vorbis + 12, true);
  const inside = find(view, "fLaC", 0, 4096);
  if (inside >= 0) return flac(view, inside);
  return find(view, "OpusHead", 0, 4096) >= 0 ? 48_000 : 0;
}

/** MP4: the sample entry of the audio track, 16.16 fixed point. @param {DataView} view */
function mp4(view) {
  const at = find(view, "mp4a", 0, view.byteLength);
  return at >= 0 && at + 32 <= view.byteLength ? view.getUint32(at + 28) >>> 16 : 0;
}

const MPEG_HZ = {
  3: [44_100, 48_000, 32_000],
  2: [22_050, 24_000, 16_000],
  0: [11_025, 12_000, 8_000],
};
const ADTS_HZ = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
];

/** MPEG audio and AAC: the first frame, behind an ID3 tag. @param {DataView} view */
function frames(view) {
  let at = 0;
  if (says(view, 0, "ID3") && view.byteLength > 10) {
    // A size in four bytes of seven bits.
    const size = [6, 7, 8, 9].reduce((sum, i) => (sum << 7) | (view.getUint8(i) & 0x7f), 0);
    at = 10 + size;
  }
  if (says(view, at, "fLaC")) return flac(view, at);
  const stop = Math.min(view.byteLength - 4, at + 65_536);
  for (; at < stop; at++) {
    if (view.getUint8(at) !== 0xff || (view.getUint8(at + 1) & 0xe0) !== 0xe0) continue;
    const [second, third] = [view.getUint8(at + 1), view.getUint8(at + 2)];
    const layer = (second >> 1) & 3;
    if (!layer) return ADTS_HZ[(third >> 2) & 15] ?? 0; // AAC has no layer
    const version = /** @type {0|2|3} */ ((second >> 3) & 3);
    const hz = MPEG_HZ[version]?.[(third >> 2) & 3];
    if (hz && third >> 4 !== 15) return hz;
  }
  return 0;
}

/**
 * The sample rate in hertz that a file states; 0 where it is not found.
 *
 * @param {ArrayBuffer} data
 */
export function rateOf(data) {
  const view = new DataView(data);
  if (says(view, 8, "WAVE")) return wav(view);
  if (says(view, 0, "fLaC")) return flac(view, 0);
  if (says(view, 0, "OggS")) return ogg(view);
  if (says(view, 4, "ftyp")) return mp4(view);
  return frames(view);
}
