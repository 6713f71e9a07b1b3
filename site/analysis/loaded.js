// Bytes that this page, or this worker, has loaded, as they travel.

export const loadedBytes = () =>
  /** @type {PerformanceResourceTiming[]} */ (performance.getEntriesByType("resource")).reduce(
    (sum, entry) => sum + (entry.encodedBodySize || entry.decodedBodySize),
    0,
  );
