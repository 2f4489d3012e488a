// What all browser tests do: open a page as a person does, and look at whether anything is wrong with it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const link = process.env.WEFT_UI;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });

// looks are those in which each page is looked at: colours do not depend on the width.
export const looks = [
  { width: 1440, height: 900, colorScheme: "light" },
  { width: 1440, height: 900, colorScheme: "dark" },
  { width: 390, height: 844, colorScheme: "light" },
];

// open opens the link, which signs in, and then a page below it.
export async function open({ width, height, colorScheme } = looks[0]) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion: "reduce", ignoreHTTPSErrors: true });
  const page = await context.newPage();
  page.wrong = [];
  page.on("console", (m) => m.type() === "error" && page.wrong.push(m.text()));
  page.on("pageerror", (e) => page.wrong.push(String(e)));
  await page.goto(link);
  return page;
}

export async function visit(page, path) {
  await page.goto(new URL(path, link.split("#")[0]).href);
}

// sound fails if the page complained, broke its policy, is hard to use for some, or is wider than the window.
export async function sound(page, what) {
  assert.deepEqual(page.wrong, [], `${what}: the console`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${what}: ${wide} px wider than the window`);
  await page.evaluate(axe); // by the debugger: the policy of the page lets it load nothing
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const found = violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.html} ${n.failureSummary}`).join("; ")}`);
  assert.deepEqual(found, [], `${what}: axe`);
}
