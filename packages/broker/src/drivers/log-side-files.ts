import type { LogId } from "@mantou/base";
import { offset } from "@mantou/base";
import type { LogState, LogStore } from "@mantou/io";
import { BATCH_HEADER_DOUBLES, BatchHeader, IoError } from "@mantou/io";
import type { EpochEntry, PartitionTable, ProducerStates } from "@mantou/replication";
import {
  LEADER_EPOCH_CHECKPOINT,
  decodeLeaderEpochCheckpoint,
  encodeLeaderEpochCheckpoint,
} from "@mantou/replication";
import type { Ambient } from "../ambient.ts";

/** Producer states are written down this often, so that a crash replays at most so much. */
const SNAPSHOT_INTERVAL_MS = 60_000;
/** Snapshots kept per log: the newest may be ahead of what a crash leaves. */
const SNAPSHOTS_KEPT = 2;
/** Batch headers read by one call during replay. */
const HEADERS_PER_READ = 4096;
