import { demand } from "./report.ts";
import {
  asked,
  DUE_SLOTS,
  earnedOf,
  MICRO_A_SLOT,
  onlyNode,
  pay,
  reachedAt,
  untilCredited,
} from "./scenes.ts";
import type { Stage } from "./stage.ts";

const REACHED_AT = "127.0.0.1:50051";
const ADDRESS = "'IBAN DE02 1203 0000 0000 2020 51'";

/** The second machine becomes a node by the printed line, earns and is paid; answers the node's id. */
export async function joinSteps(stage: Stage, joinLine: string): Promise<string> {
  const { part, world, node, nodeUnit, galaxy, nodeGalaxy } = stage;
  let id = "";
  await part.step("a second machine joins by the printed line", async (tell) => {
    demand(joinLine !== "", "the installer to have printed a join line");
    expectAsInReadme(stage, joinLine);
    await node.keepOffers();
    const ran = await node.exec(reachedAt(joinLine, REACHED_AT), { timeoutMs: 120_000 });
    id = await onlyNode(galaxy);
    demand((await nodeUnit.state()) === "active", "galaxy-node to be active", ran.stdout);
    const token = /GP1\.\S+/.exec(joinLine)?.[0] ?? "";
    const kept = await node.read(`grep -rlF ${token} /etc /usr/local /var/lib || true`);
    demand(kept === "", "the token to be saved nowhere", kept);
    tell(`HOST is ${REACHED_AT} here; node ${id}`);
  });
  await part.step(
    "the node earns, slot by slot",
    async (tell) => {
      const line = world.readme.line("Join", ["node address"]).replace("ADDRESS", ADDRESS);
      await node.exec(line);
      const slots = await untilCredited(galaxy, id, DUE_SLOTS + 1, 90_000);
      const { today } = await asked<{ today: { down: number } }>(galaxy, `poot show ${id}`);
      demand(today.down === 0, "no slot DOWN", today);
      await node.exec(world.readme.line("Join", ["node status"]));
      const status = await asked<{ connected: boolean; state: string }>(nodeGalaxy, "node status");
      demand(status.connected && status.state === "alive", "the node alive", status);
      tell(`${slots} slots credited, none DOWN`);
    },
    { needs: "a second machine joins by the printed line" },
  );
  await part.step(
    "the node is paid",
    async (tell) => {
      const { batch, microUsdt } = await pay(galaxy, id, "bank-1");
      const { owed, pending, paid } = await earnedOf(galaxy, id);
      demand(microUsdt > 0n && microUsdt % MICRO_A_SLOT === 0n, "whole slots paid", `${microUsdt}`);
      demand(paid === microUsdt && pending === 0n, "explain to say the same", `${paid} ${pending}`);
      await galaxy(`explain ${id}`);
      tell(`batch ${batch}: ${microUsdt} µUSDT settled; explain: paid ${paid}, owed ${owed}`);
    },
    { needs: "the node earns, slot by slot" },
  );
  return id;
}

/** The printed line is the one README.md shows, with this pool's values and the local server in it. */
function expectAsInReadme({ world }: Stage, joinLine: string): void {
  const blank = (line: string): string =>
    line
      .replace(/INSTALL_GALAXY_BASE_URL=\S+ /, "")
      .replace(/GALAXY_POOL_URL=\S+/, "URL")
      .replace(/GALAXY_POOL_TOKEN=\S+/, "TOKEN");
  const shown = world.readme.line("Join", ["curl", "GALAXY_POOL_TOKEN"]);
  demand(blank(joinLine) === blank(shown), `the line as in README.md (${shown})`, joinLine);
}
