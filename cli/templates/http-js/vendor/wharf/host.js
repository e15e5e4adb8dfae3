// What stands behind the functions of index.js: Wharf itself in a component, what a test pretends elsewhere.

let current;
let answering;

/** What there is now. */
export function host() {
  if (current === undefined) {
    throw new Error(
      "env, secret and log are there while a request is answered: what stands at the top of a module runs when the " +
        "component is built. In a test, `new Host({ env: { NAME: \"value\" } }).call(app, \"/\")` of `#wharf/test` is a host",
    );
  }
  return current;
}

/** What the gateway calls the request that is answered, as a line of the log has it. */
export function ids() {
  const found = {};
  // Version, trace, parent, flags.
  const trace = answering?.headers.get("traceparent")?.split("-")[1];
  const request = answering?.headers.get("x-request-id");
  if (trace) {
    found.traceId = trace;
  }
  if (request) {
    found.requestId = request;
  }
  return found;
}

/**
 * Answers a request: what goes wrong is told the log, and the client that it did.
 * An instance has one request at a time, so there is one host and one request.
 */
export async function answer(app, request, on) {
  current = on;
  answering = request;
  try {
    return await response(app, request);
  } catch (error) {
    on.line(JSON.stringify({ level: "error", message: told(error), ...ids() }));
    return new Response("internal error\n", { status: 500 });
  }
}

/** Nothing is answered any more. */
export function rest() {
  current = undefined;
  answering = undefined;
}

async function response(app, request) {
  if (typeof app?.fetch !== "function") {
    throw new TypeError("src/app.js has to export its handler: `export default { async fetch(request) { … } }`");
  }
  const response = await app.fetch(request);
  if (!(response instanceof Response)) {
    throw new TypeError(`fetch(request) has to return a Response, and returned ${typeof response}`);
  }
  return response;
}

function told(error) {
  if (!(error instanceof Error)) {
    return String(error);
  }
  // Not every engine's stack begins with the message.
  const stack = error.stack?.startsWith(String(error)) ? error.stack : `${error}\n${error.stack ?? ""}`;
  return stack.trimEnd();
}
