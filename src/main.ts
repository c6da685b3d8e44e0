import { endWithReader } from "@/cli/output.ts";
import { run } from "@/cli/program.ts";

endWithReader();
process.exitCode = await run(process.argv.slice(2));
