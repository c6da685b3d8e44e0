import { defineModule } from "@/kernel/module.ts";
import { createOperatorToken } from "./operator-token.ts";

/** For `init`: makes the operator's token when there is none. */
export const firstToken = defineModule({
  name: "first-token",
  needs: ["files", "random"],
  start({ files, random }) {
    createOperatorToken(files, random);
  },
});
