import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { temporaryFolder } from "#test/support/folder.ts";
import { openMachine } from "@/drivers/machine.ts";

const PI = "/sys/firmware/devicetree/base/serial-number";
const UUID = "/sys/class/dmi/id/product_uuid";
const SERIAL = "/sys/class/dmi/id/board_serial";
const SYSTEM = "/etc/machine-id";

function marksIn(files: Readonly<Record<string, string>>) {
  using folder = temporaryFolder();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder.path, path)), { recursive: true });
    writeFileSync(join(folder.path, path), text);
  }
  return openMachine(folder.path).marks();
}

describe("a machine is known by", () => {
  test.each([
    [
      "the number of a Raspberry Pi",
      { [PI]: "10000000abcdef01\0" },
      { board: `${PI}=10000000abcdef01` },
    ],
    ["the number of a PC", { [UUID]: "1b2c-3d\n" }, { board: `${UUID}=1b2c-3d` }],
    [
      "the board's where the PC has none",
      { [UUID]: "00000000-0000\n", [SERIAL]: "M80\n" },
      { board: `${SERIAL}=M80` },
    ],
    [
      "its system, without a number",
      { [SERIAL]: "Default string\n", [SYSTEM]: "0a1b\n" },
      { system: `${SYSTEM}=0a1b` },
    ],
    ["nothing in a container", { "/.dockerenv": "", [SYSTEM]: "0a1b\n", [PI]: "1" }, {}],
    ["nothing where there is nothing", {}, {}],
  ])("%s", (_, files, marks) => {
    expect(marksIn(files)).toEqual(marks);
  });
});
