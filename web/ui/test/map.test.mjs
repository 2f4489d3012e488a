// The map of the shop: what fails is found, its neighbours are seen, and the table says the same.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { browser, open, visit } from "./browser.mjs";

after(() => browser.close());

const dot = (page, name) => page.getByRole("button", { name: new RegExp(`^${name}: `) });
const chosen = (page, name) => new URL(page.url()).searchParams.get(name);

test("from what fails to its page", async () => {
  const page = await open();
  await visit(page, "map");
  await dot(page, "reviews").click();
  const drawer = page.getByRole("complementary");
  await drawer.getByText(/50% of those to v2/).waitFor();
  await drawer.getByText("frontend v1 → reviews v2").waitFor();
  assert.equal(chosen(page, "pick"), "shop/reviews");
  await page.keyboard.press("Escape");
  await drawer.waitFor({ state: "detached" });
  await dot(page, "ratings").click();
  await drawer.getByText("v2 rolledback").waitFor();
  await dot(page, "reviews").focus();
  await page.keyboard.press("Enter");
  await page.locator(".verdict.bad").waitFor();
  assert.match(page.url(), /services\/shop\/reviews/);
  await page.getByRole("link", { name: "on the map" }).click();
  await dot(page, "v2").waitFor();
  assert.equal(chosen(page, "focus"), "shop/reviews");
});

test("a service in focus is taken apart by version, with its callers alone", async () => {
  const page = await open();
  await visit(page, "map");
  await dot(page, "reviews").focus();
  await page.keyboard.press("f");
  await dot(page, "v2").waitFor();
  assert.equal(chosen(page, "focus"), "shop/reviews");
  await dot(page, "frontend").waitFor();
  assert.equal(await dot(page, "cart").count(), 0);
  assert.match(await dot(page, "v2").locator(".said").textContent(), /failing, \d+\.\d\/s · 50.0% fail/);
  assert.match(await dot(page, "v1").locator(".said").textContent(), /well, \d+\.\d\/s/);
  await page.getByRole("button", { name: "back to all" }).click();
  await dot(page, "cart").waitFor();
});

test("the table says what the picture shows", async () => {
  const page = await open();
  await visit(page, "map");
  await dot(page, "reviews").waitFor();
  const said = await page.getByRole("status").innerText();
  await page.keyboard.press("t");
  const row = page.getByRole("table").locator("tbody tr");
  assert.match(await row.first().innerText(), /frontend\s*shop\s+reviews\s*shop\s+[\d.]+\s*\/s\s+5\.\d\s*%.*encrypted/s);
  assert.equal(Number(/(\d+) edges/.exec(said)[1]), await row.count());
  await page.reload();
  await row.first().waitFor();
});

test("what is found has its neighbours around it, and what is hidden is gone", async () => {
  const page = await open();
  await visit(page, "map");
  await dot(page, "cart").waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("ratings");
  await page.getByText("2 nodes, 1 edge").waitFor();
  await dot(page, "ratings").waitFor();
  await dot(page, "frontend").waitFor();
  await page.getByRole("searchbox").fill("ns:shop errors -ratings -cart");
  await page.getByText("2 nodes, 1 edge").waitFor();
  await dot(page, "reviews").waitFor();
  await page.getByRole("searchbox").fill("-cart");
  await dot(page, "ratings").waitFor();
  assert.equal(await dot(page, "cart").count(), 0);
  await page.getByRole("searchbox").fill("ns:nowhere");
  await page.getByText("Nothing is found by").waitFor();
});

test("while it is live everything stays where it is, and only what is meant is bright", async () => {
  const page = await open();
  await visit(page, "map");
  await dot(page, "reviews").waitFor();
  const where = () => page.locator(".card").evaluateAll((all) => all.map((e) => e.getAttribute("transform")).sort());
  const before = await where();
  const title = await page.locator(".live").getAttribute("title");
  await page.waitForFunction((was) => document.querySelector(".live").title !== was, title);
  assert.deepEqual(await where(), before);
  await dot(page, "cart").hover();
  await page.locator(".card.faded", { hasText: "reviews" }).waitFor();
  assert.equal(await page.locator(".card.faded", { hasText: "frontend" }).count(), 0);
});

test("what comes new comes at the edge, and moves nothing", async () => {
  const page = await open();
  await visit(page, "map");
  await dot(page, "frontend").waitFor();
  const where = () => page.locator(".card").evaluateAll((all) => Object.fromEntries(all.map((e) => [e.querySelector(".label").textContent, e.getAttribute("transform")])));
  const before = await where();
  // The server's answer, and in it a service that sorts before all others.
  await page.route("**/topology?*", async (route) => {
    const answer = await route.fetch();
    const topology = await answer.json();
    const of = (name) => topology.nodes.findIndex((n) => n.name === name);
    topology.nodes.push({ namespace: "shop", name: "basket", kind: "service", state: "ok", rate: 5, failing: 0, p99: 1 });
    topology.ways.push({ from: of("frontend"), to: of("basket"), rate: 5, failing: 0, p99: 1, state: "ok", plain: true });
    await route.fulfill({ json: topology });
  });
  await dot(page, "basket").waitFor();
  const { basket, ...others } = await where();
  assert.deepEqual(others, before);
  assert.ok(!Object.values(others).includes(basket), "it stands on another");
  await page.locator(".wire .plain").first().waitFor({ state: "attached" });
  await page.unrouteAll({ behavior: "ignoreErrors" });
});
