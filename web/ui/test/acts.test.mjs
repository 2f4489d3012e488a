// What a person does from the page of a release: bob, who may release ratings and take it back, but not promote.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { browser, looks, open, sound, visit } from "./browser.mjs";

after(() => browser.close());

const release = async (page, name) => {
  await visit(page, "releases");
  await page.locator("tbody").getByRole("link", { name, exact: true }).first().click();
};

test("from the first page: which service fails, why, and which release did it", async () => {
  const page = await open();
  const row = page.locator("tbody tr", { hasText: "ratings" });
  await row.getByText(/of its requests fail: 50% of those to v2/).first().waitFor({ state: "attached" });
  await row.getByRole("link", { name: "ratings", exact: true }).click();
  await page.locator(".verdict.bad").getByText(/50% of those to v2/).waitFor();
  await page.getByRole("table", { name: "Releases" }).locator("tbody tr", { hasText: "succeeded" }).getByRole("link", { name: "ratings v2", exact: true }).click();
  await page.locator(".verdict.ok").getByText("ratings v2 succeeded").waitFor();
  assert.match(await page.locator(".facts").innerText(), /By\s+bob/);
  await page.getByRole("button", { name: "Undo", exact: true }).waitFor();
});

test("before anything is done, the page says what changes, how that is undone, and the command", async () => {
  for (const look of looks) {
    const page = await open(look);
    await release(page, "ratings v9");
    await page.getByRole("button", { name: "Abort", exact: true }).click();
    const asked = page.getByRole("dialog", { name: "Abort ratings v9?" });
    await asked.getByText("v9 gets no more requests").waitFor();
    await asked.getByText(/To undo that/).waitFor();
    await asked.getByText(/^weft release abort ratings-v9-\w+ -n shop$/).waitFor();
    await asked.getByText("as YAML").click();
    assert.equal(await asked.locator("details pre").innerText(), "spec:\n  abort: true\n");
    await asked.getByText(/^kubectl patch releases\.weft\.dev ratings-v9-\w+ -n shop --type merge --patch-file FILE$/).waitFor();
    await sound(page, "abort");
    await page.keyboard.press("Escape");
    await asked.waitFor({ state: "hidden" });
  }
});

test("what the roles do not let bob do is refused with the reason", async () => {
  const page = await open();
  await release(page, "ratings v9");
  await page.getByRole("button", { name: "Promote", exact: true }).click();
  const asked = page.getByRole("dialog");
  await asked.getByRole("button", { name: "Promote", exact: true }).click();
  await asked.getByRole("alert").getByText(/lead/).waitFor();
  console.log("measured: refused:", await asked.getByRole("alert").innerText());
});

test("an abort is done in bob's name", async () => {
  const page = await open();
  await release(page, "ratings v9");
  await page.getByRole("button", { name: "Abort", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Abort", exact: true }).click();
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await page.locator(".facts").getByText("Aborted by").waitFor();
  assert.match(await page.locator(".facts").innerText(), /Aborted by\s+bob/);
  await page.locator(".verdict.bad").waitFor();
  await sound(page, "aborted");
});

test("an undo shows what it would do, and leads to its own release", async () => {
  const page = await open();
  await release(page, "ratings v2");
  await page.getByRole("button", { name: "Undo", exact: true }).click();
  const asked = page.getByRole("dialog", { name: "Undo ratings?" });
  await asked.getByText("Now v2 serves; then v1 gets all traffic.").waitFor();
  await asked.getByLabel(/Reason/).fill("half: bad");
  await asked.getByText("as YAML").click();
  assert.equal(
    await asked.locator("details pre").innerText(),
    `apiVersion: weft.dev/v1alpha1
kind: Release
metadata:
  namespace: shop
  generateName: ratings-undo-
spec:
  application: ratings
  version: v1
  undo: true
  reason: "half: bad"
`,
  );
  await asked.getByLabel(/Reason/).fill("half of its answers are bad");
  await sound(page, "undo");
  await asked.getByRole("button", { name: "Undo", exact: true }).click();
  await page.locator(".verdict.ok").getByText("ratings v1 succeeded").waitFor();
  assert.match(await page.locator(".facts").innerText(), /half of its answers are bad/);
});

test("a version is released from the page of its service, and goes back by itself", async () => {
  const page = await open();
  await visit(page, "services/shop/ratings");
  await page.getByRole("button", { name: "Release ratings v1" }).and(page.locator("[disabled]")).waitFor();
  await page.getByRole("button", { name: "Release ratings v2" }).click();
  const asked = page.getByRole("dialog", { name: "Release ratings v2?" });
  await asked.getByLabel("Strategy").selectOption("canary");
  await asked.getByText("weft release start ratings v2 -n shop --strategy canary").waitFor();
  await asked.getByText("as YAML").click();
  assert.match(await asked.locator("details pre").innerText(), /\nkind: Release\n[\s\S]*\nspec:\n  application: ratings\n  version: v2\n  strategy:\n    type: canary\n$/);
  await sound(page, "release, asked");
  await asked.getByRole("button", { name: "Release", exact: true }).click();
  await page.waitForURL((url) => url.pathname.includes("/releases/shop/ratings-v2-"));
  await page.locator(".verdict.bad").getByText("ratings v2 rolled back").waitFor();
  assert.match(await page.locator(".facts").innerText(), /By\s+bob/);
});

test("each version has its private address, and bob may have a link to one for people outside", async () => {
  const page = await open();
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await visit(page, "services/shop/ratings");
  const row = page.getByRole("table", { name: "Private addresses" }).locator("tbody tr", { hasText: "v2" });
  await row.getByRole("button", { name: "Copy x-weft-version: ratings.shop=v2", exact: true }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "x-weft-version: ratings.shop=v2");
  await row.locator("code", { hasText: "curl -H 'x-weft-version: ratings.shop=v2' http://ratings.shop.svc.cluster.local:9080/" }).waitFor();
  await row.getByRole("button", { name: "Preview ratings v2" }).click();
  const asked = page.getByRole("dialog", { name: "Preview ratings v2?" });
  await asked.getByLabel("Lasts").selectOption("8h");
  await asked.getByLabel(/^Host/).fill("none.example");
  await asked.getByText("weft preview ratings v2 -n shop --for 8h --host none.example").waitFor();
  await sound(page, "preview, asked");
  await asked.getByRole("button", { name: "Preview", exact: true }).click();
  await asked.getByRole("alert").getByText("no gateway serves the host none.example").waitFor();
  page.wrong.length = 0; // the console says of the refusal
  await asked.getByLabel(/^Host/).fill("");
  await asked.getByRole("button", { name: "Preview", exact: true }).click();
  await asked.getByText(/^http:\/\/shop\.example\/\?weft-preview=eyJ/).waitFor();
  await asked.getByText(/^x-weft-preview: eyJ/).waitFor();
  await sound(page, "preview");
  await asked.getByRole("button", { name: "Close" }).click();
  for (const look of looks) {
    const seen = await open(look);
    await visit(seen, "services/shop/ratings");
    await seen.getByRole("table", { name: "Private addresses" }).getByText("v2").first().waitFor();
    await sound(seen, "addresses");
  }
});

test("settings say who bob is, and what he may do where", async () => {
  for (const look of looks) {
    const page = await open(look);
    await page.getByRole("navigation", { name: "Places" }).getByRole("link", { name: "Settings" }).click();
    assert.match(await page.getByRole("region", { name: "Who you are" }).innerText(), /Name\s+bob\s+Groups\s+dev\s+You may\s+read what the mesh is made of but its secrets/);
    const ratings = page.getByRole("table", { name: "Roles" }).locator("tbody tr", { hasText: "ratings" });
    await ratings.getByText("release, undo, freeze").waitFor();
    await ratings.getByText("approve", { exact: true }).waitFor();
    const series = page.getByRole("table", { name: "Budgets" }).locator("tbody tr", { hasText: "Series of metrics in memory" });
    assert.match(await series.innerText(), /\d+\s+of 50,000/);
    await sound(page, "settings");
  }
});

test("light or dark is chosen for this browser, whatever the system's is", async () => {
  const page = await open({ ...looks[0], colorScheme: "light" });
  await visit(page, "settings");
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await ground();
  await page.getByRole("radio", { name: "dark" }).check();
  const dark = await ground();
  assert.notEqual(dark, light);
  await page.reload();
  await page.getByRole("radio", { name: "dark" }).waitFor();
  assert.equal(await ground(), dark);
  await page.getByRole("radio", { name: "as the system" }).check();
  assert.equal(await ground(), light);
});

test("? lists the keys, but not where somebody writes", async () => {
  for (const look of looks) {
    const page = await open(look);
    await page.getByRole("link", { name: "ratings", exact: true }).waitFor();
    await page.keyboard.press("?");
    const keys = page.getByRole("dialog", { name: "Keys" });
    await keys.getByText("search the list").waitFor();
    await sound(page, "keys");
    await page.keyboard.press("Escape");
    await keys.waitFor({ state: "hidden" });
    await page.keyboard.press("/");
    await page.keyboard.press("?");
    assert.equal(await page.getByRole("searchbox").inputValue(), "?");
    assert.ok(await keys.isHidden());
  }
});

test("a page of elsewhere can do nothing, even one that knows the key", async () => {
  const page = await open();
  const key = await page.evaluate(() => localStorage.getItem("weft.key"));
  const elsewhere = new URL(page.url());
  elsewhere.hostname = "localhost"; // the same server by another name: another origin
  await page.goto(elsewhere.href);
  page.wrong.length = 0;
  const url = new URL(page.url());
  url.hostname = "127.0.0.1";
  const status = await page.evaluate(async ([at, bearer]) => {
    try {
      return (await fetch(at, { method: "POST", headers: { Authorization: "Bearer " + bearer }, body: "{}" })).status;
    } catch {
      return "kept from asking";
    }
  }, [new URL("/weft/v1/releases/shop/none/abort", url).href, key]);
  assert.equal(status, "kept from asking");
});
