/** Replaced when the binary is built (scripts/build-binary.ts). */
declare const MANTOU_BUILD_COMMIT: string | undefined;
declare const MANTOU_BUILD_VERSION: string | undefined;

/** The version of mantou. */
export const VERSION = typeof MANTOU_BUILD_VERSION === "string" ? MANTOU_BUILD_VERSION : "0.1.0";

/** The commit that the binary was built from. */
export const COMMIT = typeof MANTOU_BUILD_COMMIT === "string" ? MANTOU_BUILD_COMMIT : "source";
