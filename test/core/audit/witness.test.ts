import { describe, expect, test } from "bun:test";
import { formatCheckpoint, parseCheckpoint, signCheckpoint } from "@/core/audit/checkpoint.ts";
import { entryText } from "@/core/audit/entry.ts";
import { originOf } from "@/core/audit/log-names.ts";
import { namedCheckpoint, RECALLED, RESTARTED, restartDetail } from "@/core/audit/restart.ts";
import { judgeOffer, type Offer, type Witnessed } from "@/core/audit/witness.ts";
import { utf8 } from "@/std/bytes.ts";
import { canonicalJson } from "@/std/canonical-json.ts";
import { sha256, signingKey } from "@/std/crypto.ts";
import { checkpointOf, cosigned, entryOf, linesOf, logSigner, treeOf } from "./world.ts";

const { publicKey } = logSigner;
const stranger = signingKey(sha256(utf8("stranger")));

function saw(lines: readonly string[], change: Partial<Witnessed> = {}): Witnessed {
  return { publicKey, checkpoint: parseCheckpoint(checkpointOf(lines)), ...change };
}

function offer(lines: readonly string[], from: number, change: Partial<Offer> = {}): Offer {
  const tree = treeOf(lines);
  return {
    publicKey,
    checkpoint: checkpointOf(lines),
    from,
    proof: tree.consistencyProof(Math.min(from, tree.size), tree.size),
    restart: undefined,
    ...change,
  };
}

/** A log that began anew from a checkpoint, with the rows a backup had. */
function restarted(from: string, action = RESTARTED) {
  const detail = canonicalJson(restartDetail("a backup was restored", parseCheckpoint(from)));
  const lines = [...linesOf(5), entryText(entryOf(6, { action, detail })), entryText(entryOf(7))];
  const tree = treeOf(lines);
  const entry = utf8(lines[5] ?? "");
  const restart = { entry, index: 5, proof: tree.inclusionProof(5, 7) };
  const checkpoint = checkpointOf(lines, { of: originOf("abc", "2") });
  return { lines, restart, offered: offer(lines, 0, { checkpoint, restart }) };
}

describe("a witness", () => {
  test("believes the first checkpoint it is shown, and from then on that key", () => {
    const offered = offer(linesOf(3), 0);
    const verdict = judgeOffer(undefined, offered);
    expect(verdict).toEqual({ type: "accepted", witnessed: saw(linesOf(3)) });
    const other = offer(linesOf(4), 3, {
      publicKey: stranger.publicKey,
      checkpoint: checkpointOf(linesOf(4), { key: stranger }),
    });
    expect(judgeOffer(saw(linesOf(3)), other).type).toBe("alarm");
  });

  test("accepts a log that grew, also from nothing", () => {
    expect(judgeOffer(saw(linesOf(3)), offer(linesOf(9), 3))).toEqual({
      type: "accepted",
      witnessed: saw(linesOf(9)),
    });
    expect(judgeOffer(saw([]), offer(linesOf(2), 0)).type).toBe("accepted");
  });

  test.each<[string, Offer]>([
    ["no checkpoint", offer(linesOf(9), 3, { checkpoint: "a checkpoint\n" })],
    [
      "another's signature",
      offer(linesOf(9), 3, { checkpoint: checkpointOf(linesOf(9), { key: stranger }) }),
    ],
    ["an older checkpoint", offer(linesOf(2), 2)],
    ["the checkpoint it knows", offer(linesOf(3), 3)],
    ["a proof from elsewhere", offer(linesOf(9), 2)],
    [
      "another log that says nothing",
      offer(linesOf(9), 3, { checkpoint: checkpointOf(linesOf(9), { of: originOf("abc", "2") }) }),
    ],
  ])("leaves alone %s", (_, offered) => {
    expect(judgeOffer(saw(linesOf(3)), offered).type).toBe("ignored");
  });

  test("raises an alarm at two logs of the same size, and at one that forgot", () => {
    const rewritten = [...linesOf(2), entryText(entryOf(3, { subject: "else" }))];
    expect(judgeOffer(saw(linesOf(3)), offer(rewritten, 3)).type).toBe("alarm");
    const longer = [...rewritten, ...linesOf(4)];
    expect(judgeOffer(saw(linesOf(3)), offer(longer, 3)).type).toBe("alarm");
  });

  test("follows a log that began anew from what it saw, or from later", () => {
    for (const size of [5, 8, 9]) {
      const { offered } = restarted(checkpointOf(linesOf(9)));
      expect(judgeOffer(saw(linesOf(size)), offered).type).toBe("accepted");
    }
    const recalled = restarted(cosigned(checkpointOf(linesOf(9))), RECALLED);
    expect(judgeOffer(saw(linesOf(9)), recalled.offered).type).toBe("accepted");
  });

  test("raises an alarm at a log that began anew from before what it saw", () => {
    const { offered } = restarted(checkpointOf(linesOf(8)));
    expect(judgeOffer(saw(linesOf(9)), offered).type).toBe("alarm");
    const forked = [...linesOf(8), entryText(entryOf(9, { subject: "else" }))];
    expect(judgeOffer(saw(forked), restarted(checkpointOf(linesOf(9))).offered).type).toBe("alarm");
    const third = parseCheckpoint(checkpointOf(linesOf(2), { of: originOf("abc", "0") }));
    expect(judgeOffer(saw([], { checkpoint: third }), offered).type).toBe("alarm");
  });

  test("does not take a restart for one that is not in the log, or that the log did not sign", () => {
    const { restart, offered } = restarted(checkpointOf(linesOf(9)));
    const elsewhere = { ...restart, index: 4 };
    expect(judgeOffer(saw(linesOf(9)), { ...offered, restart: elsewhere }).type).toBe("ignored");
    const forged = restarted(checkpointOf(linesOf(99), { key: stranger }));
    expect(judgeOffer(saw(linesOf(9)), forged.offered).type).toBe("ignored");
  });
});

describe("an entry that names an old checkpoint", () => {
  const detail = (checkpoint: unknown) => JSON.stringify({ action: RESTARTED, detail: checkpoint });

  test.each([
    ["no JSON", "{"],
    ["no object", "3"],
    ["null", "null"],
    ["another act", JSON.stringify({ action: "node.left", detail: {} })],
    ["no detail", detail(null)],
    ["a detail that is a text", detail("checkpoint")],
    ["no checkpoint in it", detail({})],
    ["a checkpoint that is none", detail({ checkpoint: "none" })],
  ])("is not %s", (_, line) => {
    expect(namedCheckpoint(line, publicKey)).toBeUndefined();
  });

  test("keeps the log's own signature alone", () => {
    const text = checkpointOf(linesOf(2));
    expect(restartDetail("why", parseCheckpoint(cosigned(text)))).toEqual({
      reason: "why",
      checkpoint: text,
    });
    const empty = signCheckpoint({ origin: "a", size: 0, root: treeOf([]).root() }, logSigner);
    expect(namedCheckpoint(detail({ checkpoint: formatCheckpoint(empty) }), publicKey)?.size).toBe(
      0,
    );
  });
});
