// What a function sees of Wharf: values, secrets and the log. `fetch` is the platform's own, over `egress` of wharf.toml.

import { host, ids } from "./host.js";

const LEVELS = ["off", "error", "warn", "info", "debug", "trace"];

export function env(name) {
  return host().variable(name);
}

export function secret(name) {
  const value = host().variable(name);
  if (value === undefined) {
    throw new Error(
      `no secret \`${name}\`: grant it in wharf.toml, \`secrets = { ${name} = "the-secret's-name" }\` under [task]`,
    );
  }
  return new Secret(value);
}

/** A value that does not print. */
export class Secret {
  #value;

  constructor(value) {
    this.#value = value;
  }

  expose() {
    return this.#value;
  }

  toString() {
    return "Secret(redacted)";
  }

  toJSON() {
    return this.toString();
  }

  // What Node's console.log and assert show.
  [Symbol.for("nodejs.util.inspect.custom")]() {
    return this.toString();
  }
}

export const log = Object.fromEntries(
  LEVELS.slice(1).map((level) => [level, (message, fields) => write(level, message, fields)]),
);

function write(level, message, fields) {
  const most = LEVELS.indexOf(host().variable("LOG_LEVEL") ?? "info");
  if (LEVELS.indexOf(level) > (most === -1 ? LEVELS.indexOf("info") : most)) {
    return;
  }
  const line = { level, message: String(message), ...ids() };
  if (fields !== undefined) {
    line.fields = fields;
  }
  host().line(text(line));
}

function text(line) {
  const seen = [];
  return JSON.stringify(line, function (_, value) {
    if (typeof value === "bigint") {
      return value.toString();
    }
    if (value instanceof Error) {
      return value.stack ? `${value}\n${value.stack}` : String(value);
    }
    if (typeof value === "object" && value !== null) {
      // What is open is above: an object within itself would have no end.
      while (seen.length > 0 && seen.at(-1) !== this) {
        seen.pop();
      }
      if (seen.includes(value)) {
        return "[circular]";
      }
      seen.push(value);
    }
    return value;
  });
}
