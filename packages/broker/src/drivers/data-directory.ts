import type { CatalogImage } from "@mantou/catalog";
import { METADATA_TOPIC } from "@mantou/catalog";
import type { LogStore, StoreDescription } from "@mantou/io";
import { IoError } from "@mantou/io";
import type { Ambient } from "../ambient.ts";
import { newUuid } from "./metadata.ts";

/** Names a fresh directory; refuses one that belongs to somebody else. Gives the cluster's id. */
export async function claimDirectory(
  logs: LogStore,
  store: StoreDescription,
  { nodeId, logDir }: { readonly nodeId: number; readonly logDir: string },
  ambient: Ambient,
): Promise<string> {
  if (store.nodeId !== null && store.nodeId !== nodeId) {
    throw new IoError(
      "FORMAT",
      `${logDir} belongs to node ${store.nodeId}, this is node ${nodeId}: ` +
        "set node.id, or give another --data-dir",
    );
  }
  if (store.clusterId !== null) return store.clusterId;
  const clusterId = newUuid(ambient);
  await logs.format(clusterId, nodeId);
  return clusterId;
}

/**
 * Refuses a directory whose metadata is lost while its logs are there: they would be taken for
 * those of deleted topics, and removed. To be asked when everything was replayed.
 */
export function refuseLogsWithoutMetadata(
  image: CatalogImage,
  store: StoreDescription,
  logDir: string,
): void {
  if (image.clusterId !== null) return;
  const others = store.logs.filter(({ topic }) => topic !== METADATA_TOPIC);
  if (others.length === 0) return;
  throw new IoError(
    "CORRUPT",
    `${logDir} holds ${others.length} logs but no metadata: ` +
      `restore ${METADATA_TOPIC}-0 from a copy, or move the directory away`,
  );
}
