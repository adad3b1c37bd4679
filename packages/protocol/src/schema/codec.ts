import type { Decoder } from "./decode-compiler.ts";
import { compileDecoder } from "./decode-compiler.ts";
import type { Encoder } from "./encode-compiler.ts";
import { compileEncoder } from "./encode-compiler.ts";
import { DecodeError, EncodeError } from "./failure.ts";
import type { Reader } from "./reader.ts";
import type { Target } from "./shape.ts";
import type { Type, TypeNode } from "./types.ts";
import type { Writer } from "./writer.ts";

/** A message's encoding in all of its versions. `Value` is what decode gives, `Input` what encode takes. */
export interface Codec<Value, Input = Value> {
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
  /** First version with compact lengths and tagged fields; Infinity: none. */
  readonly flexibleFrom: number;
  /** The schema as data. */
  readonly schema: TypeNode;
  /**
   * Reads one message at the reader's position. Bytes behind it are left to the caller.
   * Throws {@link DecodeError}; the reader then needs a `reset`.
   */
  decode(reader: Reader, version: number): Value;
  /**
   * Appends one message to the writer. Throws {@link EncodeError}, and then has written nothing:
   * for a value out of its type's range, and for one that the version cannot say.
   */
  encode(writer: Writer, value: Input, version: number): void;
}

export interface CodecOptions {
  /** Names the message in errors, such as `ProduceRequest`. */
  readonly name: string;
  /** Lowest and highest version. */
  readonly versions: readonly [number, number];
  /** First version with compact lengths and tagged fields. Without: none. */
  readonly flexible?: number;
}

/** A codec for a struct. Each version is compiled when it is first used. */
export function defineCodec<Out extends In, In>(
  schema: Type<Out, In>,
  options: CodecOptions,
): Codec<Out, In> {
  return new CompiledCodec<Out, In>(schema.node, options);
}

/** What the fast forms are given: they keep no path. */
const NO_PATH: string[] = [];

class CompiledCodec<Value, Input> implements Codec<Value, Input> {
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
  readonly flexibleFrom: number;
  private readonly decoders: (Decoder | undefined)[];
  private readonly encoders: (Encoder | undefined)[];
  /** Kept, since malformed frames come in floods and compiling is the dearest part of a refusal. */
  private readonly tracedDecoders: (Decoder | undefined)[];

  constructor(
    readonly schema: TypeNode,
    options: CodecOptions,
  ) {
    this.name = options.name;
    this.minVersion = options.versions[0];
    this.maxVersion = options.versions[1];
    this.flexibleFrom = options.flexible ?? Infinity;
    this.decoders = new Array(this.maxVersion + 1).fill(undefined);
    this.encoders = new Array(this.maxVersion + 1).fill(undefined);
    this.tracedDecoders = new Array(this.maxVersion + 1).fill(undefined);
  }

  decode(reader: Reader, version: number): Value {
    const decoder = this.decoders[version] ?? this.compiledDecoder(reader, version);
    const at = reader.at;
    const end = reader.end;
    const budgetBytes = reader.budgetBytes;
    try {
      return decoder(reader, NO_PATH) as Value;
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      throw this.named(error, reader.reset(at, end - at, budgetBytes), version);
    }
  }

  encode(writer: Writer, value: Input, version: number): void {
    const encoder = this.encoders[version] ?? this.compiledEncoder(version);
    const length = writer.length;
    const fileCount = writer.files.length;
    try {
      encoder(writer, value, NO_PATH);
    } catch (error) {
      writer.rewind(length, fileCount);
      if (!(error instanceof EncodeError)) throw error;
      const named = this.namedEncode(error, writer, value, version);
      writer.rewind(length, fileCount);
      throw named;
    }
  }

  private target(version: number): Target {
    return { name: this.name, version, flexible: version >= this.flexibleFrom };
  }

  private has(version: number): boolean {
    return Number.isInteger(version) && version >= this.minVersion && version <= this.maxVersion;
  }

  private compiledDecoder(reader: Reader, version: number): Decoder {
    if (!this.has(version)) {
      throw new DecodeError(`${this.name} has no version ${version}`, reader.at);
    }
    const decoder = compileDecoder(this.schema, this.target(version), false);
    this.decoders[version] = decoder;
    return decoder;
  }

  private compiledEncoder(version: number): Encoder {
    if (!this.has(version)) throw new EncodeError(`${this.name} has no version ${version}`);
    const encoder = compileEncoder(this.schema, this.target(version), false);
    this.encoders[version] = encoder;
    return encoder;
  }

  /** Decodes once more with the traced form, to learn which field was at fault. */
  private named(error: DecodeError, reader: Reader, version: number): DecodeError {
    const path: string[] = [];
    const known = this.tracedDecoders[version];
    const decoder = known ?? compileDecoder(this.schema, this.target(version), true);
    this.tracedDecoders[version] = decoder;
    try {
      decoder(reader, path);
    } catch (traced) {
      if (!(traced instanceof DecodeError)) throw traced;
      const field = path.join("").slice(1);
      const where = `${this.name} v${version}${field === "" ? "" : `, ${field}`}`;
      const text = `${where}: ${traced.message} (at byte ${traced.position})`;
      return new DecodeError(text, traced.position, field);
    }
    return error;
  }

  private namedEncode(
    error: EncodeError,
    writer: Writer,
    value: Input,
    version: number,
  ): EncodeError {
    const path: string[] = [];
    try {
      compileEncoder(this.schema, this.target(version), true)(writer, value, path);
    } catch (traced) {
      if (!(traced instanceof EncodeError)) throw traced;
      const field = path.join("").slice(1);
      const where = `${this.name} v${version}${field === "" ? "" : `, ${field}`}`;
      return new EncodeError(`${where}: ${traced.message}`, field);
    }
    return error;
  }
}
