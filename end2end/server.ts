// A real server for one test: its own port, its own data folder, killed and restarted at will.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { createServer } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const root = path.resolve(import.meta.dirname, "..");
const program = process.env.ASPERATHOS_BIN ?? path.join(root, "target/debug/asperathos");
const site = process.env.ASPERATHOS_SITE ?? path.join(root, "target/site");

/** Programs that lie beside the server: the workers of the examples. */
export const beside = (name: string) => path.join(path.dirname(program), name);

/** What the tests read of a job's summary. */
export interface Summary {
  id: string;
  name: string;
  phase: string;
  reason: string | null;
  items: { total: number; waiting: number; processing: number; done: number; dead: number };
  replicas: { wanted: number; running: number };
}

export class Server {
  private child: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    readonly data: string,
  ) {}

  static async start(): Promise<Server> {
    const data = fs.mkdtempSync(path.join(os.tmpdir(), "asperathos-end2end-"));
    const server = new Server(await freePort(), data);
    await server.run();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts (again) on the same port and the same data. */
  async run(): Promise<void> {
    const log = fs.openSync(path.join(this.data, "server.log"), "a");
    this.child = spawn(
      program,
      ["serve", "--listen", `127.0.0.1:${this.port}`, "--data", this.data, "--site", site, "--on-exit", "suspend"],
      {
        stdio: ["ignore", log, log],
        env: { ...process.env, PATH: `${path.dirname(program)}:${process.env.PATH}`, LEPTOS_OUTPUT_NAME: "asperathos" },
      },
    );
    fs.closeSync(log);
    for (let tries = 0; tries < 300; tries++) {
      if (this.child.exitCode !== null) break;
      const answer = await fetch(`${this.url}/healthz`).catch(() => undefined);
      if (answer?.ok) return;
      await sleep(100);
    }
    throw new Error(`the server does not answer:\n${this.log()}`);
  }

  log(): string {
    return fs.readFileSync(path.join(this.data, "server.log"), "utf8").split("\n").slice(-40).join("\n");
  }

  /** As a crash would end it: no goodbye, nothing flushed. */
  async kill9(): Promise<void> {
    await this.end("SIGKILL");
  }

  /** Ends server and replicas, also when the test left the server dead. */
  async stop(): Promise<void> {
    if (this.child === undefined) await this.run();
    await this.end("SIGTERM");
    fs.rmSync(this.data, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.child;
    this.child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await Promise.race([ended, sleep(20_000).then(() => child.kill("SIGKILL"))]);
  }

  /** A sign-in address that works once. */
  link(next = "/jobs"): string {
    const said = execFileSync(program, ["link", "--data", this.data, "--listen", `127.0.0.1:${this.port}`], { encoding: "utf8" });
    const printed = said.split(/\s+/).find((word) => word.startsWith("http"));
    if (printed === undefined) throw new Error(`asperathos link printed no address: ${said}`);
    const link = new URL(printed);
    link.searchParams.set("next", next);
    return link.href;
  }

  get token(): string {
    return fs.readFileSync(path.join(this.data, "admin.token"), "utf8").trim();
  }

  /** The REST interface, as a script would call it. */
  async api(where: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.url}${where}`, {
      ...init,
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${this.token}`, ...init.headers },
    });
  }

  /** The newest summary of a job. */
  async summary(id: string): Promise<Summary> {
    const answer = await this.api(`/api/v1/jobs/${id}`);
    if (!answer.ok) throw new Error(`GET job ${id}: ${answer.status} ${await answer.text()}`);
    const job = (await answer.json()) as Summary & { summary?: Summary };
    return job.summary ?? job;
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
