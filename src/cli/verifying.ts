import { nodeIdOf, poolIdOf } from "@/core/ids.ts";
import {
  type Evidence,
  findEquivocation,
  findOverCredit,
  provesOffence,
} from "@/core/poot/evidence.ts";
import { fromPlainProof } from "@/core/poot/plain-proof.ts";
import type { Proof } from "@/core/poot/proof.ts";
import { isProven, type ProofCheck, verifyProof } from "@/core/poot/verify.ts";
import { fromBase64, sameBytes } from "@/std/bytes.ts";
import { PoolError } from "@/std/errors.ts";

/** A file as it was read. */
export interface NamedText {
  readonly path: string;
  readonly text: string;
}

/** Whose proof it must be, when somebody says. */
export interface Wanted {
  readonly pool: string | undefined;
  readonly node: string | undefined;
}

interface FileVerdict {
  readonly path: string;
  readonly pool_id: string;
  readonly node_id: string;
  readonly credit_total: number;
  readonly checks: readonly ProofCheck[];
}

interface EvidenceVerdict {
  readonly type: string;
  readonly proves: boolean;
  readonly sentence: string;
}

/** What became of all files; `ok` when every proof holds and nothing is an offence. */
export interface Verdict {
  readonly ok: boolean;
  readonly files: readonly FileVerdict[];
  readonly evidence: readonly EvidenceVerdict[];
}

const EVIDENCE_FORMAT = "galaxy-pool evidence";
const SENTENCES = {
  E3: "The pool signed two different ACKs of one CLAIM: it says two things at once.",
  E4: "The pool credited more slots than passed since the session began.",
} as const;

/** Checks proof and evidence files by their signatures alone. */
export function verifyFiles(files: readonly NamedText[], wanted: Wanted): Verdict {
  const read = files.map(({ path, text }) => ({ path, value: parse(path, text) }));
  const proofs = read
    .filter(({ value }) => !isEvidence(value))
    .map(({ path, value }) => ({ path, proof: fromPlainProof(value) }));
  const verdicts = proofs.map(({ path, proof }) => fileVerdict(path, proof, wanted));
  const evidence = [
    ...read.flatMap(({ value }) => (isEvidence(value) ? [evidenceVerdict(evidenceOf(value))] : [])),
    ...proofs.flatMap(({ proof }) => overCreditIn(proof)),
    ...equivocationsAmong(proofs.map(({ proof }) => proof)),
  ];
  const ok =
    verdicts.every(({ checks }) => isProven(checks)) && !evidence.some(({ proves }) => proves);
  return { ok, files: verdicts, evidence };
}

function fileVerdict(path: string, proof: Proof, wanted: Wanted): FileVerdict {
  const ids = {
    pool_id: poolIdOf(proof.poolKey) as string,
    node_id: nodeIdOf(proof.nodeKey) as string,
  };
  const asked = [
    ...wantedCheck("pool", wanted.pool, ids.pool_id),
    ...wantedCheck("node", wanted.node, ids.node_id),
  ];
  const checks = [...verifyProof(proof, proof), ...asked];
  return { path, ...ids, credit_total: proof.creditTotal, checks };
}

function wantedCheck(name: string, wanted: string | undefined, seen: string): ProofCheck[] {
  if (wanted === undefined) return [];
  const ok = wanted === seen;
  return [
    {
      name: `wanted ${name}`,
      ok,
      sentence: ok
        ? `It is of the ${name} asked for.`
        : `It is of the ${name} ${seen}, not of ${wanted}.`,
    },
  ];
}

function overCreditIn({ open, claim, ack }: Proof): EvidenceVerdict[] {
  const found = findOverCredit(open, claim, ack);
  return found ? [evidenceVerdict(found)] : [];
}

function equivocationsAmong(proofs: readonly Proof[]): EvidenceVerdict[] {
  return proofs.flatMap((one, at) =>
    proofs.slice(at + 1).flatMap((other) => {
      if (!sameBytes(one.poolKey, other.poolKey)) return [];
      const found = findEquivocation(one.poolKey, one.ack, other.ack);
      return found ? [evidenceVerdict(found)] : [];
    }),
  );
}

function evidenceVerdict(evidence: Evidence): EvidenceVerdict {
  const proves = provesOffence(evidence);
  const sentence = proves ? SENTENCES[evidence.type] : "This evidence proves nothing.";
  return { type: evidence.type, proves, sentence };
}

function isEvidence(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    "format" in value &&
    value.format === EVIDENCE_FORMAT
  );
}

function evidenceOf(fields: Record<string, unknown>): Evidence {
  const bytes = (name: string): Uint8Array => {
    const found = typeof fields[name] === "string" ? fromBase64(fields[name]) : undefined;
    if (found) return found;
    throw new PoolError(
      "invalid",
      "poot.not_evidence",
      `This file is not evidence: ${name} is not base64.`,
    );
  };
  if (fields["type"] === "E3")
    return {
      type: "E3",
      poolKey: bytes("pool_key"),
      first: bytes("first"),
      second: bytes("second"),
    };
  if (fields["type"] === "E4")
    return { type: "E4", open: bytes("open"), claim: bytes("claim"), ack: bytes("ack") };
  throw new PoolError(
    "invalid",
    "poot.not_evidence",
    "This file is not evidence of a kind this program knows (E3, E4).",
  );
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new PoolError(
      "invalid",
      "poot.not_a_proof",
      `${path} is not JSON; print a proof with "galaxy-pool poot show NODE --file".`,
      {},
      error,
    );
  }
}
