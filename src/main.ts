import "@/cli/first-process.ts";
import "@/cli/no-core.ts";
import { Outcome } from "@/cli/options.ts";
import { endWithReader } from "@/cli/output.ts";
import { run } from "@/cli/program.ts";

/** What ran for long has ended in good order; nothing it forgot may keep the process for longer. */
const LINGER_MS = 100;

endWithReader();
const outcome = new Outcome();
process.exitCode = await run(process.argv.slice(2), outcome);
if (outcome.isService) setTimeout(() => process.exit(), LINGER_MS).unref();
