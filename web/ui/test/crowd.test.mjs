// A mesh of 2,000 services: pages hold what is looked at, not all that there is.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { browser, looks, open, sound, visit } from "./browser.mjs";

after(() => browser.close());

const elements = (page) => page.evaluate(() => document.querySelectorAll("*").length);

// blocked says how long the page could not answer while it came up: of each task what is beyond 50 ms.
async function blocked(page) {
  await page.addInitScript(() => {
    globalThis.blocked = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((e) => (globalThis.blocked += e.duration - 50))).observe({ type: "longtask", buffered: true });
  });
}

test("the map of all of them", async () => {
  const page = await open();
  await blocked(page);
  const client = await page.context().newCDPSession(page);
  await client.send("Network.enable");
  let bytes = 0;
  let topology = "";
  client.on("Network.responseReceived", (e) => e.response.url.includes("/topology") && (topology ||= e.requestId));
  client.on("Network.loadingFinished", (e) => e.requestId === topology && (bytes = e.encodedDataLength));
  for (const [what, path, shown] of [
    ["empty page", "nowhere", () => page.getByText("There is no such page").waitFor()],
    ["what needs attention", "map", () => page.getByRole("button", { name: /failing/ }).first().waitFor()],
    ["2,000 services", "map?show=services", () => page.getByRole("img", { name: /^2000 services/ }).waitFor()],
    ["50 namespaces", "map?show=namespaces", () => page.getByRole("button", { name: /^namespace team-49/ }).waitFor()],
  ]) {
    const began = performance.now();
    await visit(page, path);
    await shown();
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    const took = performance.now() - began;
    console.log(`measured: ${what}: ${Math.round(took)} ms until it answers, ${Math.round(await page.evaluate(() => globalThis.blocked))} ms of them blocked, ${await elements(page)} elements`);
    await sound(page, path);
  }
  assert.ok(bytes > 1000 && bytes < 150_000, `${bytes} bytes each second, want at most 150,000`);
});

test("what fails is found among them, and the wheel and the pointer lead to others", async () => {
  const page = await open();
  await visit(page, "map?show=services");
  const canvas = page.getByRole("img", { name: /^2000 services/ });
  await canvas.waitFor();
  assert.ok((await elements(page)) < 400, "a crowd is drawn, not built");
  const box = await canvas.boundingBox();
  // Somewhere in the middle the pointer meets a service.
  for (let x = 0; (await page.locator(".window .name").count()) === 0 && x < 60; x++) {
    await page.mouse.move(box.x + box.width / 2 + x * 4, box.y + box.height / 2);
  }
  const met = await page.locator(".window .name").innerText();
  await page.mouse.down();
  await page.mouse.up();
  await page.getByRole("complementary").getByText(met.split(" ")[0]).first().waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("t");
  const table = page.getByRole("table");
  await table.locator("tbody tr").first().getByText("12.4").waitFor();
  assert.ok(Number(await table.getAttribute("aria-rowcount")) > 2000);
  assert.ok((await page.locator("tbody tr").count()) < 100, "of a long table only what is looked at is there");
});

test("the list of services goes on where one scrolls", async () => {
  const page = await open();
  await visit(page, "services");
  const row = page.locator("tbody tr[data-row]");
  await row.first().getByText(/12% of its requests fail/).first().waitFor({ state: "attached" });
  for (let i = 0; i < 100 && !(await page.locator('tr[aria-rowindex="2001"]').count()); i++) {
    await page.mouse.wheel(0, 20_000);
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  }
  await page.locator('tr[aria-rowindex="2001"]').waitFor();
  assert.ok((await row.count()) < 100, `${await row.count()} rows`);
  await sound(page, "services");
});

test("the last hours are looked at again, minute by minute", async () => {
  const page = await open();
  const at = new Date(Date.now() - 10 * 60_000).toISOString();
  await visit(page, "map?show=services&at=" + at);
  await page.getByText("3 failing").waitFor();
  const minute = page.getByRole("slider", { name: "Minute" });
  await minute.press("Home");
  await page.getByText("3 failing").waitFor({ state: "detached" });
  await page.getByRole("img", { name: /^1\d\d\d services/ }).waitFor(); // those that nobody called are not known
  const first = new URL(page.url()).searchParams.get("at");
  assert.ok(Date.parse(at) - Date.parse(first) > 2 * 3600_000, first);
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await page.waitForFunction((was) => new URL(location.href).searchParams.get("at") !== was, first);
  await page.getByRole("button", { name: "Pause" }).click();
  await sound(page, "replay");
  await page.getByRole("button", { name: "Back to now" }).click();
  await page.getByText("3 failing").waitFor();
  assert.equal(new URL(page.url()).searchParams.get("at"), null);
});

test("dashboards hold the lines that count, and say how many more there are", async () => {
  for (const look of looks) {
    const page = await open(look);
    await visit(page, "dashboards?range=6h");
    const callers = page.getByRole("region", { name: "Requests by caller" });
    await callers.getByText("and 18 lower ones").waitFor();
    assert.equal(await callers.locator("li").count(), 13);
    await callers.locator(".plot").hover({ position: { x: 60, y: 40 } });
    await page.getByRole("region", { name: "Latency", exact: true }).locator(".here").waitFor(); // one axis for all
    await page.getByLabel("namespace").selectOption("team-07");
    await page.getByLabel("Shown time").selectOption("15m");
    assert.equal(new URL(page.url()).searchParams.get("range"), "15m");
    await page.getByRole("navigation", { name: "Dashboards" }).getByRole("link", { name: "Control plane" }).click();
    await page.getByRole("region", { name: "Commits" }).locator("path").first().waitFor({ state: "attached" });
    await sound(page, "dashboards");
    if (process.env.WEFT_PICTURES) {
      await visit(page, "dashboards");
      await callers.waitFor();
      await page.screenshot({ path: `${process.env.WEFT_PICTURES}/${look.colorScheme}-${look.width}.png`, fullPage: true });
    }
  }
});
