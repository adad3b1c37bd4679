import { parseAdminAddress } from "@mantou/catalog";
import type { Run } from "../command.ts";
import { Exit, Failure, usage } from "../failure.ts";
import { durationOf } from "../moments.ts";

const ADMIN_ADDRESS = "127.0.0.1:9644";
const TIMEOUT_MS = 5000;
/** More than an answer of this kind ever says. */
const ANSWER_LENGTH_MAX = 1000;

/** Asks a broker's admin listener, so that a container without curl has a health check. */
export const run: Run = async ({ values, environment }) => {
  const given = values.text("admin") ?? environment.variables["MANTOU_ADMIN_LISTEN"];
  const address = parseAdminAddress(given ?? ADMIN_ADDRESS);
  if (address === null)
    throw usage(`--admin ${JSON.stringify(given)} is not of the form HOST:PORT`);
  const timeout = values.text("timeout");
  const timeoutMs = timeout === null ? TIMEOUT_MS : durationOf("--timeout", timeout);
  const isWide = address.host === "" || address.host === "0.0.0.0" || address.host === "::";
  const host = isWide ? "127.0.0.1" : address.host;
  const origin = `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`;
  const url = `${origin}${values.has("alive") ? "/healthz" : "/readyz"}`;
  const { status, text } = await ask(url, timeoutMs);
  const isWell = status === 200;
  const answer = text.trim().slice(0, ANSWER_LENGTH_MAX);
  if (!isWell && status !== 503) {
    throw new Failure(
      "NOT_ADMIN",
      `${url} answers ${status}: that is no admin listener of mantou`,
      {
        hint: "see --admin-listen of mantou start",
      },
    );
  }
  return {
    data: { url, healthy: isWell, answer },
    view: [answer],
    exitCode: isWell ? Exit.OK : Exit.UNHEALTHY,
  };
};

async function ask(url: string, timeoutMs: number): Promise<{ status: number; text: string }> {
  // A proxy has nothing to do with it, and would answer for itself.
  process.env["NO_PROXY"] = "*";
  try {
    const response = await fetch(url, {
      signal: AbortSignal.timeout(timeoutMs),
      redirect: "manual",
    });
    return { status: response.status, text: await response.text() };
  } catch (error) {
    const late = error instanceof DOMException && error.name === "TimeoutError";
    const why = late ? `no answer within ${timeoutMs} ms` : "nobody answers";
    throw new Failure("UNREACHABLE", `${url}: ${why}`, {
      hint: "is a broker running, with --admin-listen at this address?",
    });
  }
}
