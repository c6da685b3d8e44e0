import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { statSync, symlinkSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { smallDisk } from "#test/support/small-disk.ts";
import { World } from "./world.ts";

const KILOBYTES = [0, 4, 8, 12, 16, 20, 28, 60, 200, 1500, 2300];
const disk = smallDisk(12);

test.skipIf(typeof disk === "string")(
  "a full disk refuses an upgrade, and changes nothing",
  async () => {
    if (typeof disk === "string") return;
    using full = disk;
    using world = new World();
    symlinkSync(full.path, world.root);
    world.publish("1.0.0");
    expect((await world.install()).code).toBe(0);
    const before = world.snapshot();
    world.services();
    const filling = `\nexit\n${randomBytes(1_500_000).toString("hex")}`;
    world.publish("1.1.0", (text) => text + filling);
    const filler = join(full.path, "filler");
    for (const kilobytes of KILOBYTES) {
      full.fill();
      truncateSync(filler, statSync(filler).size - kilobytes * 1024);
      const { code, stderr } = await world.install();
      full.clear();
      expect(code).toBe(1);
      expect(stderr).toMatch(/are free on|Is the disk full/);
      expect(world.snapshot()).toEqual(before);
      expect(world.services()).toEqual([]);
    }
    expect((await world.install()).code).toBe(0);
  },
  120_000,
);
