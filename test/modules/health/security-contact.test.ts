import { describe, expect, test } from "bun:test";
import { TestClock } from "#test/support/clock.ts";
import { httpWith } from "#test/support/http.ts";
import {
  SECURITY_CONTACT_ACCESS,
  securityContactRoutes,
} from "@/modules/health/security-contact.ts";

const PATH = "/.well-known/security.txt";
const DAY_MS = 86_400_000;

async function poolAt(clock: TestClock) {
  const { ask } = await httpWith(() => [securityContactRoutes(clock), SECURITY_CONTACT_ACCESS]);
  return ask;
}

/** The fields of RFC 9116, one a line; what is none is a fault. */
function fieldsOf(text: string): ReadonlyMap<string, string> {
  const lines = text.trimEnd().split("\n");
  return new Map(
    lines.map((line) => {
      const [, name, value] = /^([A-Z][A-Za-z-]+): (\S.*)$/.exec(line) ?? [];
      if (name === undefined || value === undefined) throw new Error(`no field: ${line}`);
      return [name, value] as const;
    }),
  );
}

describe("security.txt", () => {
  test.each([
    ["plain, on this machine", {}],
    ["secure, from elsewhere", { isSecure: true, address: "192.0.2.7" }],
  ])("names the contact to anyone (%s)", async (_, origin) => {
    const ask = await poolAt(new TestClock());
    const answer = await ask("GET", PATH, { origin });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    const fields = fieldsOf(await answer.text());
    expect(fields.get("Contact")).toBe("mailto:security@hybridconnect.cloud");
    expect(fields.get("Preferred-Languages")).toBe("en");
    expect(fields.get("Policy")).toStartWith("https://");
  });

  test("expires within a year, and always in the future", async () => {
    const clock = new TestClock();
    const ask = await poolAt(clock);
    for (const waitMs of [0, DAY_MS - 1, 400 * DAY_MS]) {
      clock.advance(waitMs);
      const fields = fieldsOf(await (await ask("GET", PATH)).text());
      expect(fields.get("Expires")).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      const leftDays = (Date.parse(fields.get("Expires") ?? "") - clock.now()) / DAY_MS;
      expect([leftDays > 30, leftDays < 365]).toEqual([true, true]);
    }
  });
});
