import pino from "pino";
import { TestClock } from "#test/support/clock.ts";
import { temporaryFolder } from "#test/support/folder.ts";
import { initModules, poolModules } from "@/app.ts";
import { configKeys, configure } from "@/kernel/config.ts";
import { Kernel } from "@/kernel/kernel.ts";
import { type AnyModule, defineModule } from "@/kernel/module.ts";
import type { Database, Write } from "@/ports/database.ts";

/** The tables a commit writes to. */
export type TablesOf = readonly string[];

export function tablesOf(writes: readonly Write[]): TablesOf {
  const pattern = /(?:insert into|update|delete from) "(\w+)"/i;
  return [...new Set(writes.flatMap(({ query }) => pattern.exec(query.sql)?.[1] ?? []))];
}

/** A whole pool in this process, whose commits are taken down. */
export class WholePool implements AsyncDisposable {
  readonly clock = new TestClock();
  /** What every commit since the last look wrote to. */
  readonly commits: TablesOf[] = [];
  readonly #folder = temporaryFolder();
  #kernel: Kernel | undefined;

  static async start(): Promise<WholePool> {
    const pool = new WholePool();
    const made = { name: "home", kind: "main", done: () => {} };
    await (await pool.#run(initModules(made))).stop();
    pool.#kernel = await pool.#run(poolModules("sqlite"));
    return pool;
  }

  get kernel(): Kernel {
    if (!this.#kernel) throw new Error("the pool runs");
    return this.#kernel;
  }

  get url(): string {
    return this.kernel.service("http").urls().plain[0] ?? "";
  }

  /** Asks over HTTP, as the operator unless another token is given. */
  async ask(method: string, path: string, body?: unknown, token = this.#operator()) {
    const answer = await fetch(this.url + path, {
      method,
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
    // biome-ignore lint/suspicious/noExplicitAny: whatever JSON came
    return (text === "" ? {} : JSON.parse(text)) as any;
  }

  /** Asks over HTTPS as a page of this host does. */
  async browse(
    method: string,
    path: string,
    more: { body?: unknown; headers?: Readonly<Record<string, string>> },
  ) {
    const url = this.kernel.service("http").urls().secure[0] ?? "";
    const port = new URL(url).port;
    const origin = `https://127.0.0.1:${port}`;
    const headers = new Headers(more.headers);
    headers.set("origin", origin);
    if (more.body !== undefined) headers.set("content-type", "application/json");
    const answer = await fetch(origin + path, {
      method,
      headers,
      tls: { rejectUnauthorized: false },
      ...(more.body !== undefined && { body: JSON.stringify(more.body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${path} answered ${await answer.text()}`);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#kernel?.stop();
    this.#folder[Symbol.dispose]();
  }

  #operator(): string {
    return this.kernel.service("files").readText("operator.token")?.trim() ?? "";
  }

  #run(modules: readonly AnyModule[]): Promise<Kernel> {
    const clock = defineModule({
      name: "clock",
      needs: [],
      provides: "clock",
      start: () => this.clock,
    });
    const changed = modules.map((module) => {
      if (module.name === "clock") return clock;
      return module.provides === "database" ? this.#recording(module) : module;
    });
    const keys = configKeys(changed);
    const known = new Set(keys.map(({ path }) => path));
    const set = Object.entries({
      "storage.data_dir": `${this.#folder.path}/pool`,
      "server.address": "127.0.0.1:0",
      "http.port": 0,
      "http.secure_port": 0,
    });
    const values = new Map<string, unknown>(set.filter(([path]) => known.has(path)));
    const configuration = configure(keys, [{ origin: () => "test", values }]);
    const onFatal = (fault: unknown) => {
      throw fault;
    };
    return Kernel.start(changed, { log: pino({ level: "silent" }), configuration, onFatal });
  }

  #recording(module: AnyModule): AnyModule {
    return {
      ...module,
      start: async (...given) => {
        const database = (await module.start(...given)) as Database;
        return new Proxy(database, {
          get: (target, name) => {
            const value = Reflect.get(target, name, target);
            if (typeof value !== "function") return value;
            if (name !== "commit") return value.bind(target);
            return (writes: readonly Write[]) => {
              this.commits.push(tablesOf(writes));
              return target.commit(writes);
            };
          },
        });
      },
    };
  }
}
