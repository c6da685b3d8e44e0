import { Refusal } from "./refusal.ts";

/** The lines of install.sh that a release fills in, and what with. */
export type Stamps = Readonly<Record<string, string>>;

/** Puts values into the lines `NAME='…'` of install.sh; each must be there exactly once. */
export function stampInstaller(script: string, stamps: Stamps): string {
  return Object.entries(stamps).reduce(
    (text, [name, value]) => stampLine(text, name, value),
    script,
  );
}

function stampLine(script: string, name: string, value: string): string {
  const line = new RegExp(`^${name}='[^'\n]*'$`, "gm");
  const found = script.match(line)?.length ?? 0;
  if (found !== 1)
    throw new Refusal(`install.sh must hold the line ${name}='' exactly once; it has ${found}.`);
  if (/['\n\\]/.test(value)) throw new Refusal(`${name} cannot be written as '${value}'.`);
  return script.replace(line, () => `${name}='${value}'`);
}
