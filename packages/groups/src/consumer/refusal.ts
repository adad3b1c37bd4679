import { ErrorCode } from "@mantou/protocol";

/** Why a request is refused: an error of the protocol, and a text for people. */
export interface Refusal {
  readonly errorCode: ErrorCode;
  readonly errorMessage: string;
}

export const refuse = (errorCode: ErrorCode, errorMessage: string): Refusal => ({
  errorCode,
  errorMessage,
});

export const invalidRequest = (errorMessage: string): Refusal =>
  refuse(ErrorCode.INVALID_REQUEST, errorMessage);
