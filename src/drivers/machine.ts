import { existsSync, readFileSync } from "node:fs";
import { defineModule } from "@/kernel/module.ts";
import type { Machine } from "@/ports/machine.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    machine: Machine;
  }
}

/** Where boards say their serial number; some of it only root may read. */
const BOARD = [
  "/sys/firmware/devicetree/base/serial-number",
  "/sys/class/dmi/id/product_uuid",
  "/sys/class/dmi/id/board_serial",
];
const SYSTEM = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
const CONTAINER = ["/.dockerenv", "/run/.containerenv", "/run/systemd/container"];
/** What makers leave in the place of a serial number. */
const NO_SERIAL =
  /^(0*|f*|[x.]*|none|n\/a|default string|to be filled.*|not (specified|applicable).*|system serial.*|0123456789.*|12345678.*|uninitialized)$/i;

/** The machine as the kernel and the system describe it, below a root that tests choose. */
export function openMachine(root = ""): Machine {
  return {
    marks() {
      if (CONTAINER.some((path) => existsSync(root + path))) return {};
      const board = firstSerial(BOARD, root);
      const system = firstSerial(SYSTEM, root);
      return { ...(board !== undefined && { board }), ...(system !== undefined && { system }) };
    },
  };
}

/** Provides `machine`. */
export const machine = defineModule({
  name: "machine",
  needs: [],
  provides: "machine",
  start: () => openMachine(),
});

/** The path belongs to it: one number read from two places is not the same mark. */
function firstSerial(paths: readonly string[], root: string): string | undefined {
  for (const path of paths) {
    const serial = textIn(root + path);
    if (serial !== undefined && !NO_SERIAL.test(serial.replaceAll("-", ""))) {
      return `${path}=${serial}`;
    }
  }
  return undefined;
}

function textIn(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").replaceAll("\0", "").trim();
  } catch {
    return undefined;
  }
}
