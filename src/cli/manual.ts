import type { Argument, Command, Option } from "commander";
import { BUILD_TIME_MS, VERSION } from "@/std/version.ts";
import { ENDING, PROSE, type Section } from "./manual-prose.ts";

/** The manual page galaxy-pool(8), in the language of man: made from the same tree as the commands. */
export function manualOf(program: Command): string {
  const day = BUILD_TIME_MS > 0 ? new Date(BUILD_TIME_MS).toISOString().slice(0, 10) : "";
  const lines = [
    `.TH GALAXY\\-POOL 8 "${escaped(day)}" "galaxy\\-pool ${escaped(VERSION)}" "Galaxy Node Pool"`,
    ".nh",
    ".ad l",
    ".SH NAME",
    `galaxy\\-pool \\- ${escaped(lowerFirst(program.description().replace(/\.$/, "")))}`,
    ".SH SYNOPSIS",
    ".B galaxy\\-pool",
    ".I command",
    '.RI [ option " ...]"',
    ...PROSE.flatMap(section),
    ".SH COMMANDS",
    "Every command also takes \\fB\\-\\-help\\fR.",
    ...leavesOf(program).flatMap(commandLines),
    ...ENDING.flatMap(section),
  ];
  return `${lines.join("\n")}\n`;
}

function section({ title, paragraphs = [], terms = [], typed = [] }: Section): string[] {
  return [
    `.SH ${title}`,
    ...paragraphs.flatMap((text, at) => (at > 0 ? [".PP", line(text)] : [line(text)])),
    ...terms.flatMap(([term, meaning]) => tagged(bold(term), meaning)),
    ...typed.flatMap(([why, command]) => [
      ".PP",
      line(why),
      ".PP",
      ".RS 4",
      ".nf",
      line(command),
      ".fi",
      ".RE",
    ]),
  ];
}

/** Every command that does something, with its whole name. */
function leavesOf(command: Command, path = ""): (readonly [string, Command])[] {
  return command.commands.flatMap((one) => {
    const name = `${path} ${one.name()}`.trim();
    return one.commands.length > 0 ? leavesOf(one, name) : [[name, one] as const];
  });
}

function commandLines([name, command]: readonly [string, Command]): string[] {
  const words = command.registeredArguments.map(argumentText).join(" ");
  const description = command.description();
  return [
    `.SS ${bold(name)}${words === "" ? "" : ` ${words}`}`,
    line(`${upperFirst(description)}.`),
    ...command.options.filter(({ hidden }) => !hidden).flatMap(optionLines),
  ];
}

function argumentText(argument: Argument): string {
  const text = `\\fI${escaped(argument.name())}\\fR${argument.variadic ? "..." : ""}`;
  return argument.required ? text : `[${text}]`;
}

function optionLines(option: Option): string[] {
  const choices = option.argChoices ? ` One of: ${option.argChoices.join(", ")}.` : "";
  const preset =
    typeof option.defaultValue === "string" && option.defaultValue !== ""
      ? ` Default: ${option.defaultValue}.`
      : "";
  const [names = "", value] = option.flags.split(/ (?=<|\[)/);
  const tag = value ? `${bold(names)} \\fI${escaped(value.slice(1, -1))}\\fR` : bold(names);
  return tagged(tag, `${upperFirst(option.description)}.${choices}${preset}`);
}

function tagged(tag: string, meaning: string): string[] {
  return [".TP", tag, line(meaning)];
}

function bold(text: string): string {
  return `\\fB${escaped(text)}\\fR`;
}

/** A line of text: what man would take for a request at its start is shielded. */
function line(text: string): string {
  const safe = escaped(text);
  return /^[.']/.test(safe) ? `\\&${safe}` : safe;
}

function escaped(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(
      /[^\x20-\x7e]/gu,
      (sign) => `\\[u${(sign.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}]`,
    );
}

function upperFirst(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}
