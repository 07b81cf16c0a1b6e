/** Reads a turn's marks: the time between each mark and the one before it, in the order in which they happen. */

const ORDER = ["speech_ended", "turn_ended", "transcript_ready", "heard", "cue", "prompt_ready", "first_token", "first_phrase", "first_sound", "first_audible"];

/**
 * Returns `{segments: [{mark, ms}], reactionMs, waitedMs, audible}` of a `marks_ms` object.
 *
 * A segment is named after the mark that ends it. The time from `heard` to `cue` is no reaction but a message's
 * wait for its turn (she may be speaking), so it is counted apart. `audible` is false when nothing was heard.
 */
export function readMarks(marks) {
  const present = ORDER.filter((mark) => typeof marks[mark] === "number");
  const segments = present.slice(1).map((mark, index) => ({ mark, ms: Math.max(0, marks[mark] - marks[present[index]]) }));
  const waitedMs = segments.find(({ mark }) => mark === "cue")?.ms ?? 0;
  const totalMs = segments.reduce((sum, { ms }) => sum + ms, 0);
  return { segments, waitedMs, reactionMs: totalMs - waitedMs, audible: present.includes("first_audible") };
}

/** Returns the middle of some numbers; 0 of none. */
export function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return 0;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
