/** What `src/app.js` exports as its default. */
export interface App {
  /** Answers a request. What it throws is in the log; the client gets a 500. */
  fetch(request: Request): Response | Promise<Response>;
}

/**
 * The value of a variable of `env` in `wharf.toml`, or of one that Wharf sets (`WHARF_TASK_ID`, `WHARF_SERVICE`,
 * `WHARF_REVISION`, `WHARF_NAMESPACE`). Ask while a request is answered, not at the top of a module: that runs when the
 * component is built.
 */
export function env(name: string): string | undefined;

/**
 * The secret that `secrets` in `wharf.toml` grants under this name.
 *
 * @throws if there is none; the message says how to grant it.
 */
export function secret(name: string): Secret;

/** A value that does not print: as text, as JSON and for `console.log` it is `Secret(redacted)`. */
export class Secret {
  private constructor();
  /** The value. Called where it is used, so that the uses are easy to find. */
  expose(): string;
  toString(): "Secret(redacted)";
  toJSON(): "Secret(redacted)";
}

/** Writes a line of the log, with what it is about in `fields`. */
export type Write = (message: string, fields?: Record<string, unknown>) => void;

/**
 * The log: a line of JSON on standard error each, with level, message, fields and the request's ids, as the SDK for Rust
 * writes them. `LOG_LEVEL` under `env` in `wharf.toml` (`off`, `error`, `warn`, `info`, `debug`, `trace`; `info` if it
 * isn't set) says how much is told.
 */
export const log: Readonly<Record<"error" | "warn" | "info" | "debug" | "trace", Write>>;
