import type { Command } from "commander";
import { PoolError } from "@/std/errors.ts";
import { Client, type ClientFlags } from "./client.ts";
import { asking, collect } from "./options.ts";
import { print } from "./output.ts";
import { readSecrets } from "./secret-input.ts";

interface Person {
  readonly name: string;
  readonly roles: readonly string[];
  readonly org: string | null;
  readonly state: string;
  readonly password: string;
  readonly password_changed_at: string;
  readonly created_at: string;
  readonly created_by: string;
  readonly one_time_password?: string;
}

interface Flags extends ClientFlags {
  readonly role?: readonly string[];
  readonly org?: string | false;
  readonly passwordStdin?: boolean;
  readonly reset?: boolean;
}

const USERS = "/api/v1/users";

/** `user create|list|show|update|password|disable|enable|delete`. */
export function userCommands(program: Command): void {
  const user = program.command("user").description("people who may sign in");
  const roles = "admin, operator, client or auditor; repeatable";
  asking(user.command("create <name>").description("add a person"), create)
    .option("--role <role>", roles, collect, [])
    .option("--org <org>", "the organization the person speaks for (default: the whole pool)")
    .option("--password-stdin", "take the password from standard input, instead of making one")
    .addHelpText("after", "\nExample:\n  galaxy-pool user create ada --role operator");
  asking(user.command("list").description("list the people"), list);
  asking(user.command("show <name>").description("show a person"), show);
  asking(user.command("update <name>").description("change roles or organization"), update)
    .option("--role <role>", `all roles from now on: ${roles}`, collect, [])
    .option("--org <org>", "the organization the person speaks for")
    .option("--no-org", "the person speaks for the whole pool");
  asking(
    user.command("password <name>").description("choose your password, or give another one"),
    password,
  )
    .option("--reset", "as an admin: make a password with which the person chooses an own one")
    .option("--password-stdin", "with --reset: take the password from standard input")
    .addHelpText(
      "after",
      "\nWithout --reset it asks for the password you have and the next one; both can also come on\n" +
        "standard input, a line each.\n\nExample:\n  galaxy-pool user password ada --reset",
    );
  asking(user.command("disable <name>").description("keep a person out"), disable);
  asking(user.command("enable <name>").description("let a person in again"), enable);
  asking(user.command("delete <name>").description("remove a person and the keys made"), remove);
}

async function create(client: Client, flags: Flags, [name]: readonly string[]): Promise<void> {
  if (!flags.role?.length) throw usage("Say with --role what the person may do.");
  const body = { name, roles: flags.role, ...orgIn(flags), ...(await passwordIn(flags)) };
  tellMade(await client.json<Person>("POST", USERS, { body }), flags);
}

async function list(client: Client, flags: Flags): Promise<void> {
  const items = await Array.fromAsync(client.items<Person>(USERS));
  if (flags.json) {
    print.json({ items });
    return;
  }
  const rows = items.map(({ name, roles, org, state, password }) => [
    name,
    roles.join(", "),
    org,
    state,
    password,
  ]);
  print.table(["name", "roles", "organization", "state", "password"], rows);
}

async function show(client: Client, flags: Flags, [name]: readonly string[]): Promise<void> {
  tell(await client.json<Person>("GET", pathOf(name)), flags);
}

async function update(client: Client, flags: Flags, [name]: readonly string[]): Promise<void> {
  const roles = flags.role?.length ? { roles: flags.role } : {};
  const body = { ...roles, ...orgIn(flags) };
  if (Object.keys(body).length === 0) throw usage("Say what changes: --role, --org or --no-org.");
  tell(await client.json<Person>("PUT", pathOf(name), { body }), flags);
}

async function password(client: Client, flags: Flags, [name]: readonly string[]): Promise<void> {
  if (flags.reset) {
    const body = await passwordIn(flags);
    tellMade(await client.json<Person>("POST", `${pathOf(name)}/password`, { body }), flags);
    return;
  }
  const [own, next] = await readSecrets(["the password you have", "the next password"]);
  const body = { user: name, password: own, new_password: next };
  await new Client(client.url, undefined).text("POST", "/api/v1/auth/password", { body });
  if (flags.json) print.json({ changed: name });
  else print.line(`The password of ${name} is changed; sign in again wherever you were.`);
}

function disable(client: Client, flags: Flags, [name]: readonly string[]): Promise<void> {
  return setDisabled(client, flags, { name, disabled: true });
}

function enable(client: Client, flags: Flags, [name]: readonly string[]): Promise<void> {
  return setDisabled(client, flags, { name, disabled: false });
}

async function setDisabled(
  client: Client,
  flags: Flags,
  { name, disabled }: { name: string | undefined; disabled: boolean },
): Promise<void> {
  tell(await client.json<Person>("PUT", pathOf(name), { body: { disabled } }), flags);
}

async function remove(client: Client, flags: Flags, [name]: readonly string[]): Promise<void> {
  await client.text("DELETE", pathOf(name));
  if (flags.json) print.json({ deleted: name });
  else print.line(`${name} is removed, with every login and every API key of that person.`);
}

function pathOf(name = ""): string {
  return `${USERS}/${encodeURIComponent(name)}`;
}

function orgIn({ org }: Flags): { org?: string | null } {
  if (org === undefined) return {};
  return { org: org === false ? null : org };
}

async function passwordIn({ passwordStdin }: Flags): Promise<{ password?: string }> {
  if (!passwordStdin) return {};
  const [given = ""] = await readSecrets(["the password"]);
  return { password: given };
}

function tellMade({ one_time_password: made, ...person }: Person, flags: Flags): void {
  if (flags.json) {
    print.json({ ...person, ...(made === undefined ? {} : { one_time_password: made }) });
    return;
  }
  tell(person, flags);
  if (made === undefined) return;
  print.line(`\nPassword, shown this once, good for choosing an own one:\n  ${made}`);
  print.line(`  galaxy-pool user password ${person.name}`);
}

function tell(person: Person, flags: Flags): void {
  if (flags.json) {
    print.json({ ...person });
    return;
  }
  print.facts([
    ["name", person.name],
    ["roles", person.roles.join(", ")],
    ["organization", person.org],
    ["state", person.state],
    ["password", `${person.password}, since ${person.password_changed_at}`],
    ["created", `${person.created_at} by ${person.created_by}`],
  ]);
}

function usage(message: string): PoolError {
  return new PoolError("invalid", "cli.invalid", message);
}
