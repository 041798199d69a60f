import createClient from "openapi-fetch";
import type { paths } from "./schema";

/** What the server says when it refuses: RFC 9457 problem details. */
export class ProblemError extends Error {
  readonly status: number;
  readonly title: string;

  constructor(status: number, title: string, detail: string) {
    super(detail);
    this.name = "ProblemError";
    this.status = status;
    this.title = title;
  }
}

/** The request did not reach the server, or its answer did not come back. */
export class UnreachableError extends Error {
  constructor() {
    super("unreachable");
    this.name = "UnreachableError";
  }
}

/** Typed by the server's OpenAPI description; a foreign page cannot send the header, so a command is ours. */
export const api = createClient<paths>({ headers: { "X-Watchkeeper": "1" } });

interface Answer<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

function problemOf(response: Response, body: unknown): ProblemError {
  const problem = (body ?? {}) as { title?: string; detail?: unknown };
  const title = problem.title ?? response.statusText;
  return new ProblemError(
    response.status,
    title,
    typeof problem.detail === "string" ? problem.detail : title,
  );
}

/** Return the answer's data; throw what the server said otherwise. */
export async function data<Data>(request: Promise<Answer<Data>>): Promise<Data> {
  const answer = await request.catch(() => {
    throw new UnreachableError();
  });
  if (!answer.response.ok) throw problemOf(answer.response, answer.error);
  return answer.data as Data;
}
