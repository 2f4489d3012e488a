// The pictures of the README, made anew by `go test ./test/ui -run TestPages -update`.
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { browser, open, visit } from "./browser.mjs";

after(() => browser.close());

const look = { width: 1180, height: 720, colorScheme: "light" };
const take = (page, name) => page.screenshot({ path: fileURLToPath(new URL(`../../../docs/images/${name}.png`, import.meta.url)) });

test("the shop", async () => {
  const page = await open(look);
  await visit(page, "map");
  await page.getByRole("button", { name: /^reviews: failing/ }).waitFor();
  await take(page, "map");
});

test("a release that went back", async () => {
  const page = await open(look);
  await visit(page, "releases");
  await page.locator("tbody tr", { hasText: "rolled back" }).getByRole("link", { name: "ratings v2" }).click();
  await page.getByText("shown: it goes back").waitFor();
  await take(page, "release");
});
