/** A group of the classic protocol. */
export class ClassicGroup {
  readonly type = "classic";
  constructor(readonly groupId: string) {}
}
