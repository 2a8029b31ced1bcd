// Opens the page in headless Chromium, runs network files on pictures, prints spike counts as JSON.
//
//     node test/counts.mjs JOBS.json [SCREENSHOT.png]
//
// JOBS.json: [{"network": PATH, "images": [PATH, ...], "stop": "never"}, ...].

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import httpServer from "http-server";
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const folder = new URL("..", import.meta.url).pathname;
const program = process.env.CHROMIUM ?? "/usr/bin/chromium";
const [jobsFile, screenshot] = process.argv.slice(2);
const jobs = JSON.parse(await readFile(jobsFile, "utf8"));

// Port 0: the system chooses a free one.
const { server } = httpServer.createServer({ root: folder });
server.listen(0, "127.0.0.1");
await once(server, "listening");
const browser = await chromium.launch({ executablePath: program, args: FLAGS });
try {
  const page = await browser.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("request", (request) => {
    const url = request.url();
    if (!/^(http:\/\/127\.0\.0\.1|data:|blob:)/.test(url)) problems.push(`It asked for ${url}.`);
  });
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.locator("#pause").fill("0");
  const message = page.locator("#message");
  const results = [];
  for (const { network, images, stop } of jobs) {
    await page.setInputFiles("#network-file", network);
    await message.filter({ hasText: /^(Ready|Error)/ }).waitFor({ timeout: 60000 });
    await page.selectOption("#stop", stop ?? "never");
    const answers = [];
    for (const image of (await message.innerText()).startsWith("Error") ? [] : images) {
      await page.setInputFiles("#image-file", image);
      await page.locator("#run").click();
      await message.filter({ hasText: /^(Class|Error)/ }).waitFor({ timeout: 60000 });
      answers.push(await message.innerText());
      await message.evaluate((element) => (element.textContent = ""));
    }
    results.push({ message: answers.length ? "" : await message.innerText(), answers });
    await message.evaluate((element) => (element.textContent = ""));
  }
  if (screenshot) await page.screenshot({ path: screenshot, fullPage: true });
  console.log(JSON.stringify({ results, problems }));
} finally {
  await browser.close();
  server.close();
}
