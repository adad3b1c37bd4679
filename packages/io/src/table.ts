/** Rows of 32-bit words, also seen as doubles. Owned by the caller and reused for every call. */
export class Table {
  readonly words: Uint32Array;
  readonly doubles: Float64Array;

  /** @param rowWords words a row, even. @param capacity rows. */
  constructor(
    readonly rowWords: number,
    readonly capacity: number,
  ) {
    const buffer = new ArrayBuffer(rowWords * capacity * 4);
    this.words = new Uint32Array(buffer);
    this.doubles = new Float64Array(buffer);
  }

  word(row: number, field: number): number {
    return this.words[row * this.rowWords + field] as number;
  }

  signed(row: number, field: number): number {
    return (this.words[row * this.rowWords + field] as number) | 0;
  }

  double(row: number, field: number): number {
    return this.doubles[row * (this.rowWords >> 1) + field] as number;
  }

  setWord(row: number, field: number, value: number): void {
    this.words[row * this.rowWords + field] = value;
  }

  setDouble(row: number, field: number, value: number): void {
    this.doubles[row * (this.rowWords >> 1) + field] = value;
  }
}
