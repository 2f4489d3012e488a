// What a person does with pipelines: bob, who is in the group dev. ann of the same group started ship-1, which asks dev one thing and auditors another.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { browser, looks, open, sound, visit } from "./browser.mjs";

after(() => browser.close());

const question = (page, name) => page.getByRole("region", { name: "Question: " + name, exact: true });

test("a question says what it asks, who may answer until when, and what follows", async () => {
  for (const look of looks) {
    const page = await open(look);
    await visit(page, "runs/shop/ship-1");
    const ask = question(page, "May it go to everybody?");
    await ask.getByText("v2 passed its smoke test. Look at the graphs.").waitFor();
    await ask.getByText("Somebody in dev may answer, but not who started the run (ann). It ends by itself in 71 h").waitFor();
    await ask.getByText("is done with “half”, and pause may begin.").first().waitFor();
    await ask.getByText("May it go to everybody? fails, and the run with it; other branches are cancelled.").first().waitFor();
    assert.deepEqual(await ask.getByRole("button").allInnerTexts(), ["all", "half", "Stop"]);
    const audit = question(page, "Is the record whole?");
    await audit.getByText("You cannot answer it: bob is in none of the groups that may judge: auditors").waitFor();
    assert.ok(await audit.getByRole("button", { name: "Continue", exact: true }).isDisabled());
    await ask.getByRole("button", { name: "half" }).click();
    const asked = page.getByRole("dialog", { name: "half ship-1?" });
    await asked.getByText("weft approve ship-1 ask --choice 'half' -n shop").waitFor();
    await asked.getByText("as YAML").click();
    assert.match(await asked.locator("details pre").innerText(), /\nkind: Decision\n[\s\S]*\nspec:\n  run: ship-1\n  runUID: "?[0-9a-f-]{36}"?\n  verb: judge\n  stage: ask\n  attempt: 1\n  choice: half\n$/);
    await sound(page, "judgment");
    await page.keyboard.press("Escape");
    await asked.waitFor({ state: "hidden" });
  }
});

test("what the server does not let bob decide is refused with its reason", async () => {
  const page = await open();
  // A page that does not know beforehand.
  await page.route("**/v1/runs/shop/ship-1*", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: (await answer.text()).replace(/"not":"[^"]*"/g, '"not":""') });
  });
  await visit(page, "runs/shop/ship-1");
  await question(page, "Is the record whole?").getByRole("button", { name: "Continue", exact: true }).click();
  const asked = page.getByRole("dialog");
  await asked.getByRole("button", { name: "Continue", exact: true }).click();
  await asked.getByRole("alert").getByText("bob is in none of the groups that may judge: auditors").waitFor();
  await page.unrouteAll({ behavior: "ignoreErrors" }); // it reads again at any time
});

test("an answer is given in bob's name, and the page shows what follows without being asked", async () => {
  const page = await open();
  await visit(page, "runs/shop/ship-1");
  await question(page, "May it go to everybody?").getByRole("button", { name: "half" }).click();
  const asked = page.getByRole("dialog");
  await asked.getByLabel(/Reason/).fill("looked at the graphs");
  await asked.getByRole("button", { name: "half", exact: true }).click();
  await asked.waitFor({ state: "hidden" });
  await page.locator(".events").getByText("bob: judge half (looked at the graphs)").waitFor();
  await page.locator(".graph button.ok", { hasText: "May it go" }).waitFor();
  await page.locator(".graph button.ok", { hasText: "pause" }).waitFor();
  await page.locator(".graph button", { hasText: "May it go" }).click();
  await page.locator(".framed").getByText("choice half").waitFor();
});

test("bob starts a run by its form, may not answer it himself, and cancels it", async () => {
  const page = await open();
  await visit(page, "pipelines/shop/ship");
  await page.getByRole("button", { name: "Run", exact: true }).click();
  const asked = page.getByRole("dialog", { name: "Run ship?" });
  await asked.getByRole("button", { name: "Run", exact: true }).click();
  await asked.getByRole("alert").getByText("It needs version.").waitFor();
  await asked.getByLabel(/version/).fill("v3");
  await asked.getByLabel(/urgent/).selectOption("yes");
  await asked.getByText("weft pipeline run ship -p version=v3 -p urgent=yes -n shop").waitFor();
  await sound(page, "start");
  await asked.getByRole("button", { name: "Run", exact: true }).click();
  await page.waitForURL((url) => /\/runs\/shop\/ship-\w+$/.test(url.pathname));
  // ship-1 still asks its auditors, and there is one run at a time.
  await page.locator(".verdict").getByText("waits for its turn").waitFor();
  await page.getByRole("button", { name: "Cancel", exact: true }).click();
  await page.getByRole("dialog").getByLabel(/Reason/).fill("the wrong version");
  await page.getByRole("dialog").getByRole("button", { name: "Cancel", exact: true }).click();
  await page.locator(".verdict").getByText("ship was cancelled").waitFor();
  await page.getByText(/cancelled by bob.*the wrong version/).first().waitFor();
  await sound(page, "cancelled");
});

test("what only administrators may is refused: a freeze of everything, and another pipeline", async () => {
  const page = await open();
  await visit(page, "releases");
  await page.getByRole("button", { name: "Freeze", exact: true }).click();
  const asked = page.getByRole("dialog");
  await asked.getByLabel(/^Reason/).fill("the sale");
  await asked.getByRole("button", { name: "Freeze", exact: true }).click();
  await asked.getByRole("alert").getByText(/is an administrator's/).waitFor();
  await visit(page, "pipelines/shop/ship?edit=yes&stage=pause");
  await page.getByLabel("title", { exact: true }).fill("Rest");
  await page.keyboard.press("Enter");
  await page.getByText(/It would not be stored:.*ask an administrator/).waitFor();
  assert.ok(await page.getByRole("button", { name: "Save", exact: true }).isDisabled());
});
