// Answers requests: `GET /`, `GET /hello/NAME` and `GET /health`.

import { env, log } from "#wharf";

/** @type {import("#wharf").App} */
export default {
  async fetch(request) {
    if (request.method !== "GET") {
      return new Response("method not allowed\n", { status: 405, headers: { allow: "GET" } });
    }
    const pathname = decoded(new URL(request.url).pathname);
    if (pathname === "/") {
      return new Response(`${greeting()}, world\n`);
    }
    if (pathname === "/health") {
      return new Response("ok\n");
    }
    const [, name] = pathname.match(/^\/hello\/([^/]+)$/) ?? [];
    if (name) {
      log.info("greeted", { name });
      return Response.json({ greeting: `${greeting()}, ${name}` });
    }
    return new Response("not found\n", { status: 404 });
  },
};

/** As `env` in wharf.toml says. */
function greeting() {
  return env("GREETING") ?? "hello";
}

/** A path as a person reads it; one with a `%` that means nothing, as it is. */
function decoded(path) {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
