// A shop in which v2 of reviews answers half of its requests badly, and one route leads nowhere.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { browser, looks, open, sound, visit } from "./browser.mjs";

after(() => browser.close());

// What each page must show.
const pages = {
  services: async (page) => {
    const first = page.locator("tbody tr").first();
    await first.getByText(/5(\.\d)?% of its requests fail: 50% of those to v2/).first().waitFor({ state: "attached" });
    assert.match(await first.innerText(), /^reviews/);
    await page.locator(".attention").getByText(/reviews: 5/).waitFor();
  },
  "services/shop/reviews": async (page) => {
    await page.locator(".verdict.bad").getByText(/50% of those to v2/).waitFor();
    await page.getByRole("table", { name: "Callers" }).getByText("frontend").first().waitFor();
    const routes = page.getByRole("table", { name: "Routes" });
    await routes.getByText("header end-user beta").waitFor();
    await routes.getByText("90% shop/reviews v1, 10% shop/reviews v2").waitFor();
    assert.equal(await page.getByRole("table", { name: "Instances" }).locator("tbody tr").count(), 2);
  },
  map: async (page) => {
    await page.getByRole("button", { name: /^reviews: failing, .*5(\.\d)?% fail/ }).waitFor();
    await page.getByText(/\d failing/).waitFor();
  },
  "map?as=table": async (page) => {
    await page.getByRole("table").getByText("encrypted").first().waitFor({ state: "attached" });
  },
  "map?focus=shop/reviews&pick=shop/reviews": async (page) => {
    await page.getByRole("button", { name: /^v2: failing/ }).waitFor();
    await page.getByRole("complementary").getByText("50").first().waitFor();
  },
  releases: async (page) => {
    const row = page.locator("tbody tr").first();
    await row.getByText("rolled back").first().waitFor({ state: "attached" });
    await row.getByRole("link", { name: "ratings v2" }).click();
    await page.locator(".verdict.bad").getByText("ratings v2 rolled back").waitFor();
    await page.getByText("failed here, private again").waitFor();
    await page.getByRole("img", { name: /^5% at [\d:]+, 0% at/ }).waitFor();
    await page.getByRole("img", { name: /^Bad answers over time\. v2: 50\.\d% answered badly, .* by \d+ requests; v1: 0\.00% answered badly, .*; the limit is 0\.50%/ }).waitFor();
    await page.getByText("that v2 is worse").waitFor();
    await page.getByText("shown: it goes back").waitFor();
    await page.getByText(/v2 gets 5% of ratings/).first().waitFor();
  },
  "dashboards?range=15m&namespace=shop&service=reviews": async (page) => {
    const versions = page.getByRole("region", { name: "Failures by version" });
    await versions.locator("li", { hasText: "v2" }).getByText(/^5\d(\.\d)?%$/).waitFor();
    await page.getByRole("region", { name: "Requests by caller" }).getByText("shop frontend").waitFor();
    await page.getByRole("list", { name: "What changed meanwhile" }).getByText("ratings v2 ends").waitFor();
    const requests = page.getByRole("region", { name: "Requests", exact: true });
    await requests.locator(".plot").hover();
    await requests.locator(".here").waitFor();
  },
  "dashboards?board=workload&namespace=shop&app=frontend": async (page) => {
    await page.getByRole("region", { name: "Calls by upstream", exact: true }).getByText("reviews").waitFor();
    await page.getByLabel("app").selectOption({ index: 0 });
    await page.getByRole("navigation", { name: "Dashboards" }).getByRole("link", { name: "Proxy fleet" }).click();
    await page.getByRole("region", { name: "Proxies" }).getByText("connected").waitFor();
  },
  "explain?from=shop/frontend&host=reviews:9080": async (page) => {
    await page.locator(".verdict.ok").getByText("It goes to 90% to reviews.shop").waitFor();
    const way = page.getByRole("list", { name: "The request's way" });
    await way.getByText('it has no header end-user, wanted is "beta"').waitFor();
    await way.getByText("VirtualService shop/reviews spec.http[1]").first().waitFor();
    await way.getByText("allowed: no policy selects it").first().waitFor();
    await page.locator("code", { hasText: "weft explain shop/frontend GET http://reviews:9080/" }).waitFor();
  },
  "explain?from=shop/frontend&host=basket&method=POST&headers=a:%20it's": async (page) => {
    await page.locator(".verdict.bad").getByText("The proxy answers it itself with 502").waitFor();
    await page.locator("code", { hasText: "-H 'a: it'\\''s'" }).waitFor();
  },
  fleet: async (page) => {
    await page.getByRole("table").getByText("shop/reviews-v2").waitFor();
    assert.equal(await page.locator("tbody tr").count(), 6);
  },
  problems: async (page) => {
    await page.getByText("It names a service that does not exist").waitFor();
    await page.getByText(/basket/).first().waitFor();
  },
};

for (const look of looks) {
  test(`every page, ${look.colorScheme} ${look.width}`, async () => {
    const page = await open(look);
    for (const [path, shows] of Object.entries(pages)) {
      await visit(page, path);
      await shows(page);
      await sound(page, path);
    }
  });
}

test("a list is searched by the keyboard, and the URL is what is chosen", async () => {
  const page = await open();
  await page.getByRole("link", { name: "reviews", exact: true }).waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("cart");
  await page.getByText("1 of ").waitFor();
  assert.equal(new URL(page.url()).searchParams.get("search"), "cart");
  await page.getByLabel("Time range").selectOption("5m");
  await page.reload();
  await page.getByText("1 of ").waitFor();
  assert.equal(new URL(page.url()).searchParams.get("window"), "5m");
});

test("Ctrl-K leads to a service, a release and a page by some letters", async () => {
  for (const look of looks) {
    const page = await open(look);
    const to = async (letters, name, path) => {
      await page.keyboard.press("Control+k");
      await page.keyboard.type(letters);
      await page.locator('[role="listbox"][aria-busy="false"]').waitFor();
      const goal = page.getByRole("option", { name }).first();
      await goal.waitFor();
      await sound(page, "palette");
      while ((await goal.getAttribute("aria-selected")) !== "true") await page.keyboard.press("ArrowDown");
      await page.keyboard.press("Enter");
      await page.waitForURL((url) => url.pathname.includes(path));
      await page.getByRole("dialog").waitFor({ state: "hidden" });
    };
    await page.getByRole("link", { name: "reviews", exact: true }).waitFor();
    await to("revi", "reviews service in shop", "/services/shop/reviews");
    await to("rati", /^ratings v2 release/, "/releases/shop/ratings-v2-");
    await to("prob", "Problems page", "/problems");
  }
});

test("a call is explained from the page of who is called, and asked again with a header", async () => {
  const page = await open();
  await visit(page, "services/shop/reviews");
  await page.getByRole("link", { name: "explain a call to it" }).click();
  await page.getByText("shop/reviews/everybody", { exact: true }).waitFor();
  await page.getByLabel("Headers").fill("end-user: beta");
  await page.getByRole("button", { name: "Explain", exact: true }).click();
  await page.locator(".verdict").getByText("It goes to reviews.shop.svc.cluster.local:9080/v2").waitFor();
  await page.getByText("it matches, too, and comes later").waitFor();
  assert.equal(new URL(page.url()).searchParams.get("headers"), "end-user: beta");
  await page.goBack();
  await page.locator(".verdict").getByText("90%").waitFor();
  await visit(page, "problems");
  await page.getByRole("link", { name: "explain a call to cart" }).first().click();
  assert.equal(await page.getByRole("combobox", { name: "Host" }).inputValue(), "cart.shop");
  await page.getByRole("combobox", { name: "From" }).fill("shop/frontend");
  await page.getByRole("combobox", { name: "From" }).press("Enter");
  await page.locator(".verdict.bad").waitFor();
});

test("rates are live, and a server that is away is said to be", async () => {
  const page = await open();
  await page.getByText("live", { exact: true }).waitFor();
  const title = () => page.locator(".live").getAttribute("title");
  const before = await title();
  await page.waitForFunction((was) => document.querySelector(".live").title !== was, before);
  await page.context().setOffline(true);
  await page.getByText(/does not answer since/).waitFor();
  assert.ok(await page.getByRole("link", { name: "reviews", exact: true }).isVisible(), "what was read stays");
  await page.context().setOffline(false);
  await page.getByText("live", { exact: true }).waitFor();
});
