/**
 * Every bound of the broker's own state, with its reason and its answer at the limit.
 * Bounds that an operator sets are broker configs instead.
 */

/** Rows a drain moves at most; more stay in the ring for the next drain. */
export const EVENTS_PER_DRAIN = 1024;

/**
 * How long the broker keeps the loop before everybody else who wants it has a turn: timers, the
 * admin listener, what a promise goes on with. What is left over is taken in the next turn.
 */
export const TURN_MS = 4;

/** Frames taken between two looks at the clock: a fraction of a millisecond. */
export const FRAMES_PER_LOOK = 16;

/** Batches judged or appended by one native call; a tick with more makes several calls. */
export const BATCHES_PER_CALL = 1024;

/** Ranges located by one native call. */
export const RANGES_PER_CALL = 256;

/** Plan rows collected before they are handed over in the middle of a tick. */
export const PLAN_ROWS_MAX = 8192;

/** Bytes of encoded answers collected before they are handed over in the middle of a tick. */
export const PLAN_BYTES_MAX = 4 * 1024 * 1024;

/** Largest single encoded answer without record bytes. Beyond it the connection is closed. */
export const ANSWER_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Record bytes in one fetch answer, whatever fetch.max.bytes says: with everything around them
 * an answer stays below the 2 GiB that its size prefix can say.
 */
export const FETCH_BYTES_MAX = 2 ** 31 - 1 - ANSWER_BYTES_MAX;

/** Produce requests that wait for a disk. Beyond it: KAFKA_STORAGE_ERROR, which clients retry. */
export const PRODUCES_PENDING_MAX = 100_000;

/** Fetches that wait for data. Beyond it a fetch is answered at once, empty. */
export const FETCHES_PARKED_MAX = 100_000;

/** Partitions of parked fetches without a session. Beyond it a fetch is answered at once, empty. */
export const PARKED_PARTITIONS_MAX = 2_000_000;

/** Partitions over all fetch sessions; a larger fetch gets no session (id 0), which is legal. */
export const SESSION_PARTITIONS_MAX = 2_000_000;

/** Metadata commands that wait for the controller. Beyond it: REQUEST_TIMED_OUT. */
export const COMMANDS_PENDING_MAX = 10_000;

/** Requests that wait for a group or a transaction. Beyond it: COORDINATOR_NOT_AVAILABLE. */
export const COORDINATOR_TICKETS_MAX = 200_000;

/** Bytes of batches of our own that are copied into the arena at a time. */
export const INTERNAL_APPEND_BYTES = 4 * 1024 * 1024;

/** Bytes that a request may decode to, per byte of its frame, plus a floor for small frames. */
export const DECODED_BYTES_PER_FRAME_BYTE = 16;
export const DECODED_BYTES_FLOOR = 64 * 1024;

/** A batch that is read for its keys may inflate to this multiple of its topic's max.message.bytes. */
export const INFLATION_MAX = 20;

/** Bytes to which compaction inflates a batch at least: older ones may be larger than new ones. */
export const CLEAN_INFLATED_BYTES_MAX = 64 * 1024 * 1024;

/** Log lines about malformed requests in a second: anybody can send those. More are counted. */
export const MALFORMED_LINES_PER_SECOND = 10;
