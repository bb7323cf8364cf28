// Opens job pages in Chromium and notes when the number of each new sample, and the charts with it, are on the screen.
// Run by pixel.rs in end2end/, where Playwright is; one JSON object as the argument, one as the answer.
import { createRequire } from "node:module";
import fs from "node:fs";
import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const { chromium } = createRequire(`${process.cwd()}/`)("@playwright/test");
const { url, id, links, bearer, readers, seconds, program, server } = JSON.parse(process.argv[2]);

/** Before any script of the page: notes arrivals of messages, changes of the number of done items, and painted charts. */
function watch() {
  const seen = { arrived: {}, shown: {}, painted: 0 };
  window.seen = seen;
  const Plain = window.EventSource;
  window.EventSource = class extends Plain {
    constructor(...all) {
      super(...all);
      this.addEventListener("message", (event) => (seen.arrived[event.lastEventId] ??= Date.now()));
    }
  };
  // A message of this channel is handled after the frame in which it was sent was laid out and painted.
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = ({ data }) => (seen.shown[data] ??= Date.now());
  const number = () => {
    const name = [...document.querySelectorAll("dt")].find((one) => one.textContent === "Done");
    const texts = [...(name?.nextElementSibling?.childNodes ?? [])].filter((node) => node.nodeType === Node.TEXT_NODE);
    return texts.map((node) => node.data).join("").replace(/\D/g, "");
  };
  // A chart is painted after its canvas was cleared.
  const { clearRect } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.clearRect = function (...all) {
    seen.painted += 1;
    clearRect.apply(this, all);
  };
  let last = "";
  addEventListener("DOMContentLoaded", () => {
    new MutationObserver(() => {
      const now = number();
      if (now === last) return;
      last = now;
      // Charts are painted in the next frame, asked for by the same message: this is told in that frame, after them or before.
      requestAnimationFrame(() => port2.postMessage(now));
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
}

/** A client that only reads: with `frames`, it keeps when each one was made. */
function read(frames) {
  return new Promise((resolve, reject) => {
    const request = http.get(`${url}/live/jobs/${id}`, { headers: { Authorization: bearer, Accept: "text/event-stream" }, agent: false });
    request.on("error", reject);
    request.on("response", (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`the stream was answered ${answer.statusCode}`));
      let rest = "";
      answer.on("error", () => {});
      answer.setEncoding("utf8").on("data", (text) => {
        if (!frames) return;
        const lines = (rest + text).split("\n");
        rest = lines.pop();
        for (const line of lines.filter((one) => one.startsWith("data:"))) {
          const frame = JSON.parse(line.slice(5));
          frames.push({ seq: frame.seq, at: frame.at, done: frame.summary?.items?.done });
        }
      });
      resolve(request);
    });
  });
}

/** Milliseconds of processor that each process has used, by its pid, with its parent. */
function processes() {
  const all = new Map();
  for (const pid of fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const fields = fs.readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").pop().split(" ");
      all.set(Number(pid), { parent: Number(fields[1]), used: (Number(fields[11]) + Number(fields[12])) * 10 });
    } catch {} // It has ended.
  }
  return all;
}

/** What the browser, which is all below this process, and the server have used. */
function used() {
  const all = processes();
  const ours = (pid) => pid !== undefined && (pid === process.pid || ours(all.get(pid)?.parent));
  let browser = 0;
  for (const [pid, { parent, used }] of all) if (pid !== process.pid && ours(parent)) browser += used;
  return { browser, server: all.get(server)?.used ?? 0 };
}

const browser = await chromium.launch({
  executablePath: program,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const look = { viewport: { width: 1440, height: 900 } };
// A context and a session each, as of people with browsers of their own: one browser opens six connections to a server
// at most, so that one session's streams beyond the fourth are short polls.
const open = [];
for (const link of links) {
  const page = await (await browser.newContext(look)).newPage();
  await page.goto(link);
  await page.addInitScript(watch);
  await page.goto(`${url}/jobs/${id}`, { timeout: 120_000 });
  open.push(page);
}
const frames = [];
const streams = [await read(frames)];
for (let number = 0; number < readers; number++) streams.push(await read());
// Start-up of the last page is not what is measured.
await sleep(10_000);
const painted = async () => (await Promise.all(open.map((page) => page.evaluate(() => window.seen.painted)))).reduce((sum, one) => sum + one, 0);
const paintedBefore = await painted();
const [from, before] = [Date.now(), used()];
await sleep(seconds * 1000);
const [until, after] = [Date.now(), used()];
const paintedAfter = await painted();
await sleep(3000);

const share = (name) => ((after[name] - before[name]) / (until - from)) * 100;
const answer = { arrived: [], shown: [], missed: 0, visible: 0, painted: paintedAfter - paintedBefore, browser: share("browser"), server: share("server") };
for (const page of open) {
  const { seen, visible } = await page.evaluate(() => ({ seen: window.seen, visible: document.visibilityState === "visible" }));
  answer.visible += visible ? 1 : 0;
  for (const [place, { seq, at, done }] of frames.entries()) {
    if (at < from || until < at || done === undefined || frames[place - 1]?.done === done) continue;
    if (seen.shown[done] === undefined) answer.missed += 1;
    else answer.shown.push(seen.shown[done] - at);
    if (seen.arrived[seq] !== undefined) answer.arrived.push(seen.arrived[seq] - at);
  }
}
console.log(JSON.stringify(answer));
streams.forEach((one) => one.on("error", () => {}).destroy());
await browser.close();
