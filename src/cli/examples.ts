import type { Command } from "commander";

const NODE = "xulz3ufj4l74k4cs542cde7p33";
const POOL = "zrfjett3vcnnh6lb77s2eco6sj";

/** One line to copy for every command whose arguments do not already show it. */
const EXAMPLES: Readonly<Record<string, string>> = {
  status: "status --json",
  health: "health --wait 30s",
  "node run": "node run --log-level debug",
  "node status": "node status --json",
  "node maintenance": "node maintenance --for 2h",
  "node leave": "node leave",
  "node list": "node list --state lost",
  "node show": `node show ${NODE}`,
  "node approve": `node approve ${NODE}`,
  "node resume": `node resume ${NODE}`,
  "node remove": `node remove ${NODE}`,
  "pool list": "pool list --json",
  "pool show": `pool show ${POOL}`,
  "pool delete": `pool delete ${POOL}`,
  "token list": "token list",
  "token revoke": "token revoke k3v7q2aa",
  "key list": "key list --json",
  "key show": "key show k3v7q2aa",
  "key revoke": "key revoke k3v7q2aa",
  "user list": "user list --json",
  "user show": "user show ada",
  "user update": "user update ada --role operator --role auditor",
  "user disable": "user disable ada",
  "user enable": "user enable ada",
  "user delete": "user delete ada",
  "cert show": "cert show --json",
  "cert list": "cert list",
  "cert rotate": "cert rotate",
  "payout plan": "payout plan",
  "payout process": "payout process",
  "payout list": "payout list --state sealed",
  "payout cancel": 'payout cancel 3 --not-sent --ref "wrong account"',
  explain: `explain ${NODE} --from 2026-11-01`,
  statement: `statement ${NODE} --format csv > november.csv`,
  "poot show": `poot show ${NODE} --file > proof.json`,
  "poot calculate": `poot calculate ${NODE}`,
  "anomaly list": "anomaly list --all",
  "anomaly show": "anomaly show 3",
  "audit list": 'audit list --action "node.*" --from 2026-11-01',
  "audit restart": 'audit restart --reason "the card was replaced, nothing else was found"',
  "clock accept": "clock accept",
  "clock rewind": "clock rewind",
  "config show": "config show --origin",
  "config check": "config check --config ./pool.yaml",
  "config reference": "config reference | less",
  version: "version --json",
};

/** Puts its example under the help of every command that has none of its own. */
export function addExamples(program: Command, path = ""): void {
  for (const command of program.commands) {
    const name = `${path} ${command.name()}`.trim();
    const example = EXAMPLES[name];
    if (example) command.addHelpText("after", `\nExample:\n  galaxy-pool ${example}`);
    addExamples(command, name);
  }
}
