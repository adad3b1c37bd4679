// What the Node members of a group share: events on stdout in the form of Apache's
// VerifiableConsumer, a JSON object a line; SIGTERM leaves the group.
export const options = JSON.parse(process.argv.at(-1));

export function emit(name, fields = {}) {
  process.stdout.write(`${JSON.stringify({ name, ...fields })}\n`);
}

let held = [];

/** An eager assignment: what was held goes, what is given comes. */
export function assigned(partitions) {
  if (held.length > 0) emit("partitions_revoked", { partitions: held });
  held = partitions.map((partition) => ({ topic: options.topic, partition }));
  emit("partitions_assigned", { partitions: held });
}

export function consumed(partition, minOffset, maxOffset) {
  const { topic } = options;
  emit("records_consumed", { partitions: [{ topic, partition, minOffset, maxOffset }] });
}

export function committed(partition, offset) {
  const { topic } = options;
  emit("offsets_committed", { success: true, offsets: [{ topic, partition, offset }] });
}

export function onStop(leave) {
  process.once("SIGTERM", async () => {
    await leave();
    emit("shutdown_complete");
    process.exit(0);
  });
}
