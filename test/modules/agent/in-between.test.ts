import { expect, setDefaultTimeout, test } from "bun:test";
import { RecordingPool } from "#test/support/recording-pool.ts";
import { parseToken } from "@/core/token.ts";
import { createCertificates } from "@/drivers/certificates.ts";
import { toBase32 } from "@/std/bytes.ts";
import { isRefusal } from "@/std/errors.ts";
import { AgentWorld } from "./world.ts";

setDefaultTimeout(120_000);

const ATTEMPTS = 100;
const certificates = createCertificates();

async function refusalOf(act: Promise<unknown>) {
  try {
    await act;
  } catch (error) {
    if (isRefusal(error)) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

test("somebody in between hears nothing of a token in 100 of 100 attempts to join", async () => {
  await using world = await AgentWorld.start();
  const other = await certificates.createRoot("other", Date.now() - 1e6, Date.now() + 1e9);
  const otherDer = certificates.toDer(other.certificatePem);
  await using stranger = await RecordingPool.open(otherDer);
  await using thief = await RecordingPool.open(world.authority.rootDer);
  const pins = [world.authority.pin, certificates.read(otherDer).spkiHash].map(toBase32);
  const codes = new Map<string, number>();
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const between = attempt % 2 === 0 ? stranger : thief;
    const text = await world.token();
    const addresses = [`127.0.0.1:${between.port}`];
    const refused = await refusalOf(world.machine().join(text, { addresses }));
    codes.set(refused.code, (codes.get(refused.code) ?? 0) + 1);
    if (between === stranger) for (const pin of pins) expect(refused.message).toContain(pin);
    expectUnheard(between, text);
  }
  expect([...codes]).toEqual([
    ["pin.differs", ATTEMPTS / 2],
    ["pool.untrusted", ATTEMPTS / 2],
  ]);
  const asked = [stranger, thief].flatMap(({ heard }) => heard);
  const questions = asked.map(({ path, body }) => `${path} ${body.toString("hex")}`);
  const question = "/galaxy.pool.v1.Enrolment/GetAuthority 0000000000";
  expect(questions).toEqual(Array(ATTEMPTS).fill(question));
});

/** Neither the token nor what is made of it; the question everybody may ask is all there is. */
function expectUnheard(between: RecordingPool, text: string): void {
  const { id, secret, pool } = parseToken(text);
  for (const word of [id, secret, pool]) expect(between.everything()).not.toContain(word);
}
