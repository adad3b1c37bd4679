import type { LogId } from "@mantou/base";
import type { DescribeLogDirsRequest, DescribeLogDirsResponse } from "@mantou/protocol";
import { ErrorCode } from "@mantou/protocol";
import type { BrokerContext, Call, Outcome } from "../handler.ts";
import { answer } from "../handler.ts";

interface Hosted {
  readonly topic: string;
  readonly partition: number;
  readonly logId: LogId;
}

/** The data directory, and what each partition in it takes. */
export function handleDescribeLogDirs(
  broker: BrokerContext,
  _call: Call,
  request: DescribeLogDirsRequest,
): Outcome<DescribeLogDirsResponse> {
  const hosted = hostedPartitions(broker, request);
  const bytes = new Float64Array(hosted.length);
  broker.logs.sizes(
    Uint32Array.from(hosted, ({ logId }) => logId),
    bytes,
  );
  const byTopic = new Map<string, DescribeLogDirsResponse["results"][number]["topics"][number]>();
  for (const [index, { topic, partition }] of hosted.entries()) {
    const entry = byTopic.get(topic) ?? { name: topic, partitions: [] };
    byTopic.set(topic, entry);
    entry.partitions.push({
      partitionIndex: partition,
      partitionSize: bytes[index] as number,
      // How far this copy is behind the one it replaces or follows: there is no other copy here.
      offsetLag: 0,
      isFutureKey: false,
    });
  }
  const volume = broker.logs.stats();
  return answer({
    throttleTimeMs: 0,
    errorCode: ErrorCode.NONE,
    results: [
      {
        errorCode: ErrorCode.NONE,
        logDir: broker.config.logDir,
        topics: [...byTopic.values()],
        totalBytes: volume.totalBytes,
        usableBytes: volume.freeBytes,
        isCordoned: false,
      },
    ],
  });
}

function hostedPartitions(broker: BrokerContext, request: DescribeLogDirsRequest): Hosted[] {
  const hosted: Hosted[] = [];
  const add = (name: string, wanted: Iterable<number> | null): void => {
    const topic = broker.image.topicByName(name);
    if (topic === undefined) return;
    for (const partition of wanted ?? Array(topic.partitionCount).keys()) {
      const logId = broker.logOf(topic.topicId, partition);
      if (logId !== -1) hosted.push({ topic: name, partition, logId });
    }
  };
  if (request.topics === null) {
    for (const name of broker.image.topicNamesSorted()) add(name, null);
  } else {
    for (const { topic, partitions } of request.topics) add(topic, new Set(partitions));
  }
  return hosted;
}
