declare const brand: unique symbol;

/** A value of type `T` that cannot be mixed up with another `T` of a different meaning. */
export type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** A record's position in a partition. Integer, 0 to 2^53 - 1. */
export type Offset = Branded<number, "Offset">;
/** Milliseconds since the Unix epoch, as Kafka's timestamps. */
export type Millis = Branded<number, "Millis">;
/** The name of an open log in this process: given once, never reused. Unsigned 32 bit. */
export type LogId = Branded<number, "LogId">;
/** A topic or directory id in Kafka's text form: 22 characters of url-safe base64. */
export type Uuid = Branded<string, "Uuid">;

export const offset = (value: number): Offset => value as Offset;
export const millis = (value: number): Millis => value as Millis;
export const logId = (value: number): LogId => value as LogId;

/** The id that means "none": sixteen zero bytes. */
export const ZERO_UUID = "AAAAAAAAAAAAAAAAAAAAAA" as Uuid;
