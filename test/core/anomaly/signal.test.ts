import { describe, expect, test } from "bun:test";
import { type AnomalyRule, RULES, sentenceOf } from "@/core/anomaly/rules.ts";
import { type Refused, signalsOf, spreadSignal } from "@/core/anomaly/signal.ts";

const SKEW_MS = 300_000;
const LOGIN = "POST /api/v1/auth/token";
const NODE = "xulz3ufj4l74k4cs542cde7p33";

function refused(kind: string, code: string, more: Partial<Refused> = {}): Refused {
  return { kind, code, address: "192.0.2.7", ...more };
}

describe("a refusal means to the rules", () => {
  test.each<[string, Refused, readonly (readonly [AnomalyRule, string])[]]>([
    [
      "a failed enrolment of its address",
      refused("unauthenticated", "enrolment.refused"),
      [["enrolments_failing", "192.0.2.7"]],
    ],
    [
      "a failed renewal of its network, for IPv6",
      refused("unauthenticated", "renewal.refused", { address: "2001:db8:1:2:3::9" }),
      [["enrolments_failing", "2001:db8:1:2"]],
    ],
    [
      "a failed login",
      refused("unauthenticated", "access.unauthenticated", { subject: LOGIN }),
      [["logins_failing", "192.0.2.7"]],
    ],
    [
      "a failed login on this machine itself",
      refused("unauthenticated", "access.unauthenticated", { subject: LOGIN, address: "::1" }),
      [["logins_failing", "this machine"]],
    ],
    [
      "a denial of who asked",
      refused("denied", "access.denied", { caller: "key:k1" }),
      [["denials", "key:k1"]],
    ],
    ["a denial of a stranger", refused("denied", "pool.private"), [["denials", "192.0.2.7"]]],
    ["a lock-out", refused("exhausted", "access.blocked"), [["lock_out", "192.0.2.7"]]],
    [
      "a claim that was counted",
      refused("conflict", "poot.behind", { caller: NODE }),
      [["claims_behind", NODE]],
    ],
    ["a claim of nobody", refused("conflict", "poot.behind"), [["claims_behind", "192.0.2.7"]]],
    [
      "a claim from another time",
      refused("unavailable", "poot.wait", { caller: NODE, skewMs: -300_001 }),
      [["node_clock_skewed", NODE]],
    ],
    [
      "nothing, a claim a little late",
      refused("unavailable", "poot.wait", { skewMs: 300_000 }),
      [],
    ],
    [
      "nothing, a session to begin anew",
      refused("precondition", "poot.reopen", { caller: NODE }),
      [],
    ],
    ["nothing, a suspended node that asks", refused("denied", "node.suspended"), []],
    ["nothing, a node of another pool", refused("denied", "poot.unknown", { caller: NODE }), []],
    ["nothing, an expired certificate", refused("unauthenticated", "certificate.expired"), []],
    ["nothing, no credentials", refused("unauthenticated", "access.unauthenticated"), []],
    ["nothing, a typing mistake", refused("invalid", "request.invalid"), []],
    ["nothing, a full pool", refused("precondition", "pool.full"), []],
    ["nothing, a busy moment", refused("exhausted", "connection.full"), []],
  ])("%s", (_, what, expected) => {
    const found = signalsOf(what, SKEW_MS).map(({ rule, subject }) => [rule, subject] as const);
    expect(found).toEqual([...expected]);
  });

  test("and a caller's addresses are counted by network, this machine once", () => {
    const members = [
      "127.0.0.1",
      "::1",
      "127.0.0.9",
      "192.0.2.1",
      "2001:db8::1",
      "2001:db8::2",
    ].map((address) => spreadSignal("key:k1", address).member);
    const [here, ...others] = new Set(members);
    expect([here, ...others]).toEqual(["this machine", "192.0.2.1", "2001:db8:0:0"]);
  });
});

describe("a sentence for the operator", () => {
  test.each(Object.keys(RULES) as (keyof typeof RULES)[])(
    "of %s names whom and what to do",
    (rule) => {
      expect(sentenceOf(rule, "someone", 1)).toEndWith(" someone");
      expect(sentenceOf(rule, "someone", 3)).toMatch(/ someone \(3 (times|addresses)\)$/);
      expect(RULES[rule].advice).toMatch(/^[A-Z].*[.…]$/);
    },
  );
});
