// A team opens one address, below a path of a server that has others, and signs in there: by a token, or by its provider.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { browser, looks, open, sound, visit } from "./browser.mjs";

after(() => browser.close());

const who = (page) => page.getByRole("region", { name: "Who you are" });

test("before anybody signed in there is nothing to see but how", async () => {
  for (const look of looks) {
    const page = await open(look);
    await page.getByLabel("Token", { exact: true }).waitFor();
    await page.getByRole("link", { name: /^Sign in with 127\.0\.0\.1/ }).waitFor();
    assert.equal(await page.getByRole("navigation").count(), 0);
    await sound(page, "sign-in");
  }
});

test("bob signs in by a token, acts with his rights, and signs out", async () => {
  const page = await open();
  await page.getByLabel("Token", { exact: true }).fill("weft-none");
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("alert").getByText("weft user token makes another one").waitFor();
  page.wrong.length = 0; // the console says of the refusal
  await page.getByLabel("Token", { exact: true }).fill(process.env.WEFT_TOKEN);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByText("live", { exact: true }).waitFor();
  assert.equal(await page.evaluate(() => document.cookie), "", "no script reads the cookie");
  await visit(page, "pipelines");
  await page.getByRole("button", { name: "Freeze", exact: true }).click();
  await page.getByRole("dialog").getByLabel(/^Reason/).fill("because");
  await page.getByRole("dialog").getByRole("button", { name: "Freeze", exact: true }).click();
  await page.getByRole("dialog").getByRole("alert").getByText(/is an administrator's/).waitFor();
  page.wrong.length = 0;
  await visit(page, "settings");
  assert.match(await who(page).innerText(), /Name\s+bob\s+Groups\s+dev/);
  await who(page).getByText(/^until /).waitFor();
  await sound(page, "settings, signed in");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Token", { exact: true }).waitFor();
});

test("ann comes by the provider", async () => {
  const page = await open();
  await page.getByRole("link", { name: /^Sign in with/ }).click();
  await page.getByText("live", { exact: true }).waitFor();
  assert.match(new URL(page.url()).pathname, /^\/mesh\/weft\/ui\/$/);
  await visit(page, "settings");
  assert.match(await who(page).innerText(), /Name\s+ann@example\.com\s+Groups\s+dev\s/);
  await sound(page, "settings, by the provider");
});
