// What an administrator does: edits a pipeline by its form and as YAML, and freezes.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { browser, looks, open, sound, visit } from "./browser.mjs";

after(() => browser.close());

const edit = async (page, stage = "") => {
  await visit(page, `pipelines/shop/wide?edit=yes${stage && "&stage=" + stage}`);
  await page.locator(".graph button").first().waitFor();
};
const yaml = (page) => page.getByRole("textbox", { name: "YAML" });
const difference = (page) => page.locator(".diff").first();
const save = (page) => page.getByRole("button", { name: "Save", exact: true }).first();

test("form and YAML edit one document, and what changes is shown before it is saved", async () => {
  const page = await open();
  await edit(page, "hold");
  const before = await yaml(page).inputValue();
  await page.getByLabel("title", { exact: true }).fill("Waits for the night");
  await page.keyboard.press("Enter");
  await page.locator(".graph").getByText("Waits for the night").waitFor();
  await page.getByLabel(/^for/).fill("9h");
  await page.keyboard.press("Tab");
  await page.locator(".graph").getByText("9h").waitFor();
  assert.equal(await yaml(page).inputValue(), before.replace("title: Waits a while", "title: Waits for the night").replace("for: 10h", "for: 9h"));
  await yaml(page).fill((await yaml(page).inputValue()).replace("The end", "It is over"));
  await page.locator(".graph").getByText("It is over").waitFor();
  const said = await difference(page).innerText();
  for (const line of [/^-\s+title: Waits a while$/m, /^\+\s+title: Waits for the night$/m, /^-\s+for: 10h$/m, /^\+\s+title: It is over$/m]) assert.match(said, line);
  await sound(page, "editor");
  await save(page).click();
  const asked = page.getByRole("dialog", { name: "Save wide?" });
  await asked.getByText("Runs that begin from now on are as it says").waitFor();
  await asked.getByRole("button", { name: "Save", exact: true }).click();
  await page.waitForURL((url) => !url.search.includes("edit"));
  await page.locator(".graph").getByText("Waits for the night").waitFor();
});

test("a new pipeline begins with a deployment and a question, is checked and compared like any other, and stored by Save alone", async () => {
  const page = await open();
  await visit(page, "pipelines");
  await page.getByLabel("Name", { exact: true }).fill("fresh");
  await page.getByLabel("Namespace", { exact: true }).fill("shop");
  await page.getByRole("button", { name: "Write it" }).click();
  await page.getByText("fresh is not there yet").waitFor();
  for (const stage of ["deploy", "May it get traffic?", "release", "clean"]) await page.locator(".graph button", { hasText: stage }).first().waitFor();
  await difference(page).getByText("+ kind: Pipeline").waitFor();
  const text = await yaml(page).inputValue();
  await yaml(page).fill(text.replace("stages.release.phase ==", "stages.release.phase =="  + "="));
  await page.getByRole("region", { name: "What is wrong with it" }).getByText(/Syntax error/).first().waitFor();
  assert.ok(await save(page).isDisabled());
  await yaml(page).fill(text.replace("May it get traffic?", "Is it good?"));
  await page.locator(".graph").getByText("Is it good?").waitFor();
  await sound(page, "a new pipeline");
  const other = await open();
  await visit(other, "pipelines/shop/fresh");
  await other.getByRole("alert").waitFor(); // nothing is stored
  await save(page).click();
  const asked = page.getByRole("dialog", { name: "Save fresh?" });
  await asked.getByText("Nothing runs before somebody").waitFor();
  await asked.getByRole("button", { name: "Save", exact: true }).click();
  await page.waitForURL((url) => !url.search.includes("edit"));
  await page.locator(".graph").getByText("Is it good?").waitFor();
  await visit(other, "pipelines/shop/fresh?edit=new&first=empty");
  await other.getByRole("alert").getByText("there is a pipeline fresh in shop already").waitFor();
});

test("what is wrong is said before, and cannot be saved", async () => {
  const page = await open();
  await edit(page);
  const text = await yaml(page).inputValue();
  const wrong = async (now, said) => {
    await yaml(page).fill(now);
    await page.getByRole("region", { name: "What is wrong with it" }).getByText(said).first().waitFor();
    assert.ok(await save(page).isDisabled());
  };
  await wrong(text.replace("1 > 2", "1 >"), /Syntax error/);
  await wrong(text.replace("for: 9h", "for: 9h\n        fro: 1h"), /unknown field/);
  await wrong(text.replace("onFailure: continue", "onFailure: often"), /would not be stored.*onFailure/);
  await sound(page, "editor, wrong");
  await yaml(page).fill(text);
  await page.getByText("nothing yet").waitFor();
});

test("stages are added and taken out", async () => {
  for (const look of [looks[1], looks[2]]) {
    const page = await open(look);
    await edit(page, "last");
    await page.getByLabel("Name", { exact: true }).fill("tell");
    await page.getByLabel("Kind", { exact: true }).selectOption("check");
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await page.locator(".graph button", { hasText: "tell" }).waitFor();
    await page.getByText(/would not be stored/).first().waitFor();
    await page.getByLabel(/^expression/).fill("true");
    await page.keyboard.press("Tab");
    await page.getByText(/would not be stored/).first().waitFor({ state: "detached" });
    await sound(page, "editor, a stage more");
    await page.getByRole("button", { name: "Take the stage out" }).click();
    await page.getByText("nothing yet").waitFor();
  }
});

test("who saves over somebody else's change is told, and loses nothing", async () => {
  const [mine, theirs] = [await open(), await open()];
  for (const [page, text] of [[mine, "Mine"], [theirs, "Theirs"]]) {
    await edit(page, "begin");
    await page.getByLabel("title", { exact: true }).fill(text);
    await page.keyboard.press("Enter");
    await page.locator(".graph").getByText(text).waitFor();
  }
  for (const button of [save(theirs), theirs.getByRole("dialog").getByRole("button", { name: "Save", exact: true })]) await button.click();
  await theirs.waitForURL((url) => !url.search.includes("edit"));
  await save(mine).click();
  await mine.getByRole("dialog").getByRole("button", { name: "Save", exact: true }).click();
  await mine.getByRole("alert").getByText(/somebody changed the pipeline since you opened it: nothing is stored/).waitFor();
  await mine.keyboard.press("Escape");
  await yaml(mine).fill((await yaml(mine).inputValue()) + "\n");
  await mine.getByText("Somebody changed this pipeline since you opened it. What you wrote is still here").waitFor();
  await sound(mine, "conflict").catch((e) => mine.wrong.every((w) => w.includes("409")) || Promise.reject(e));
  await mine.getByRole("button", { name: "Compare with what is there now" }).click();
  await difference(mine).getByText("- title: Theirs").or(difference(mine).getByText("Theirs")).first().waitFor();
  assert.match(await yaml(mine).inputValue(), /title: Mine/);
});

test("a freeze is seen above releases and pipelines, with who, why and whom it lets through, and lifted there", async () => {
  const page = await open();
  await visit(page, "pipelines");
  await page.getByRole("button", { name: "Freeze", exact: true }).click();
  const asked = page.getByRole("dialog", { name: "Freeze releases and pipelines?" });
  await asked.getByRole("button", { name: "Freeze", exact: true }).click();
  await asked.getByRole("alert").getByText("Say why, for those who wait.").waitFor();
  await asked.getByLabel(/^Reason/).fill("the sale");
  await asked.getByLabel(/^Except/).fill("oncall ops");
  await asked.getByText("weft freeze --reason 'the sale' --except oncall,ops").waitFor();
  await asked.getByText("as YAML").click();
  assert.match(await asked.locator("details pre").innerText(), /\nkind: Freeze\nmetadata:\n  generateName: freeze-\nspec:\n  reason: the sale\n  except: \[oncall, ops\]\n$/);
  await sound(page, "freeze");
  await asked.getByRole("button", { name: "Freeze", exact: true }).click();
  for (const look of looks) {
    const seen = await open(look);
    for (const path of ["releases", "pipelines"]) {
      await visit(seen, path);
      const banner = seen.getByRole("region", { name: "Frozen" });
      await banner.getByText(/Frozen: everything, by \S+: the sale\..*and what oncall, ops start/).waitFor();
      await sound(seen, "frozen " + path);
    }
  }
  await page.getByRole("button", { name: "Lift", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Lift", exact: true }).click();
  await page.getByRole("region", { name: "Frozen" }).waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Freeze", exact: true }).waitFor();
});
