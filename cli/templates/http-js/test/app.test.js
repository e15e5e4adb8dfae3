import assert from "node:assert/strict";
import { test } from "node:test";

import app from "#app";
import { Host } from "#wharf/test";

test("it greets as the environment says", async () => {
  const host = new Host({ env: { GREETING: "good day" } });
  assert.equal(await (await host.call(app, "/")).text(), "good day, world\n");
  const answer = await host.call(app, "/hello/Ada");
  assert.deepEqual(await answer.json(), { greeting: "good day, Ada" });
});

test("elsewhere is nothing", async () => {
  assert.equal((await new Host().call(app, "/nowhere")).status, 404);
});
