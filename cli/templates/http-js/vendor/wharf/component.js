// Where the component begins: requests from Wharf to the handler, and what Wharf grants. The engine's own `fetch` event
// serves one request of an instance and no second one; here an instance serves as many as come.

import { getEnvironment } from "wasi:cli/environment@0.2.10";
import { Fields, OutgoingBody, OutgoingResponse, ResponseOutparam } from "wasi:http/types@0.2.10";
import app from "#app";

import { answer } from "./host.js";

/** What is read at once. */
const READ = 64n * 1024n;
/** What `blocking-write-and-flush` takes. */
const WRITE = 4096;

// It stays as it is as long as the instance does, and is not there yet when the component is built.
let variables;

const WHARF = {
  variable(name) {
    variables ??= new Map(getEnvironment());
    return variables.get(name);
  },
  // One line on standard error, which is the task's log.
  line(text) {
    console.error(text);
  },
};

export const incomingHandler = {
  async handle(incoming, out) {
    await send(await answer(app, received(incoming), WHARF), out);
  },
};

function received(incoming) {
  const { tag, val } = incoming.method();
  const method = tag === "other" ? val : tag.toUpperCase();
  const scheme = incoming.scheme()?.tag === "HTTPS" ? "https" : "http";
  const url = `${scheme}://${incoming.authority() ?? "localhost"}${incoming.pathWithQuery() ?? "/"}`;
  const decoder = new TextDecoder();
  const headers = new Headers();
  const fields = incoming.headers();
  for (const [name, value] of fields.entries()) {
    headers.append(name, decoder.decode(value));
  }
  fields[Symbol.dispose]();
  const init = { method, headers };
  if (method !== "GET" && method !== "HEAD") {
    init.body = read(incoming);
  }
  incoming[Symbol.dispose]();
  return new Request(url, init);
}

/** The body, whole: the task's memory is its bound. */
function read(incoming) {
  const body = incoming.consume();
  const stream = body.stream();
  const chunks = [];
  try {
    for (;;) {
      chunks.push(stream.blockingRead(READ));
    }
  } catch (error) {
    if (error.payload?.tag !== "closed") {
      throw new Error("the request's body was cut off", { cause: error });
    }
  } finally {
    stream[Symbol.dispose]();
    body[Symbol.dispose]();
  }
  const whole = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

async function send(response, out) {
  const encoder = new TextEncoder();
  const headers = [...response.headers].map(([name, value]) => [name, encoder.encode(value)]);
  const outgoing = new OutgoingResponse(Fields.fromList(headers));
  outgoing.setStatusCode(response.status);
  const body = outgoing.body();
  ResponseOutparam.set(out, { tag: "ok", val: outgoing });
  const stream = body.write();
  try {
    await write(response.body, stream);
  } finally {
    stream[Symbol.dispose]();
  }
  OutgoingBody.finish(body, undefined);
}

/** Chunk for chunk, as they come. */
async function write(from, to) {
  if (from === null) {
    return;
  }
  const reader = from.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      return;
    }
    for (let at = 0; at < value.length; at += WRITE) {
      to.blockingWriteAndFlush(value.subarray(at, at + WRITE));
    }
  }
}
