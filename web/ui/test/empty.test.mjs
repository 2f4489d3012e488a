// A mesh of which nothing is known yet: each place says in a sentence what it is for, and with which command it fills.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { browser, looks, open, sound, visit } from "./browser.mjs";

after(() => browser.close());

const most = 350_000; // bytes of the first load

test("the first load is small", async () => {
  const page = await open({ ...looks[0] });
  const client = await page.context().newCDPSession(page);
  await client.send("Network.enable");
  let bytes = 0;
  client.on("Network.loadingFinished", (e) => (bytes += e.encodedDataLength));
  await client.send("Network.setCacheDisabled", { cacheDisabled: true });
  await page.reload();
  await page.getByText("No service is known yet").waitFor();
  assert.ok(bytes > 10_000 && bytes <= most, `${bytes} bytes, at most ${most}`);
});

const sentences = {
  services: ["No service is known yet", "weft run"],
  map: ["Nothing is on the map yet", "weft run"],
  traces: ["No request has been told of yet", "traceparent"],
  releases: ["Nothing has been released yet", "weft release start"],
  dashboards: ["Nothing was counted of this", "weft query"],
  explain: ["Say who calls, and what", "weft explain"],
  fleet: ["No workload is in the mesh yet", "weft token create"],
  problems: ["Everything that is written has its effect", "weft get problems"],
};

for (const look of [looks[1], looks[2]]) {
  test(`nothing is known, ${look.colorScheme} ${look.width}`, async () => {
    const page = await open(look);
    for (const [path, [sentence, command]] of Object.entries(sentences)) {
      await visit(page, path);
      await page.getByText(sentence).waitFor();
      await page.locator("code", { hasText: command }).waitFor();
      await sound(page, path);
    }
    assert.equal(await page.locator(".attention").count(), 0);
  });
}
