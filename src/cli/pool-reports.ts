import type { Logger } from "pino";
import type { Kernel } from "@/kernel/kernel.ts";
import { LISTENING_FILE, sparingProxies } from "./client.ts";

const STATUS_EVERY_MS = 30_000;
const DOOR_MS = 5_000;

/** Where a pool listens: ports may have been picked by the system. */
export function addressesOf(kernel: Kernel) {
  return { ...kernel.service("http").urls(), grpc: kernel.service("grpc").address() };
}

/** Leaves in the data folder where this pool listens, for the commands on this machine. */
export function tellWhere(kernel: Kernel, log: Logger): void {
  const text = JSON.stringify({ ...addressesOf(kernel), pid: process.pid });
  try {
    kernel.service("files").write(LISTENING_FILE, `${text}\n`);
  } catch (err) {
    log.warn({ err }, "commands on this machine are not told where the pool listens");
  }
}

/** Takes away what `tellWhere` left. */
export function forgetWhere(kernel: Kernel, log: Logger): void {
  try {
    kernel.service("files").remove(LISTENING_FILE);
  } catch (err) {
    log.warn({ err }, "the file that says where the pool listens stays behind");
  }
}

/**
 * Tells whoever started this process that the pool is ready, and from then on how it goes. The
 * watchdog is fed also while the pool stops: that has a limit of its own.
 */
export function reportReady(kernel: Kernel, isEnding: () => boolean): Disposable {
  const supervisor = kernel.service("supervisor");
  const reports = new DisposableStack();
  supervisor.ready(statusLine(kernel));
  const tell = (): void => {
    if (!isEnding()) supervisor.status(statusLine(kernel));
  };
  reports.defer(kernel.service("clock").every(STATUS_EVERY_MS, tell));
  const door = localDoor(kernel.service("http").urls().plain);
  sparingProxies(door);
  const isServing = async () =>
    isEnding() || door === undefined || (await opens(door)) || isEnding();
  reports.defer(supervisor.feedWhile(isServing));
  return reports;
}

/** The pool in one line: `systemctl status` shows it. */
export function statusLine(kernel: Kernel): string {
  const registry = kernel.service("registry");
  const { plain, secure, grpc } = addressesOf(kernel);
  let [all, up] = [0, 0];
  for (const { id } of registry.listPools()) {
    for (const { state } of registry.nodesOf(id)) {
      all++;
      if (state === "alive") up++;
    }
  }
  return `${up} of ${all} nodes up; listening on ${[...plain, ...secure, `gRPC ${grpc}`].join(", ")}`;
}

/**
 * The door to knock at to see whether the pool serves. A loop that turns may still answer nobody; but
 * an address of the network may be away with its cable, which is no reason to start anew.
 */
function localDoor(urls: readonly string[]): string | undefined {
  return urls.find((url) => /^http:\/\/(127\.|0\.0\.0\.0:|\[::1?\])/.test(url));
}

async function opens(door: string): Promise<boolean> {
  const answer = await fetch(`${door}/livez`, {
    keepalive: false,
    signal: AbortSignal.timeout(DOOR_MS),
  }).catch(() => undefined);
  await answer?.body?.cancel();
  return answer?.ok === true;
}
