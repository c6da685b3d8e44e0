import { describe, expect, test } from "bun:test";
import { loadConfiguration } from "@/cli/configuration.ts";
import { openLog } from "@/cli/logging.ts";

describe("the log", () => {
  test("goes on when the disk it is on is full", () => {
    const set = ["logging.file=/dev/full"];
    const log = openLog(loadConfiguration({ set }, { HOME: "/nowhere" }).configuration);
    const said = () => {
      for (let line = 0; line < 10_000; line++) log.info({ line }, "something happened");
    };
    expect(said).not.toThrow();
  });
});
