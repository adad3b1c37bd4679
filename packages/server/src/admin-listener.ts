import { IoError } from "@mantou/io";

/** The port that Prometheus users of such brokers know. */
export const ADMIN_ADDRESS = { host: "127.0.0.1", port: 9644 } as const;

/** What the listener asks when somebody asks it. */
export interface AdminAnswers {
  /** Why clients are not served as they should be, or null. */
  readonly unreadiness: () => string | null;
  /** The metrics as text. */
  readonly metrics: () => Promise<string>;
  readonly metricsContentType: string;
}

export interface AdminListener {
  /** Where it listens, as a URL without a path. */
  readonly url: string;
  stop(): void;
}

const TEXT = "text/plain; charset=utf-8";
const PATHS = "/healthz\n/readyz\n/metrics\n";

const text = (body: string, status = 200, type = TEXT): Response =>
  new Response(body, { status, headers: { "content-type": type, "cache-control": "no-store" } });

/** Plain HTTP for people, probes and scrapers; it only reads. Throws IoError for a person. */
export function openAdminListener(
  address: { readonly host: string; readonly port: number },
  answers: AdminAnswers,
): AdminListener {
  const { host, port } = address;
  try {
    const server = Bun.serve({
      hostname: host === "" ? "0.0.0.0" : host,
      port,
      development: false,
      // Two brokers must not share it: each scrape would find another one.
      reusePort: false,
      // Nobody has anything to send here.
      maxRequestBodySize: 1024,
      fetch: (request) => answer(request, answers),
      error: () => text("the request failed\n", 500),
    });
    const shown = host.includes(":") ? `[${host}]` : host === "" ? "0.0.0.0" : host;
    return { url: `http://${shown}:${server.port}`, stop: () => void server.stop(true) };
  } catch (error) {
    const { code = "EINVAL", message } = error as { code?: string; message: string };
    const why = REASONS[code] ?? message;
    throw new IoError(code, `admin listener ${host}:${port}: ${why}`);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "the address is in use: choose another one with --admin-listen, or none",
  EACCES: "permission denied: choose a port from 1024 on with --admin-listen",
  EADDRNOTAVAIL: "this machine does not have that address",
};

async function answer(request: Request, answers: AdminAnswers): Promise<Response> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return text("only GET is answered here\n", 405);
  }
  switch (new URL(request.url).pathname) {
    case "/healthz":
      // That it is answered is the point: this runs on the one thread that decides everything.
      return text("ok\n");
    case "/readyz": {
      const reason = answers.unreadiness();
      return reason === null ? text("ready\n") : text(`${reason}\n`, 503);
    }
    case "/metrics":
      return text(await answers.metrics(), 200, answers.metricsContentType);
    case "/":
      return text(PATHS);
    default:
      return text(`there is no such path; there are:\n${PATHS}`, 404);
  }
}
