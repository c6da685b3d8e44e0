import {
  BACK_MS,
  BOARD_CLOCK,
  type Board,
  type BoardNodes,
  CLOSE_MS,
  mebibytes,
  typedOn,
} from "./board-stage.ts";
import { patiently, untilSeen } from "./patience.ts";
import { withEnvironment } from "./readme.ts";
import { OLD } from "./release.ts";
import { demand } from "./report.ts";
import { asked, creditedOf, DUE_SLOTS, earnedOf, joinLineIn, pay, untilHealthy } from "./scenes.ts";

const ADDRESS = "'IBAN DE02 1203 0000 0000 2020 51'";
const INSTALL = "install by README's line";
const JOIN = "two nodes join: one far, one beside the pool";
const EARN = "both nodes earn";

/** Install, join, earn, be paid; answers the nodes, if all that went well. */
export async function boardBegins(board: Board): Promise<BoardNodes | undefined> {
  const { part } = board;
  let joinLine = "";
  let nodes: BoardNodes | undefined;
  await part.step(INSTALL, async (tell) => {
    joinLine = joinLineIn(await installed(board));
    tell(`sudo is a stand-in here; ${board.world.release.requests.length} files fetched`);
  });
  await part.step("active, healthy, enabled", async (tell) => tell(await isUp(board)), {
    needs: INSTALL,
  });
  await part.step(
    JOIN,
    async (tell) => {
      nodes = await bothJoined(board, joinLine);
      tell(`far ${nodes.far} on this host, near ${nodes.near} as galaxy-node.service`);
    },
    { needs: INSTALL },
  );
  const isEarning = await part.step(
    EARN,
    async (tell) => tell(nodes ? await bothEarn(board, nodes) : ""),
    { needs: JOIN },
  );
  await part.step("a node is paid", async (tell) => tell(nodes ? await paid(board, nodes) : ""), {
    needs: EARN,
  });
  return isEarning ? nodes : undefined;
}

async function installed(board: Board): Promise<string> {
  const { world } = board;
  world.release.restore();
  const line = world.readme.line("Install", ["curl", "install.sh"]);
  return typedOn(board, "the installer runs", withEnvironment(line, BOARD_CLOCK));
}

async function isUp({ machine, unit, galaxy }: Board): Promise<string> {
  await patiently("health", untilHealthy(galaxy, BACK_MS));
  demand((await unit.state()) === "active", "the unit to be active");
  const enabled = await machine.read("systemctl is-enabled galaxy-pool");
  demand(enabled === "enabled", "the unit to be enabled", enabled);
  const { status, version } = await asked<Record<string, string>>(galaxy, "status");
  demand(status === "healthy" && version === OLD, `${OLD}, healthy`, { status, version });
  const size = Number(await machine.read("stat -c %s /usr/local/bin/galaxy-pool"));
  const kind = await machine.read("od -An -tx1 -j18 -N2 /usr/local/bin/galaxy-pool");
  demand(kind === "b7 00", "an ELF file for aarch64", kind);
  return `galaxy-pool ${version} ${status}, aarch64, ${mebibytes(size)}`;
}

/** The printed line makes the board its own node; a token of the command line makes this host one. */
async function bothJoined(board: Board, joinLine: string): Promise<BoardNodes> {
  const { galaxy, far, grpcPort, nodeUnit } = board;
  const { token } = await asked<{ token: string }>(galaxy, "token create --node-name far");
  const farId = await patiently("the far node joins", far.join(`127.0.0.1:${grpcPort}`, token));
  far.run();
  const line = withEnvironment(joinLine, ["LOG_LEVEL=DEBUG"]);
  await typedOn(board, "the installer runs again, for a node", line);
  await nodeUnit.untilState("active", BACK_MS);
  const { items } = await asked<{ items: readonly { node_id: string }[] }>(galaxy, "node list");
  const near = items.find(({ node_id }) => node_id !== farId);
  demand(items.length === 2 && near !== undefined, "two nodes", items);
  return { far: farId, near: near.node_id };
}

async function bothEarn({ galaxy }: Board, nodes: BoardNodes): Promise<string> {
  const look = async (): Promise<string | undefined> => {
    const far = await creditedOf(galaxy, nodes.far);
    const near = await creditedOf(galaxy, nodes.near);
    return Math.min(far, near) >= DUE_SLOTS ? `${far} and ${near} slots credited` : undefined;
  };
  return untilSeen(`${DUE_SLOTS} credited slots of each node`, look, CLOSE_MS);
}

async function paid(board: Board, { near }: BoardNodes): Promise<string> {
  const { galaxy, machine, world } = board;
  const line = world.readme.line("Join", ["node address"]).replace("ADDRESS", ADDRESS);
  await machine.exec(line, { timeoutMs: BACK_MS });
  const payment = await patiently("a payment", pay(galaxy, near, "bank-1"));
  const { paid: sum, owed, pending } = await earnedOf(galaxy, near);
  demand(sum === payment.microUsdt && pending === 0n, "explain to say the same", `${sum}`);
  return `batch ${payment.batch}: ${sum} µUSDT settled, ${owed} owed since`;
}
