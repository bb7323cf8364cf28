// What strangers get: nothing. Other sites in the same browser, other names for this machine, people without a session.
import * as fs from "node:fs";
import * as http from "node:http";
import * as path from "node:path";
import { expect, test } from "../fixtures.ts";
import type { Server } from "../server.ts";

interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: string;
}

/** A request with exactly these headers; a browser or fetch would not let us lie about Host. Streams are cut after two seconds. */
function ask(server: Server, method: string, where: string, headers: http.OutgoingHttpHeaders = {}, body = ""): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: "127.0.0.1", port: server.port, method, path: where, headers }, (answer) => {
      let text = "";
      const whole = () => {
        clearTimeout(patience);
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text });
      };
      const patience = setTimeout(() => {
        whole();
        request.destroy();
      }, 2_000);
      answer.setEncoding("utf8");
      answer.on("data", (chunk) => (text += chunk));
      answer.on("end", whole);
    });
    request.on("error", reject);
    request.end(body);
  });
}

const REFUSED = [400, 401, 403, 421];

async function session(server: Server): Promise<string> {
  const link = new URL(server.link());
  const answer = await ask(server, "GET", link.pathname + link.search);
  const cookie = answer.headers["set-cookie"]?.[0];
  if (cookie === undefined) throw new Error(`the link gave no session: ${answer.status} ${answer.body}`);
  expect(cookie).toMatch(/HttpOnly/i);
  expect(cookie).toMatch(/SameSite=(Lax|Strict)/i);
  return cookie.split(";")[0];
}

test("without a session nothing is told and nothing is done", async ({ server }) => {
  const posted = await server.api("/api/v1/jobs", { method: "POST", body: JSON.stringify(SECRET) });
  expect(posted.status, await posted.clone().text()).toBe(202);
  const { job_id: id } = (await posted.json()) as { job_id: string };
  const places = ["/jobs", `/jobs/${id}`, "/live/jobs", `/live/jobs/${id}`, "/api/v1/jobs", `/api/v1/jobs/${id}`];
  const files = ["results/0", "results.tsv", "series.csv", "chart/progress.svg"].map((name) => `/jobs/${id}/${name}`);
  for (const where of [...places, ...files]) {
    // Scripts and browsers are told the same: nothing.
    for (const accept of ["*/*", "text/html", "text/event-stream"]) {
      const answer = await ask(server, "GET", where, { Accept: accept });
      expect(answer.status, `${accept} ${where}`).toBe(401);
      expect(answer.body, `${accept} ${where}`).not.toMatch(/Secret name|secret-item|"total"|<svg class="chart|at_ms/);
      expect(answer.headers["content-type"] ?? "", `${accept} ${where}`).toMatch(/text\/html|application\/json/);
    }
  }
  for (const where of ["/api/v1/jobs", "/submit", `/api/v1/jobs/${id}/terminate`, "/api/fn/command"]) {
    const answer = await ask(server, "POST", where, { "Content-Type": "application/json" }, JSON.stringify(SECRET));
    expect(REFUSED, where).toContain(answer.status);
  }
  expect(["created", "running"]).toContain((await server.summary(id)).phase);
});

test("a sign-in link works once", async ({ server }) => {
  const link = new URL(server.link());
  const first = await ask(server, "GET", link.pathname + link.search);
  expect(first.headers["set-cookie"]).toBeDefined();
  const second = await ask(server, "GET", link.pathname + link.search);
  expect(second.headers["set-cookie"]).toBeUndefined();
});

test("a link leads nowhere else", async ({ server }) => {
  for (const next of ["https://evil.example/", "//evil.example/", "/\\evil.example"]) {
    const link = new URL(server.link(next));
    const answer = await ask(server, "GET", link.pathname + link.search);
    expect(answer.headers.location ?? "/", next).not.toContain("evil.example");
  }
});

test("another site's requests are refused, although the browser sends the cookie", async ({ server }) => {
  const cookie = await session(server);
  for (const origin of ["http://evil.example", "null", `http://127.0.0.1:${server.port + 1}`]) {
    for (const where of ["/submit", "/api/fn/command", "/api/v1/jobs"]) {
      const headers = { Cookie: cookie, Origin: origin, "Content-Type": "application/x-www-form-urlencoded" };
      expect((await ask(server, "POST", where, headers, "id=x&command=stop")).status, `${origin} ${where}`).toBe(403);
    }
  }
  const jobs = (await (await server.api("/api/v1/jobs")).json()) as unknown[] | { jobs: unknown[] };
  expect(Array.isArray(jobs) ? jobs : jobs.jobs).toEqual([]);
});

test("under a name that is not ours nothing is served", async ({ server }) => {
  const cookie = await session(server);
  for (const where of ["/jobs", "/api/v1/jobs", "/live/jobs"]) {
    expect(REFUSED, where).toContain((await ask(server, "GET", where, { Cookie: cookie, Host: "evil.example" })).status);
  }
});

test("the token of scripts is for its owner's eyes only", async ({ server }) => {
  const about = fs.statSync(path.join(server.data, "admin.token"));
  expect(about.mode & 0o777).toBe(0o600);
  const wrong = await ask(server, "GET", "/api/v1/jobs", { Authorization: "Bearer wrong" });
  expect(wrong.status).toBe(401);
});

const SECRET = {
  name: "Secret name",
  platform: { kind: "local", params: { command: ["asperathos", "worker", "--", "sh", "-c", "sleep 30", "{item}"] } },
  workload: { source: "inline", items: "secret-item" },
  objective: { deadline_s: 600 },
  replicas: { min: 1, max: 1, initial: 1 },
  monitors: [],
  loops: [],
  queue: { max_attempts: 3, order: "fifo" },
};
