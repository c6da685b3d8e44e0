import { type Acknowledged, keepWriting } from "./acknowledged.ts";
import {
  BACK_MS,
  type Board,
  type BoardNodes,
  CLOSE_MS,
  INTERVAL_SLOTS,
  nearLog,
  POOL_DATA,
  SLOT_SECONDS,
  slotNow,
} from "./board-stage.ts";
import { heardSlots, lettersSince, untilBooked, untilClosed } from "./heard.ts";
import { patiently, untilSeen } from "./patience.ts";
import { demand } from "./report.ts";
import { asked, untilHealthy } from "./scenes.ts";

const CUT = "power cut in the middle of an interval";
/** Which slot of an interval the power goes in; those before it are in memory and in receipts only. */
const CUT_AT = 4;
const WRITING_MS = 10_000;
const OLD_DAY = "2023-01-01";

/** The board loses its power, its clock and its peace; what was heard and acknowledged stays. */
export async function boardPower(board: Board, nodes: BoardNodes): Promise<void> {
  const { part } = board;
  await part.step(CUT, async (tell) => {
    for (const evidence of await cutInInterval(board, nodes)) tell(evidence);
  });
  await part.step("the database is intact", async (tell) => tell(await isIntact(board)), {
    needs: CUT,
  });
  await part.step("power cut while the pool writes", async (tell) => {
    tell(await cutInWriting(board));
    tell(await isIntact(board));
    tell(await farBooked(board, nodes));
  });
  await part.step("boot with an old clock", async (tell) => tell(await oldClock(board, nodes)));
  await part.step("reboot: everything is back by itself", async (tell) =>
    tell(await reboots(board, nodes)),
  );
}

/** The far node lives and carries its receipts; the near one dies with the pool. */
async function cutInInterval(board: Board, nodes: BoardNodes): Promise<readonly string[]> {
  const { machine, far, galaxy } = board;
  const inMiddle = async (): Promise<number | undefined> =>
    slotNow() % INTERVAL_SLOTS === CUT_AT ? slotNow() : undefined;
  const cutSlot = await untilSeen("the middle of an interval", inMiddle, CLOSE_MS);
  const nearBefore = heardSlots(await nearLog(board), SLOT_SECONDS);
  const farBefore = heardSlots(far.log(), SLOT_SECONDS);
  await patiently("the power is cut and comes back", machine.cut());
  await backByItself(board);
  const booked = await farBooked(board, nodes);
  const table = await untilClosed(galaxy, nodes.far, slotNow(), CLOSE_MS);
  const since = lettersSince(table, cutSlot);
  demand(since !== "" && !since.includes("D"), "no slot DOWN", since);
  const books = await untilClosed(galaxy, nodes.near, slotNow(), CLOSE_MS);
  const nearNow = heardSlots(await nearLog(board), SLOT_SECONDS, books.lastSlot);
  const lost = nearBefore + nearNow - books.credited;
  demand(nearNow > 0, "the node beside the pool to go on", nearNow);
  demand(lost <= INTERVAL_SLOTS, "at most one interval lost", { nearBefore, nearNow, ...books });
  return [
    `slot ${CUT_AT + 1} of ${INTERVAL_SLOTS}, ${farBefore} slots heard before it`,
    `both services back by themselves`,
    `the node that lived: ${booked}, 0 lost, slots since ${since}`,
    `the node that died with it: ${lost} slots lost of at most ${INTERVAL_SLOTS}`,
  ];
}

/** Nobody starts anything: health is only asked for. */
async function backByItself({ unit, nodeUnit, galaxy }: Board): Promise<void> {
  await patiently("health", untilHealthy(galaxy, BACK_MS));
  await unit.untilState("active", BACK_MS);
  await nodeUnit.untilState("active", BACK_MS);
}

async function farBooked({ galaxy, far }: Board, nodes: BoardNodes): Promise<string> {
  const log = () => far.log();
  const booking = { log, slotSeconds: SLOT_SECONDS, slot: slotNow(), patienceMs: CLOSE_MS };
  const { credited } = await untilBooked(galaxy, nodes.far, booking);
  return `${credited} slots heard, ${credited} credited`;
}

/** The executable is also a Bun, and brings the SQLite that wrote the file. */
async function isIntact({ machine, galaxy }: Board): Promise<string> {
  const script = `import { Database } from "bun:sqlite";
    const database = new Database("${POOL_DATA}/pool.db", { readonly: true });
    const rows = (sql) => JSON.stringify(database.query(sql).all());
    console.log(rows("PRAGMA integrity_check") + rows("PRAGMA foreign_key_check"));`;
  const said = await machine.read(
    "cat >/tmp/intact.ts && BUN_BE_BUN=1 galaxy-pool run /tmp/intact.ts; rm /tmp/intact.ts",
    { input: script, timeoutMs: BACK_MS },
  );
  demand(said === '[{"integrity_check":"ok"}][]', "an intact database", said);
  const { checks } = await asked<{ checks: Record<string, { ok: boolean; detail: string }> }>(
    galaxy,
    "health",
  );
  demand(checks["ledger"]?.ok === true, "the books to be right", checks);
  return `PRAGMA integrity_check ok, no foreign key broken, ${checks["ledger"].detail}`;
}

/** Whatever the pool acknowledged must be there afterwards. */
async function cutInWriting(board: Board): Promise<string> {
  const { machine, galaxy, httpsPort } = board;
  const secret = await machine.read(`cat ${POOL_DATA}/operator.token`);
  const writing = keepWriting(httpsPort, secret);
  await patiently("writes before the cut", Bun.sleep(WRITING_MS));
  await patiently("the power is cut and comes back", machine.cut());
  const made: Acknowledged = await writing.stop();
  demand(made.ids.length > 0, "writes to be acknowledged before the cut", made.problem);
  await backByItself(board);
  const { items } = await asked<{ items: readonly { token_id: string }[] }>(galaxy, "token list");
  const kept = new Set(items.map(({ token_id }) => token_id));
  const missing = made.ids.filter((id) => !kept.has(id));
  demand(missing.length === 0, "every acknowledged write to be there", missing);
  return `${made.ids.length} commits acknowledged until the cut, all there`;
}

/** As without a clock chip and without the time from the network. */
async function oldClock(board: Board, nodes: BoardNodes): Promise<string> {
  const { machine, galaxy, unit } = board;
  await machine.exec(
    `systemctl stop galaxy-pool && date -s ${OLD_DAY} && systemctl start galaxy-pool`,
    {
      timeoutMs: BACK_MS,
    },
  );
  demand((await unit.state()) === "active", "the service to come up", await unit.state());
  const waiting = await machine.exec("galaxy-pool health", {
    allowFailure: true,
    timeoutMs: BACK_MS,
  });
  const said = `${waiting.stdout}${waiting.stderr}`;
  const reason = said.split("\n").find((line) => /clock/.test(line) && /behind|wait/.test(line));
  demand(waiting.code === 4 && reason !== undefined, "code 4 and the clock as the reason", said);
  await machine.exec(`date -s @${(Date.now() / 1000).toFixed(1)}`);
  await patiently("health", untilHealthy(galaxy, BACK_MS));
  return `up and waiting ("${reason.trim()}"), code 4; healthy when the clock is right; ${await farBooked(board, nodes)}`;
}

async function reboots(board: Board, nodes: BoardNodes): Promise<string> {
  const startMs = performance.now();
  await patiently("the board reboots", board.machine.reboot());
  await backByItself(board);
  const backS = ((performance.now() - startMs) / 1000).toFixed(0);
  return `both services back by themselves, healthy after ${backS} s; ${await farBooked(board, nodes)}`;
}
