// What somebody does who has run `make demo` and opened the link at its end: real programs, proxies and requests.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { browser, open, sound, visit } from "./browser.mjs";

after(() => browser.close());

test("from the first page: which service fails, why, and which release did it; and its undo", async () => {
  const page = await open();
  await page.locator("tbody tr", { hasText: /of its requests fail/ }).getByRole("link", { name: "reviews", exact: true }).click();
  await page.locator(".verdict.bad").getByText(/\d% of its requests fail/).waitFor();
  await sound(page, "a service that fails");
  const done = page.getByRole("table", { name: "Releases" }).locator("tbody tr").first();
  assert.match(await done.innerText(), /reviews v5[\s\S]*succeeded[\s\S]*v5 answered [1-9]\d* of \d+ requests badly/);
  await done.getByRole("link", { name: "reviews v5", exact: true }).click();
  await page.getByRole("button", { name: "Undo", exact: true }).click();
  const asked = page.getByRole("dialog", { name: "Undo reviews?" });
  await asked.getByText("Now v5 serves; then v4 gets all traffic.").waitFor();
  await asked.getByRole("button", { name: "Undo", exact: true }).click();
  await page.locator(".verdict.ok").getByText("reviews v4 succeeded").waitFor();
  await visit(page, "services/default/reviews");
  await page.locator(".verdict.ok").getByText("All is well.").waitFor();
});

test("a release that went back says by which evidence", async () => {
  const page = await open();
  await visit(page, "releases");
  await page.locator("tbody").getByRole("link", { name: "reviews v2", exact: true }).click();
  await page.locator(".verdict.bad").getByText("reviews v2 rolled back").waitFor();
  await page.getByText(/v2 answered [1-9]\d* of \d+ requests badly .* worse beyond chance/).first().waitFor();
  await page.getByText("failed here, private again").waitFor();
  await sound(page, "the release that went back");
});

test("what a default response hides is no success", async () => {
  const page = await open();
  await page.locator("tbody").getByRole("link", { name: "recommendations", exact: true }).click();
  await page.locator(".verdict.warn").getByText("100% of its requests are answered by a fallback").waitFor();
  await page.getByRole("table", { name: "Callers" }).getByText("frontend").first().waitFor();
  await sound(page, "a service that nobody serves");
});

test("a version is released, watched and aborted, under load", async () => {
  const page = await open();
  await visit(page, "services/default/reviews");
  await page.getByRole("button", { name: "Release reviews v3" }).click();
  await page.getByRole("dialog", { name: "Release reviews v3?" }).getByRole("button", { name: "Release", exact: true }).click();
  await page.waitForURL((url) => url.pathname.includes("/releases/default/reviews-v3-"));
  await page.getByText(/v3 gets 5% of reviews: applied by \d+ of \d+ proxies/).first().waitFor();
  await sound(page, "a release under way");
  await page.getByRole("button", { name: "Abort", exact: true }).click();
  await page.getByRole("dialog", { name: "Abort reviews v3?" }).getByRole("button", { name: "Abort", exact: true }).click();
  await page.locator(".verdict.bad").getByText("reviews v3 rolled back").waitFor();
  await sound(page, "an aborted release");
});

test("a pipeline is written, saved, and run to its question", async () => {
  const page = await open();
  await visit(page, "pipelines");
  await page.getByLabel("Name", { exact: true }).fill("ask");
  await page.getByLabel("Namespace", { exact: true }).fill("default");
  await page.getByRole("button", { name: "Write it" }).click();
  await page.getByText("ask is not there yet").waitFor();
  await page.getByRole("textbox", { name: "YAML" }).fill(`apiVersion: weft.dev/v1alpha1
kind: Pipeline
metadata: {name: ask, namespace: default}
spec:
  stages:
  - {name: question, judgment: {instructions: "Is the shop well?"}}
`);
  await page.locator(".graph").getByText("question").first().waitFor();
  await sound(page, "a new pipeline");
  await page.getByRole("button", { name: "Save", exact: true }).first().click();
  await page.getByRole("dialog", { name: "Save ask?" }).getByRole("button", { name: "Save", exact: true }).click();
  await page.waitForURL((url) => !url.search.includes("edit"));
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.getByRole("dialog", { name: "Run ask?" }).getByRole("button", { name: "Run", exact: true }).click();
  await page.waitForURL((url) => url.pathname.includes("/runs/default/ask-"));
  await page.getByText("Is the shop well?").first().waitFor();
  await page.getByText(/You cannot answer it: /).waitFor(); // who started it
  await sound(page, "a question");
});

test("a call is explained by the files that decided it", async () => {
  const page = await open();
  await visit(page, "explain?from=default/frontend&host=catalog:9080&headers=end-user:%20beta");
  await page.locator(".verdict.ok").getByText("It goes to catalog.default.svc.cluster.local:9080/v2").waitFor();
  await page.getByText(/examples\/shop\/20-catalog\.yaml:\d+/).first().waitFor();
  await sound(page, "explain");
});

test("a failed request is followed through the mesh", async () => {
  const page = await open();
  await visit(page, "traces");
  await page.locator("tbody tr").first().getByRole("link").first().click();
  await page.getByText("ingressgateway").first().waitFor();
  await sound(page, "a trace");
});

test("every other page is sound with a real mesh", async () => {
  const page = await open();
  for (const [path, shown] of Object.entries({
    map: page.getByRole("button", { name: /^recommendations: something is wrong/ }),
    fleet: page.getByRole("table").getByText("default/reviews-v4-vm"),
    releases: page.locator("tbody tr").first(),
    problems: page.getByRole("heading", { level: 1 }),
    dashboards: page.locator(".plot").first(),
    settings: page.getByRole("region", { name: "Who you are" }),
  })) {
    await visit(page, path);
    await shown.waitFor();
    await sound(page, path);
  }
  assert.ok(page.url().endsWith("settings"));
});
