import type { Command } from "commander";
import type { Client, ClientFlags } from "./client.ts";
import { asking } from "./options.ts";
import { print } from "./output.ts";

/** `clock accept|rewind`: what to do when the board's clock is not believed. */
export function clockCommands(program: Command): void {
  const clock = program.command("clock").description("what to do when the clock is not believed");
  asking(
    clock.command("accept").description("believe the clock after a jump forward"),
    (client, flags) => tell(client, flags, "accept"),
  );
  asking(
    clock.command("rewind").description("start a new time epoch after the clock was ahead"),
    (client, flags) => tell(client, flags, "rewind"),
  );
}

async function tell(client: Client, flags: ClientFlags, verb: string): Promise<void> {
  const answer = await client.json("POST", `/api/v1/clock/${verb}`, { body: {} });
  if (flags.json) print.json(answer);
  else print.line(`Done. The pool's time is ${answer["pool_time"]}.`);
}
