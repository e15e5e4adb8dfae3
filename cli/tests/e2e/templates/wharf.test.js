// What a project in JavaScript has of Wharf, natively: copied into one beside its own test.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { env, log, secret } from "#wharf";
import { Host } from "#wharf/test";

const app = (answer) => ({ fetch: async (request) => (await answer(request)) ?? new Response() });

test("there is what the host gives, while it answers", async () => {
  const host = new Host({ env: { A: "b" }, secrets: { KEY: "hunter2" } });
  await host.call(app(() => {
    assert.equal(env("A"), "b");
    assert.equal(env("PATH"), undefined);
    assert.equal(secret("KEY").expose(), "hunter2");
  }), "/");
  assert.deepEqual(host.log, []);
  assert.throws(() => env("A"), /while a request is answered/);
});

test("a secret does not print", async () => {
  const host = new Host({ secrets: { KEY: "hunter2" } });
  await host.call(app(() => {
    const key = secret("KEY");
    for (const shown of [`${key}`, JSON.stringify({ key }), inspect({ key }), String([key])]) {
      assert.match(shown, /redacted/);
      assert.doesNotMatch(shown, /hunter2/);
    }
    log.info("used", { key });
  }), "/");
  assert.deepEqual(host.log, [{ level: "info", message: "used", fields: { key: "Secret(redacted)" } }]);
});

test("a secret that isn't granted is an error in the log, with how to grant it", async () => {
  const host = new Host();
  const answer = await host.call(app(() => secret("KEY")), "/", { headers: { "x-request-id": "r1" } });
  assert.deepEqual([answer.status, await answer.text()], [500, "internal error\n"]);
  const [{ level, message, requestId }] = host.log;
  assert.deepEqual([level, requestId], ["error", "r1"]);
  assert.match(message, /secrets = { KEY = /);
  assert.match(message, /wharf\.test\.js/);
});

test("lines have the request's ids, and are as many as LOG_LEVEL says", async () => {
  const levels = async (level) => {
    const host = new Host({ env: level ? { LOG_LEVEL: level } : {} });
    const headers = { traceparent: "00-6b0266a29af24fb7be55993b51f072b6-c0d439b133e6df65-01" };
    await host.call(app(() => Object.values(log).forEach((write) => write("x"))), "/", { headers });
    for (const line of host.log) {
      assert.equal(line.traceId, "6b0266a29af24fb7be55993b51f072b6");
    }
    return host.log.map((line) => line.level).join();
  };
  assert.equal(await levels(), "error,warn,info");
  assert.equal(await levels("trace"), "error,warn,info,debug,trace");
  assert.equal(await levels("nonsense"), "error,warn,info");
  assert.equal(await levels("off"), "");
});

test("whatever is logged is a line", async () => {
  const host = new Host();
  await host.call(app(() => {
    const round = { big: 1n, error: new Error("no") };
    round.round = round;
    log.warn("odd", { round, twice: [round.error, round.error] });
  }), "/");
  const { round } = host.log[0].fields;
  assert.deepEqual([round.big, round.round], ["1", "[circular]"]);
  assert.match(round.error, /^Error: no/);
});

test("what is fetched is answered by who stands for it, and nobody else", async () => {
  const host = new Host({ upstreams: { "https://api.example.com": (request) => new Response(`to ${request.method}`) } });
  const before = globalThis.fetch;
  const asks = app(async () => {
    const answer = await fetch("https://api.example.com/x", { method: "POST", body: "hi" });
    assert.equal(await answer.text(), "to POST");
    await assert.rejects(fetch("https://elsewhere.example.com"), /no upstream for https:\/\/elsewhere/);
  });
  assert.equal((await host.call(asks, "/")).status, 200);
  assert.deepEqual(host.sent.map((request) => request.url), ["https://api.example.com/x"]);
  assert.equal(await host.sent[0].text(), "hi");
  assert.equal(globalThis.fetch, before);
});

test("what is no handler, or answers nothing, is told", async () => {
  const host = new Host();
  assert.equal((await host.call({ fetch: () => "text" }, "/")).status, 500);
  assert.equal((await host.call({}, "/")).status, 500);
  assert.match(host.log[0].message, /has to return a Response/);
  assert.match(host.log[1].message, /export default/);
});
