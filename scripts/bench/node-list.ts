import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openBare } from "./bare-child.ts";
import { placesIn } from "./bench-pool.ts";
import { Child } from "./child.ts";
import { type Figure, median } from "./figure.ts";
import { openLoad } from "./load-child.ts";
import { openPool } from "./pool-child.ts";
import { cpuMs } from "./processes.ts";

const NODES = 100;
const CONNECTIONS = 16;
const PATH = `/api/v1/nodes?limit=${NODES}`;

/** The list of nodes, beside a bare server that answers the same bytes. */
export const nodeList: Figure = {
  name: "list",
  async measure({ folder: all, short }) {
    const folder = join(all, "list");
    await using pool = await Child.start(openPool, {
      file: join(import.meta.dir, "pool-child.ts"),
      terms: { folder, clock: "system" },
    });
    await pool.ask("admit", { from: 1, count: NODES });
    const { http } = await pool.ask("reach", null);
    const operator = readFileSync(join(placesIn(folder).data, "operator.token"), "utf8").trim();
    const tokens = [operator, await pool.ask("login", 1)];
    const bytes = await bodyOf(`${http}${PATH}`, operator);
    await using bare = await Child.start(openBare, {
      file: join(import.meta.dir, "bare-child.ts"),
      terms: bytes,
    });
    await using load = await Child.start(openLoad, {
      file: join(import.meta.dir, "load-child.ts"),
      terms: { connections: CONNECTIONS },
    });
    const requests = tokens.map(requestOf);
    const sides = {
      pool: { port: Number(new URL(http).port), pid: pool.pid },
      bare: { port: await bare.ask("port", null), pid: bare.pid },
    };
    const rates = { pool: [] as number[], bare: [] as number[] };
    const cpu = { pool: [] as number[], bare: [] as number[] };
    const [warm, count, forMs] = short ? [1, 3, 300] : [2, 9, 700];
    for (let round = 0; round < warm + count; round++) {
      for (const side of round % 2 === 0
        ? (["pool", "bare"] as const)
        : (["bare", "pool"] as const)) {
        const { port, pid } = sides[side];
        const before = cpuMs(pid);
        const perSecond = await load.ask("run", { port, requests, forMs });
        if (round < warm) continue;
        rates[side].push(perSecond);
        cpu[side].push(((cpuMs(pid) - before) * 1e6) / (perSecond * forMs));
      }
    }
    return [
      {
        name: `list of ${NODES} nodes, authenticated`,
        value: median(rates.pool),
        unit: "/s",
        baseline: { name: "bare Bun.serve, same bytes", value: median(rates.bare) },
        goal: { of: "ratio", least: 0.5 },
        notes: [
          `median of ${count} alternating rounds of ${forMs} ms, ${bytes.length} bytes, ${CONNECTIONS} kept connections without pipelining, load from a process of its own`,
          "an operator's token and a node's access token in turn; nothing changes meanwhile",
          `CPU of the server per answer: ${Math.round(median(cpu.pool))} against ${Math.round(median(cpu.bare))} us`,
        ],
      },
    ];
  },
};

async function bodyOf(url: string, token: string): Promise<Uint8Array<ArrayBuffer>> {
  const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const { items } = JSON.parse(new TextDecoder().decode(bytes)) as { items: unknown[] };
  if (items.length !== NODES) throw new Error(`the list has ${items.length} nodes`);
  return bytes;
}

function requestOf(token: string): string {
  return `GET ${PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`;
}
