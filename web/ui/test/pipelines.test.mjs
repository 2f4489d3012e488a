// Pipelines of which a run of one waits for people, and another one has thirty stages.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { browser, looks, open, sound, visit } from "./browser.mjs";

after(() => browser.close());

const stage = (page, name) => page.locator(".graph").getByRole("button", { name });

// What each page must show.
const pages = {
  pipelines: async (page) => {
    const first = page.locator("tbody tr").first();
    await first.getByText(/waits for a person/).first().waitFor({ state: "attached" });
    assert.match(await first.innerText(), /^\s*ship/);
    await page.locator(".attention").getByText(/ship-1 waits for a person: .*passed its smoke test/).waitFor();
  },
  "pipelines/shop/ship": async (page) => {
    await page.getByText("Bring a version of the shop into service").waitFor();
    assert.equal(await page.locator(".graph button").count(), 5);
    await stage(page, /^pause/).click();
    await page.getByText('params.urgent == "no"').waitFor();
    await page.getByRole("table", { name: "Runs" }).getByRole("link", { name: "ship-1" }).waitFor();
  },
  "runs/shop/ship-1": async (page) => {
    await page.locator(".verdict.warn").getByText("ship waits for a person").waitFor();
    await stage(page, /May it go to everybody/).and(page.locator(".warn")).waitFor();
    await stage(page, /pause/).getByText("not yet").waitFor();
    await stage(page, /note/).and(page.locator(".ok")).click();
    await page.locator(".framed").getByText("shipped v2").waitFor();
    assert.match(await page.locator("aside .facts").innerText(), /By\s+ann[\s\S]*version\s+v2/);
  },
  "runs/shop/wide-1": async (page) => {
    await stage(page, /scan-4/).getByText("failed, goes on").waitFor();
    await page.locator(".graph button.changing").getByText("Waits a while").waitFor();
    assert.deepEqual(await drawn(page), []);
  },
};

// drawn are what is wrong with how the stages of a graph stand.
const drawn = (page) =>
  page.evaluate(() => {
    const cards = [...document.querySelectorAll(".graph li")].map((li) => ({ text: li.innerText, box: li.getBoundingClientRect() }));
    const wrong = cards.length === 30 ? [] : [`${cards.length} cards`];
    for (const a of cards) {
      for (const b of cards) {
        const apart = a.box.right <= b.box.left || b.box.right <= a.box.left || a.box.bottom <= b.box.top || b.box.bottom <= a.box.top;
        if (a !== b && !apart) wrong.push(`${a.text} lies on ${b.text}`);
      }
      const name = a.text.match(/(build|test|scan|docs)-(\d)/);
      const before = name && cards.find((c) => c.text.includes(`${name[1]}-${name[2] - 1}`));
      if (before && before.box.right >= a.box.left) wrong.push(`${a.text} is not right of ${before.text}`);
    }
    const lines = document.querySelectorAll(".graph > div > svg path").length;
    return lines === 35 ? wrong : [...wrong, `${lines} lines`];
  });

for (const look of looks) {
  test(`every page of pipelines, ${look.colorScheme} ${look.width}`, async () => {
    const page = await open(look);
    for (const [path, shows] of Object.entries(pages)) {
      await visit(page, path);
      await shows(page);
      await sound(page, path);
    }
  });
}

test("Ctrl-K leads to a pipeline", async () => {
  const page = await open();
  await page.getByRole("heading", { name: "Services" }).waitFor();
  await page.keyboard.press("Control+k");
  await page.keyboard.type("wid");
  await page.locator('[role="listbox"][aria-busy="false"]').waitFor();
  await page.getByRole("option", { name: "wide pipeline in shop" }).click();
  await page.waitForURL((url) => url.pathname.endsWith("/pipelines/shop/wide"));
});
