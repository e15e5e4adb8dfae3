// Testing a handler natively: no component, no server, no network.

import { answer, rest } from "./host.js";

let busy = false;

export class Host {
  #variables;
  #upstreams;

  constructor({ env = {}, secrets = {}, upstreams = {} } = {}) {
    this.#variables = new Map(Object.entries({ ...env, ...secrets }));
    this.#upstreams = new Map(Object.entries(upstreams).map(([url, app]) => [new URL(url).origin, app]));
    this.log = [];
    this.sent = [];
  }

  async call(app, request, init) {
    if (busy) {
      throw new Error("an instance answers one request at a time: `await` the call before");
    }
    busy = true;
    const outside = globalThis.fetch;
    globalThis.fetch = (resource, init) => this.#fetch(new Request(resource, init));
    try {
      const resource = request instanceof Request ? request : new URL(request, "http://test.localhost");
      return await answer(app, new Request(resource, init), {
        variable: (name) => this.#variables.get(name),
        line: (text) => this.log.push(JSON.parse(text)),
      });
    } finally {
      globalThis.fetch = outside;
      rest();
      busy = false;
    }
  }

  /** A request of the handler's, to what stands for who is called. */
  async #fetch(request) {
    const { origin } = new URL(request.url);
    const upstream = this.#upstreams.get(origin);
    if (upstream === undefined) {
      // As where `egress` doesn't name it.
      throw new TypeError(`this test's host has no upstream for ${origin}: \`upstreams: { "${origin}": (request) => … }\``);
    }
    this.sent.push(request.clone());
    return upstream(request);
  }
}
