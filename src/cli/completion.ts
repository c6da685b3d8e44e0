import type { Command, Option } from "commander";
import { PoolError } from "@/std/errors.ts";
import { print } from "./output.ts";

/** `completion bash|zsh|fish`: made from the same tree as the commands themselves. */
export function completionCommand(program: Command): void {
  program
    .command("completion <shell>")
    .description("print a completion script for bash, zsh or fish")
    .addHelpText(
      "after",
      "\nExamples:\n  galaxy-pool completion bash > /etc/bash_completion.d/galaxy-pool\n  galaxy-pool completion fish > ~/.config/fish/completions/galaxy-pool.fish",
    )
    .action((shell: string) => print.line(scriptFor(shell, program)));
}

function scriptFor(shell: string, program: Command): string {
  const scripts: Readonly<Record<string, (program: Command) => string>> = { bash, zsh, fish };
  const make = scripts[shell];
  if (make) return make(program);
  throw new PoolError(
    "invalid",
    "cli.unknown_shell",
    `There is no completion for "${shell}"; choose bash, zsh or fish.`,
  );
}

/** Every command path ("node join") with the words that may follow it. */
function wordsByPath(command: Command, path = ""): (readonly [string, readonly string[]])[] {
  const names = command.commands.map((one) => one.name());
  const options = command.options.map((option: Option) => option.long ?? "").filter(Boolean);
  const own = [path, [...names, ...options, "--help"]] as const;
  const inner = command.commands.flatMap((one) => wordsByPath(one, `${path} ${one.name()}`.trim()));
  return [own, ...inner];
}

function bash(program: Command): string {
  const cases = wordsByPath(program).map(
    ([path, words]) => `    "${path}") words="${words.join(" ")}" ;;`,
  );
  return `# bash completion for galaxy-pool
_galaxy_pool() {
  local path="" word words=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  case "$path" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _galaxy_pool galaxy-pool galaxy-cli`;
}

function zsh(program: Command): string {
  return `#compdef galaxy-pool galaxy-cli
autoload -U +X bashcompinit && bashcompinit
${bash(program)}`;
}

function fish(program: Command): string {
  const lines = wordsByPath(program).flatMap(([path, words]) => {
    const when =
      path === ""
        ? "__fish_use_subcommand"
        : path
            .split(" ")
            .map((word) => `__fish_seen_subcommand_from ${word}`)
            .join("; and ");
    return words.map((word) => {
      const what = word.startsWith("--") ? `-l ${word.slice(2)}` : `-a ${word}`;
      return `complete -c galaxy-pool -n "${when}" ${what}`;
    });
  });
  return [
    "# fish completion for galaxy-pool",
    ...lines,
    "complete -c galaxy-cli -w galaxy-pool",
  ].join("\n");
}
