import type { Uuid } from "@mantou/base";
import type { CatalogImage } from "@mantou/catalog";
import type { TopicsView } from "@mantou/groups";

/** The cluster's topics as the group coordinator sees them: always those of now. */
export class ImageTopics implements TopicsView {
  constructor(private readonly image: () => CatalogImage) {}

  exists(name: string): boolean {
    return this.image().topicByName(name) !== undefined;
  }

  idOf(name: string): Uuid | undefined {
    return this.image().topicByName(name)?.topicId;
  }

  nameOf(topicId: Uuid): string | undefined {
    return this.image().topicById(topicId)?.name;
  }

  partitionCount(name: string): number {
    return this.image().topicByName(name)?.partitionCount ?? 0;
  }

  racksOf(name: string, partition: number): readonly string[] {
    const image = this.image();
    const racks = new Set<string>();
    for (const nodeId of image.topicByName(name)?.replicasOf(partition) ?? []) {
      const rack = image.broker(nodeId)?.rack ?? null;
      if (rack !== null) racks.add(rack);
    }
    return [...racks];
  }

  names(): Iterable<string> {
    return this.image().topicsByName.keys();
  }
}
